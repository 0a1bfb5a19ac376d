"""Consensus: what two ledgers support together, merged by code (AGENTS: deterministic merge, conflicts listed)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kithnet.agents.infonav.ledger import Evidence, Held, Ledger, Rationale
from kithnet.agents.wording import agree, normalise

UNKNOWN = "I could not find this out: nobody in reach knew or could share it."


@dataclass(frozen=True, slots=True)
class Agreed:
    """One rationale as both sides see it at the end.

    value: the preferred value, None when unknown. both: whether both ledgers hold it. rivals: other values that
    were claimed, with their evidence; they are reported, never merged away. entries: of a calendar, each with its own
    evidence.
    """

    question: str
    kind: str
    value: str | None
    evidence: tuple[Evidence, ...]
    both: bool
    rivals: tuple[Held, ...]
    reason: str
    entries: tuple[Held, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Message handles the value rests on, without repeats."""
        return tuple(dict.fromkeys(source for item in self.evidence for source in item.sources))


def merge(instructor: Ledger, assistant: Ledger, said: Mapping[str, Sequence[Held]]) -> tuple[Agreed, ...]:
    """Merge rationale by rationale, in the instructor's order.

    said: question -> what the assistant spoke. Of its ledger only that takes part, with the utterances as evidence: a
    value it knew and would not tell does not reach the answer through the back door.
    """
    pairs = ((r, assistant.find(r.question)) for r in instructor.rationales if not instructor.is_whole(r))
    return tuple(
        _agreed(one, replace(other, held=tuple(said.get(one.question, ()))) if other else None) for one, other in pairs
    )


def plain(agreed: Sequence[Agreed]) -> str:
    """The agreed values as they are, one line a question where there are several."""
    if len(agreed) == 1:
        return agreed[0].value or UNKNOWN
    return "\n".join(f"{one.question} {one.value or 'not found: ' + one.reason}" for one in agreed)


def resting(
    ids: Iterable[str], ledger: Ledger, agreed: Sequence[Agreed], results: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    """Handles of the messages that rationales ("r0") and results of tools ("t1") rest on, without repeats."""
    questions = {r.id: r.question for r in ledger.rationales}
    known = {one.question: one.sources for one in agreed}
    sources: list[str] = []
    for rid in ids:
        sources += known.get(questions.get(rid, ""), ()) or results.get(rid, {}).get("sources", ())
    return tuple(dict.fromkeys(sources))


def _agreed(one: Rationale, other: Rationale | None) -> Agreed:
    if one.listed:
        return _collected(one, other)
    held = pool([*one.held, *(other.held if other else ())])
    best = held[0] if held else None
    sides = [r for r in (one, other) if r is not None]
    both = len(sides) == 2 and best is not None and all(_holds(side, best.value) for side in sides)
    reason = "" if best else one.reason or "nobody in reach knew"  # why the other gave up is its own
    evidence = best.evidence if best else ()
    return Agreed(one.question, one.kind, best.value if best else None, evidence, both, tuple(held[1:]), reason)


def _collected(one: Rationale, other: Rationale | None) -> Agreed:
    """The entries of a list that either side holds, each once."""
    joined: dict[str, Held] = {}
    for held in (*one.held, *(other.held if other else ())):
        key = normalise(held.value)
        have = joined[key].evidence if key in joined else ()
        joined[key] = Held(held.value, tuple(dict.fromkeys((*have, *held.evidence))))
    entries = sorted(joined.values(), key=lambda held: held.value)
    evidence = tuple(item for held in entries for item in held.evidence)
    value = "; ".join(held.value for held in entries) or None
    reason = "" if value else one.reason or "nobody in reach knew"
    return Agreed(one.question, one.kind, value, evidence, bool(other and other.held), (), reason, tuple(entries))


def pool(held: Iterable[Held]) -> list[Held]:
    """Join values that agree and add their evidence up; the best supported comes first, ties by wording."""
    joined: list[Held] = []
    for one in sorted(held, key=lambda h: (h.weight, h.value), reverse=True):
        for at, group in enumerate(joined):
            if agree(one.value, group.value):
                have = {item.id for item in group.evidence}
                fresh = tuple(item for item in one.evidence if item.id not in have)
                joined[at] = replace(group, evidence=(*group.evidence, *fresh))
                break
        else:
            joined.append(one)
    return sorted(joined, key=lambda h: (h.weight, h.value), reverse=True)


def _holds(rationale: Rationale, value: str) -> bool:
    return any(agree(value, held.value) for held in rationale.held)
