"""What is kept of mixed sessions: gold memories, their links and audiences, and the memory an utterance was made from."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from kithnet.bench.memory.played import Played, Tools, f1, opened
from kithnet.bench.report import Bar
from kithnet.network.generate.mixed import Tag, mixed_episode
from kithnet.network.generate.spec import Phrases

Measured = tuple[list[dict[str, Any]], list[Bar]]
TYPES = ("updates", "contradicts", "causes")
"""Links that the gold holds; those by topic and to a summary are counted, and have no gold."""


def kept(episodes: int, *, seed: int, phrases: Phrases, tools: Tools) -> Measured:
    """Play episodes and compare what was written with the gold; every tagged utterance recalls before its session."""
    count: Counter[str] = Counter()
    for number in range(episodes):
        episode = mixed_episode(seed * 1_000 + number, phrases)
        with tempfile.TemporaryDirectory() as beside, opened(episode, Path(beside), tools) as played:
            for session in range(len(episode.sessions)):
                _tags(played, session, count)
                played.write(session)
                played.write_flat(session)
            played.look()
            _memories(played, count)
            _links(played, count)
    return _rows(count), _bars(count)


def _tags(played: Played, session: int, count: Counter[str]) -> None:
    """Recall for the session's tagged utterances, from what earlier sessions left."""
    name, _ = played.episode.sessions[session]
    tags = [tag for tag in played.episode.tags if played.episode.messages[tag.message].session == name]
    played.look()
    for tag in tags:
        gold = played.episode.memories[tag.memory]
        if not played.of_gold[tag.memory]:
            count["tag unknown"] += 1  # it was never written: no recall can find it, and it counts as missed
        count["tag"] += 1
        count["tag ours"] += _first(played, tag) in played.of_gold[tag.memory]
        count["tag flat"] += played.flat.top(played.episode.messages[tag.message].text) in played.flat_of(gold)


def _first(played: Played, tag: Tag) -> str | None:
    """The first memory that recall serves for an utterance to its partner; the messages themselves are left out."""
    text = played.episode.messages[tag.message].text
    found = played.agent.memory.recall(text, partner=tag.partner, speakers=(tag.partner,), k=20, budget=4_000)
    return next((hit.id for hit in found.hits if hit.kind not in ("message", "summary")), None)


def _memories(played: Played, count: Counter[str]) -> None:
    found: set[str] = set()
    flat: set[int] = set()
    for gold in played.episode.memories:
        ids, places = played.of_gold[gold.number], played.flat_of(gold)
        found |= set(ids)
        flat |= set(places)
        count["gold"] += 1
        count["recalled"] += bool(ids)
        count["flat recalled"] += bool(places)
        count[f"gold {gold.kind}"] += 1
        count[f"recalled {gold.kind}"] += bool(ids)
        if ids:
            audiences = [played.memories[one].audience for one in ids]
            count["audience"] += 1
            count["audience kept"] += all((a is not None) == (gold.audience is not None) for a in audiences)
            count["confided"] += gold.audience is not None
            count["confided kept"] += gold.audience is not None and all(a is not None for a in audiences)
    count["written"] += len(played.memories)
    count["right"] += len(found)
    count["flat written"] += len(played.flat.statements)
    count["flat right"] += len(flat)


def _links(played: Played, count: Counter[str]) -> None:
    """Links between memories that say gold ones, by type; of the baseline, which has no types, any link counts."""
    of_memory = {one: gold for gold, ids in played.of_gold.items() for one in ids}
    wanted = {(link.a, link.b, link.kind) for link in played.episode.links}
    found: set[tuple[int, int, str]] = set()
    for memory in played.memories:
        for link in played.agent.memory.links(memory):
            if link.type in ("same_topic", "part_of"):
                count[link.type] += link.a == memory
            elif link.a == memory:
                count["links"] += 1
                if link.a in of_memory and link.b in of_memory:
                    found.add((of_memory[link.a], of_memory[link.b], link.type))
    turned = {(b, a, kind) for a, b, kind in found if kind == "contradicts"}
    right = wanted & (found | turned)
    count["links wanted"] += len(wanted)
    count["links right"] += len(right)
    for kind in TYPES:
        count[f"wanted {kind}"] += sum(one[2] == kind for one in wanted)
        count[f"right {kind}"] += sum(one[2] == kind for one in right)
    by_place = {at: gold.number for gold in played.episode.memories for at in played.flat_of(gold)}
    pairs = {frozenset((by_place.get(a, -1), by_place.get(b, -2))) for a, b in played.flat.links}
    count["flat links"] += len(played.flat.links)
    count["flat links right"] += sum(frozenset((a, b)) in pairs for a, b, _ in wanted)


def _rows(count: Counter[str]) -> list[dict[str, Any]]:
    precision, recall = _share(count, "right", "written"), _share(count, "recalled", "gold")
    flat_precision, flat_recall = _share(count, "flat right", "flat written"), _share(count, "flat recalled", "gold")
    links = f1(count["links right"], count["links"], count["links wanted"])
    flat_links = f1(count["flat links right"], count["flat links"], count["links wanted"])
    rows: list[dict[str, Any]] = [
        {"what": "gold memories: precision", "n": count["written"], "kithnet": precision, "emma": flat_precision},
        {"what": "gold memories: recall", "n": count["gold"], "kithnet": recall, "emma": flat_recall},
    ]
    for kind in ("fact", "preference", "plan", "event"):
        if total := count[f"gold {kind}"]:
            rows.append({"what": f"  recall of kind {kind}", "n": total, "kithnet": count[f"recalled {kind}"] / total})
    for name, place in (("precision", 0), ("recall", 1), ("F1", 2)):
        rows.append(
            {"what": f"links: {name}", "n": count["links wanted"], "kithnet": links[place], "emma": flat_links[place]}
        )
    for kind in TYPES:
        if total := count[f"wanted {kind}"]:
            rows.append({"what": f"  recall of link {kind}", "n": total, "kithnet": count[f"right {kind}"] / total})
    rows.append({"what": "  links by topic", "n": count["same_topic"]})
    tags, confided = (_share(count, f"tag {whose}", "tag") for whose in ("ours", "flat")), count["confided"]
    rows.append({"what": "tag R@1", "n": count["tag"], **dict(zip(("kithnet", "emma"), tags, strict=True))})
    right, held = _share(count, "audience kept", "audience"), _share(count, "confided kept", "confided")
    rows.append({"what": "audience right", "n": count["audience"], "kithnet": right})
    rows.append({"what": "  confidences kept", "n": confided, "kithnet": held, "emma": 0.0})
    return rows


def _bars(count: Counter[str]) -> list[Bar]:
    """Where no published figure exists to beat, the baseline of the same run is the bar."""
    links = f1(count["links right"], count["links"], count["links wanted"])[2]
    flat = f1(count["flat links right"], count["flat links"], count["links wanted"])[2]
    return [
        Bar(
            "tag R@1, at least the baseline's",
            _share(count, "tag ours", "tag"),
            _share(count, "tag flat", "tag"),
            "higher",
        ),
        Bar("link F1, at least the baseline's", links, flat, "higher"),
    ]


def _share(count: Counter[str], part: str, whole: str) -> float:
    return count[part] / count[whole] if count[whole] else 0.0
