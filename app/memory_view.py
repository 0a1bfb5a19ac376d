"""What `kith memory search|show|explain` show: a person's memory as its agent sees it, as JSON and as text."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from textwrap import shorten
from typing import Any

from kithnet.app import engines
from kithnet.app.cast import Cast, policy_of
from kithnet.app.locate import Place
from kithnet.memory import correcting, dossier, people
from kithnet.memory.owner import Hit, OwnerMemory, Utterance
from kithnet.memory.recall import as_json
from kithnet.memory.search import abstains
from kithnet.memory.store import Store
from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError

DEEPER = 8
"""How many times more candidates are looked at where some may not be told."""
WIDTH = 160
"""Characters of a text that a line for a person shows."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose memory, and for whom and as of when it is asked; names as they were typed."""

    person: str
    partner: str | None = None
    at: str | None = None


@dataclass(frozen=True)
class _Open:
    store: Store
    memory: OwnerMemory
    partner: str | None
    at: datetime | None


@contextmanager
def _opened(place: Place, config: Config, asked: Asked) -> Iterator[_Open]:
    """Raises UnknownPerson, InputError for a time that is none, StorageError."""
    at = moment(asked.at)
    with Store.open(place.folder / "kith.db") as store, engines.embedder(config, place.models) as embedder:
        everybody = store.people(outside=True)
        person = people.resolve(everybody, asked.person).id
        partner = people.resolve(everybody, asked.partner).id if asked.partner is not None else None
        with engines.vectors(store, place.folder, embedder) as index:
            yield _Open(store, store.owner(person, index, embedder), partner, at)


def moment(text: str | None) -> datetime | None:
    """A time as it is typed. Raises InputError."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is not a time", "write it as 2024-05-31 or 2024-05-31T18:20") from error


def search(place: Place, config: Config, asked: Asked, query: str, k: int) -> dict[str, Any]:
    """What the person's agent recalls of `query`, for its owner or towards a partner.

    Towards a partner the agent's own rules decide: what may not be told is no candidate and not counted; `searched` are then
    the candidates that may be. Nothing is written down, no grant is used up, and where a rule says to ask it is left out.
    """
    with _opened(place, config, asked) as it:
        if it.partner is None:
            found = it.memory.recall(query, k=k, at=it.at)
        else:
            found = it.memory.recall(query, partner=it.partner, k=k * DEEPER, budget=800 * DEEPER, at=it.at)
            with engines.reader(config, place.models) as reader:
                agent = Cast(it.store, policy_of(config.disclosure), reader=reader).agent(it.memory.owner)
                weighed = zip(found.hits, agent.items(found.hits), strict=True)
                told = tuple(hit for hit, item in weighed if agent.may_tell(item, it.partner, query))
            found = replace(found, hits=told[:k], searched=len(told), abstained=abstains(told))
    return {
        "hits": [as_json(hit) for hit in found.hits],
        "abstained": found.abstained,
        "mode": found.mode,
        "searched": found.searched,
        "seconds": round(found.seconds, 4),
    }


def show(
    place: Place, person: str, item: str | None, about: str | None, limit: int, said: bool = False
) -> dict[str, Any]:  # fmt: skip
    """One message or memory with what stands behind it, or the memories that the person holds, newest first.

    said: what the person's agent said in chats instead; `item` may name such an utterance ("u3") too.
    """
    with Store.open(place.folder / "kith.db") as store:
        everybody = store.people(outside=True)
        memory = store.owner(people.resolve(everybody, person).id)
        if said or (item or "").startswith("u"):
            spoken = [one for one in reversed(memory.utterances()) if item in (None, one.id)][:limit]
            if item is not None and not spoken:
                raise InputError(f"{memory.owner}'s agent has said no {item!r}", "list what it said with --said")
            return {"person": memory.owner, "items": [_spoken(memory.owner, one) for one in spoken]}
        if item is None:
            subject = people.resolve(everybody, about).id if about is not None else None
            hits = memory.memories(subject, limit)
            return {"person": memory.owner, "items": [_item(hit, dossier.Behind()) for hit in hits]}
        return {
            "person": memory.owner,
            "items": [_item(memory.message(item), dossier.behind(store.database, memory.owner, item))],
        }


def correct(place: Place, person: str, item: str, text: str) -> dict[str, Any]:
    """Put `text` in the place of a memory; gives the new one, and the old one as it is now."""
    with Store.open(place.folder / "kith.db") as store:
        memory = store.owner(people.resolve(store.people(outside=True), person).id)
        new = correcting.correct(store.database, memory.owner, item, text)
        shown = [_item(memory.message(one), dossier.behind(store.database, memory.owner, one)) for one in (new, item)]
    return {"person": memory.owner, "memory": shown[0], "corrected": shown[1]}


def explain(place: Place, config: Config, asked: Asked, query: str | None) -> dict[str, Any]:
    """Why each candidate for a query was kept or dropped; without one, who was told what about the person, and why."""
    started = time.monotonic()
    with _opened(place, config, asked) as it:
        candidates = it.memory.explain(query, partner=it.partner, at=it.at) if query is not None else []
        told = dossier.told(it.store.database, it.memory.owner) if query is None else []
        person = it.memory.owner
    return {
        "person": person,
        "query": query,
        "candidates": [
            {
                "id": one.id,
                "kind": one.kind,
                "text": one.text,
                "scores": {name: _rounded(score) for name, score in one.scores.items()},
                "kept": one.kept,
                "why": one.why,
                "messages": list(one.messages),
                "told_by": one.told_by,
                "audience": None if one.audience is None else list(one.audience),
                "at": _when(one.at),
            }
            for one in candidates
        ],
        "told": [
            {
                "person": one.person,
                "teller": one.teller,
                "action": one.action,
                "item": one.item,
                "text": one.text,
                "rule": one.rule,
                "task": one.task,
                "at": _when(one.at),
            }
            for one in told
        ],
        "seconds": round(time.monotonic() - started, 4),
    }


def _spoken(person: str, said: Utterance) -> dict[str, Any]:
    """An utterance of a person's agent in the form of an item. messages: the one that it answered."""
    answered = (said.answers,) if said.answers else ()
    hit = Hit(
        said.id, "utterance", said.text, 1.0, 0.0, None, 0.0, person, (said.partner,), said.at, said.session, answered,
        told_by=f"{person}'s agent",
    )  # fmt: skip
    return _item(hit, dossier.Behind())


def _item(hit: Hit, behind: dossier.Behind) -> dict[str, Any]:
    return {
        **{key: value for key, value in as_json(hit).items() if key != "score"},
        "about": hit.about,
        "sender": hit.sender,
        "receivers": list(hit.receivers),
        "session": hit.session,
        "at": _when(hit.at),
        "recorded_at": _when(behind.recorded_at),
        "importance": _rounded(behind.importance),
        "uses": behind.uses,
        "superseded_by": behind.superseded_by,
        "links": [{"a": one.a, "b": one.b, "type": one.type, "evidence": one.evidence} for one in behind.links],
        "used": [{"utterance": one.utterance, "partner": one.partner, "at": _when(one.at)} for one in behind.used],
    }


def _when(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(float(score), 4)


# --- for a person ---


def search_text(found: Mapping[str, Any]) -> str:
    """The hits, best first, and whether anything was really found."""
    lines = [f"{hit['score']:.2f}  {_line(hit)}" for hit in found["hits"]] or ["nothing"]
    if found["abstained"] and found["hits"]:
        lines.append("(none of these supports an answer)")
    lines.append(f"{found['searched']:,} messages and memories in {1000 * found['seconds']:.0f} ms, {found['mode']}")
    return "\n".join(lines)


def show_text(shown: Mapping[str, Any]) -> str:
    """The items; of a single one also what stands behind it."""
    items: Sequence[Mapping[str, Any]] = shown["items"]
    lines = [_line(item) for item in items] or [f"nothing of {shown['person']}'s"]
    for item in items if len(items) == 1 else ():
        facts = [
            ("text", item["text"]),
            ("from, to", f"{item['sender']}, {', '.join(item['receivers'])}"),
            ("session", item["session"]),
            ("at", item["at"]),
            ("holds", f"{item['valid_from'] or 'always'} to {item['valid_to'] or 'now'}" if item["about"] else None),
            ("noted at", item["recorded_at"]),
            ("replaced by", item["superseded_by"]),
            ("used", ", ".join(f"{one['utterance']} to {one['partner']}" for one in item["used"])),
            ("links", ", ".join(f"{one['a']} {one['type']} {one['b']}" for one in item["links"])),
        ]
        lines += [f"  {name:<12} {value}" for name, value in facts if value]
    return "\n".join(lines)


def correct_text(corrected: Mapping[str, Any]) -> str:
    """The new memory and what it replaced."""
    new, old = corrected["memory"], corrected["corrected"]
    return f"{_line(new)}\n  in the place of {_line(old)}"


def explain_text(explained: Mapping[str, Any]) -> str:
    """Each candidate with its scores and its fate, or the ledger, one line each."""
    if explained["query"] is None:
        return "\n".join(_told(one) for one in explained["told"]) or f"nobody was told about {explained['person']}"
    lines = []
    for one in explained["candidates"]:
        scores = " ".join(f"{name} {score:.2f}" for name, score in one["scores"].items() if score is not None)
        why = "" if one["why"] == "kept" else f"{one['why']}  "
        lines += [f"{'kept   ' if one['kept'] else 'dropped'}  {_line(one)}", f"         {why}[{scores}]"]
    return "\n".join(lines) or "no candidates"


def _told(one: Mapping[str, Any]) -> str:
    deed = {"tell": "told", "ask": "asked whether to tell", "refuse": "did not tell"}[one["action"]]
    what = one["item"] or "something since erased"
    quoted = f" “{_short(one['text'])}”" if one["text"] else ""
    task = f", for “{_short(one['task'])}”" if one["task"] else ""
    return f"{one['at'][:16]}  {one['teller']} {deed} {one['person']} {what}{quoted} by rule {one['rule'] or '-'}{task}"


def _line(item: Mapping[str, Any]) -> str:
    about = [f"told by {item['told_by']}"]
    if item["messages"] and list(item["messages"]) != [item["id"]]:
        about.append(f"from {', '.join(item['messages'])}")
    if item["audience"] is not None:
        about.append(f"for {', '.join(item['audience']) or 'nobody'} only")
    return f"{item['id']:<6} {item['kind']:<8} {_short(item['text'])}  ({'; '.join(about)})"


def _short(text: str) -> str:
    return shorten(text, WIDTH, placeholder=" …")
