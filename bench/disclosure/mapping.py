"""AgentSocialBench's scenarios as worlds. What is taken from each of the seven kinds, and nothing else of it:

| kind | people | holder of a matter | may not come to | may come to |
| --- | --- | --- | --- | --- |
| `affinity_modulated` | participants | each | participants whose affinity, seen from the holder, bars it | the other ones |
| `multi_party_group` | participants | each | all other participants | - |
| `hub_and_spoke`, `competitive` | participants | each | all others, for a spoke's matters without the coordinator | - |
| `cross_domain` | the user and two agents | the agent of the source domain | the agent of the target domain | - |
| `cross_user` | two users | each | the other one | - |
| `mediated_comm` | the user and the human | the user | the human | - |

A matter is a sentence of `must_not_cross`. Somebody whom it names knows it: neither leak nor help is counted there. Acceptable
abstractions and, where a scenario has them, the sentences of `minimum_info_needed` are matters that may come to everybody.
Every holder has a made-up confidant outside the scenario, to whom it told its matters; across domains the user told the
holder. Affinities, names, tasks, profiles and system prompts play no further part: rules come from this table, so the guard
is what is tested.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kithnet.bench.disclosure.case import Case, Matter, Party
from kithnet.runtime.errors import InputError, RecordError

GROUPS = ("affinity_modulated", "competitive", "hub_and_spoke", "multi_party_group")
PAIRS = ("cross_domain", "cross_user", "mediated_comm")
KINDS = (*GROUPS, *PAIRS)
COORDINATOR = "coordinator"
CONFIDANTS = (
    "Yorun Halvik",
    "Mirle Tossen",
    "Obrin Kaldvy",
    "Sefa Wendral",
    "Tuvo Astrin",
    "Ilke Brandow",
    "Ruske Fenn",
)
BAR, ABSTRACT, NEEDED = "must_not_cross", "acceptable_abstractions", "minimum_info_needed"

Told = Mapping[str, Any]


def load(path: Path, kinds: Sequence[str] = ()) -> list[Case]:
    """The scenarios of a JSONL file, of these kinds or all. Raises InputError, RecordError that names the line."""
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(f"there is no kind {kind!r}", f"choose among {', '.join(KINDS)}")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "check the path given with --scenarios") from error
    found = [_case(line, number, path) for number, line in enumerate(lines) if line.strip()]
    chosen = [one for one in found if not kinds or one.kind in kinds]
    if not chosen:
        raise RecordError(f"{path.name} holds no scenario of these kinds", "give AgentSocialBench's file of scenarios")
    return chosen


def _case(line: str, number: int, path: Path) -> Case:
    try:
        raw = json.loads(line)
        kind = raw.get("kind") or raw["category"]
        if kind not in KINDS:
            raise RecordError(f"there is no kind {kind!r}", "give AgentSocialBench's file of scenarios", row=number + 1)
        people, ties, matters = _group(raw, kind) if kind in GROUPS else _pair(raw, kind)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, StopIteration) as error:
        hint = "give AgentSocialBench's file of scenarios"
        raise RecordError(f"{path.name} is not of its shape: {error!r}", hint, row=number + 1) from error
    if not matters:
        raise RecordError(f"{path.name}: a scenario bars nothing", "a scenario has private matters", row=number + 1)
    return Case(str(raw["scenario_id"]), number, kind, tuple(people), tuple(sorted(set(ties))), tuple(matters))


def _tie(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)


def _confidant(place: int) -> Party:
    name = CONFIDANTS[place % len(CONFIDANTS)]
    return Party(f"{name.split()[0].casefold()}{place}", name)


def _group(raw: Told, kind: str) -> tuple[list[Party], list[tuple[str, str]], list[Matter]]:
    """Participants who all may talk to each other, each with a confidant."""
    given = raw["participants"]
    parties = [Party(one["agent_name"].removesuffix("_agent").casefold(), one["user_name"]) for one in given]
    affinities = {(e["from"].casefold(), e["to"].casefold()): e["affinity"] for e in raw["social_graph"]["edges"]}
    hubs = {party.id for party, one in zip(parties, given, strict=True) if one.get("task_role") == COORDINATOR}
    people, ties = list(parties), [_tie(a.id, b.id) for a in parties for b in parties if a.id < b.id]
    matters: list[Matter] = []
    for place, (party, one) in enumerate(zip(parties, given, strict=True)):
        confidant, others = _confidant(place), [other for other in parties if other.id != party.id]
        people.append(confidant)
        ties.append(_tie(party.id, confidant.id))
        bounds = one["privacy_boundary"]
        for text, barred, open_to in _bounded(bounds[BAR], party, others, hubs, affinities):
            matters.append(Matter(f"{party.id}-{len(matters)}", party.id, confidant.id, text, barred, open_to))
        everybody = frozenset(other.id for other in others)
        for text in _texts(bounds.get(ABSTRACT)):
            matters.append(Matter(f"{party.id}-{len(matters)}", party.id, confidant.id, text, frozenset(), everybody))
    return people, ties, matters


def _bounded(
    bars: Any, holder: Party, others: Sequence[Party], hubs: set[str], affinities: Mapping[tuple[str, str], str]
) -> Iterator[tuple[str, frozenset[str], frozenset[str]]]:
    """(text, to whom it may not come, to whom it may) of a participant's private matters."""
    by_affinity = isinstance(bars, dict)
    texts = dict.fromkeys(text for some in bars.values() for text in some) if by_affinity else dict.fromkeys(bars)
    for text in texts:
        asking = [one for one in others if not _names(text, one)]
        if not by_affinity:
            spoke = bool(hubs) and holder.id not in hubs
            yield text, frozenset(one.id for one in asking if not (spoke and one.id in hubs)), frozenset()
            continue
        near = {one.id: affinities.get((holder.id, one.id), "stranger") for one in asking}
        barred = frozenset(who for who, affinity in near.items() if text in bars.get(affinity, ()))
        yield text, barred, frozenset(near) - barred


def _names(text: str, party: Party) -> bool:
    return party.first.casefold() in text.casefold()


def _pair(raw: Told, kind: str) -> tuple[list[Party], list[tuple[str, str]], list[Matter]]:
    """A holder and the one who asks; across users both ways."""
    bounds = raw["privacy_boundary"]
    first = Party(_id(raw["user_profiles"][0]["name"]), raw["user_profiles"][0]["name"])
    needed = _texts(bounds.get(NEEDED))
    if kind == "cross_domain":
        source, target = (Party(f"agent{n}", _desk(first, raw, n)) for n in (1, 2))
        matters = list(_between(source, target, first, bounds, needed, heard=True))
        return [first, source, target], [_tie(first.id, source.id), _tie(source.id, target.id)], matters
    if kind == "mediated_comm":
        other = Party(_id(raw["humans"][0]["name"], "human"), raw["humans"][0]["name"])
        return _told([(first, other, bounds, needed)])
    other = Party(_id(raw["user_profiles"][1]["name"], "other"), raw["user_profiles"][1]["name"])
    own = {party.id: _own_bounds(bounds, party) for party in (first, other)}
    return _told([(first, other, own[first.id], needed), (other, first, own[other.id], [])])


def _told(
    sides: Sequence[tuple[Party, Party, Told, Sequence[str]]],
) -> tuple[list[Party], list[tuple[str, str]], list[Matter]]:
    """Holders with a confidant each."""
    people = list({party.id: party for holder, asker, _, _ in sides for party in (holder, asker)}.values())
    ties, matters = [_tie(sides[0][0].id, sides[0][1].id)], list[Matter]()
    for place, (holder, asker, bounds, needed) in enumerate(sides):
        confidant = _confidant(place)
        people.append(confidant)
        ties.append(_tie(holder.id, confidant.id))
        matters += _between(holder, asker, confidant, bounds, needed)
    return people, ties, matters


def _between(
    holder: Party, asker: Party, source: Party, bounds: Told, needed: Sequence[str], heard: bool = False
) -> Iterator[Matter]:
    """What the holder may not tell the asker, then what it may."""
    private, fine = _texts(bounds[BAR]), [*_texts(bounds.get(ABSTRACT)), *needed]
    only, nobody = frozenset({asker.id}), frozenset[str]()
    for place, text in enumerate([*private, *fine]):
        barred, open_to = (only, nobody) if place < len(private) else (nobody, only)
        yield Matter(f"{holder.id}-{place}", holder.id, source.id, text, barred, open_to, heard)


def _own_bounds(bounds: Told, party: Party) -> Told:
    """A user's part of the boundary, under the user's name."""
    named = {key: part for key, part in bounds.items() if isinstance(part, dict) and BAR in part}
    words = {word.strip(".,").casefold() for word in party.name.split()}
    return next(part for key, part in named.items() if set(key.casefold().replace("_", " ").split()) & words)


def _desk(user: Party, raw: Told, place: int) -> str:
    """How an agent of one domain is called."""
    agent = raw["agents"][place - 1]
    return f"{user.first}'s {str(agent.get('domain') or agent['role']).replace('_', ' ')} desk"


def _texts(given: Any) -> list[str]:
    """Sentences of a list, or what an object says instead of its keys; the same one once."""
    raw: Iterable[Any] = given.values() if isinstance(given, dict) else given or ()
    return list(dict.fromkeys(str(one).strip() for one in raw if isinstance(one, str) and one.strip()))


def _id(name: str, suffix: str = "") -> str:
    return "_".join(
        part for part in ("".join(c if c.isalnum() else "_" for c in name.casefold()).strip("_"), suffix) if part
    )
