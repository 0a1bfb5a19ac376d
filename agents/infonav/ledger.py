"""InfoNav: the ledger of what an agent knows and does not know about its task (iAgents, section 3.2).

A ledger is frozen data; every transition is a pure function that returns a new ledger and records itself. A value
is never known by assertion: it stands on evidence, and falls when its last evidence is retracted.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from kithnet.agents.disclosure.sensitivity import Sensitivity
from kithnet.agents.wording import agree, normalise
from kithnet.runtime.errors import LedgerError

Status = Literal["unknown", "asked", "known", "contested", "unavailable"]
Basis = Literal["stated", "derived"]
"""Whether a value is told by its evidence, or follows from it."""
Kind = Literal["whole", "event", "events", "tastes", "person", "count", "name", "place", "text"]

LISTS = ("events", "tastes")
"""Kinds whose values are entries of a list."""
MOST_ENTRIES = 300
"""Entries of lists that a ledger holds, unless a setting says otherwise."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a value stands on.

    id: "m12" or "k3" in the agent's own memory, or the id of an utterance it heard. sources: handles of the messages
    at the origin; a handle opens nothing for anyone but the person who holds it. witness: that person.
    hops: how many times the value was passed on (0: own memory). support: how well the evidence fits, in [0, 1].
    sensitivity: as the first who told it judged it; it travels with the value, whose words alone may not show it.
    author, at: who said the words it rests on, by name, and when (ISO 8601), as the witness knows; they travel too.
    """

    id: str
    sources: tuple[str, ...]
    witness: str
    hops: int = 0
    support: float = 1.0
    quote: str = ""
    sensitivity: Sensitivity = "ordinary"
    author: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """One value and all that speaks for it. basis: whether the evidence states it, or it was concluded from it."""

    value: str
    evidence: tuple[Evidence, ...]
    basis: Basis = "stated"

    @property
    def weight(self) -> tuple[float, int, int]:
        """Order of preference: best support to a tenth, then witnesses, then fewest hops.

        Support comes first because one line heard by five people has five witnesses and is still one line.
        """
        witnesses = len({item.witness for item in self.evidence})
        best = round(max(i.support for i in self.evidence), 1)
        return (best, witnesses, -min(i.hops for i in self.evidence))


Found = tuple[str, tuple[Evidence, ...], Basis]
"""A value with what speaks for it."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a rationale's history; `turn` is the turn of the dialogue it happened in."""

    turn: int
    action: str
    detail: str


@dataclass(frozen=True, slots=True)
class Rationale:
    """One thing the task needs. held: its values, the preferred first; more than one means contested. subject: whose it is, as
    a name, "" where that is open. follow: the question that the value completes, {} in the value's place. cut: how many
    entries of a list were left out as beyond the most.

    Of the kinds in LISTS all values hold beside each other: the entries of a calendar, or of what somebody likes.
    """

    id: str
    question: str
    kind: Kind
    status: Status = "unknown"
    held: tuple[Held, ...] = ()
    asked_of: tuple[str, ...] = ()
    declined_by: tuple[str, ...] = ()
    reason: str = ""
    history: tuple[Transition, ...] = ()
    follow: str = ""
    subject: str = ""
    cut: int = 0

    @property
    def listed(self) -> bool:
        """Whether all values hold beside each other, as entries of a list."""
        return self.kind in LISTS

    @property
    def value(self) -> str | None:
        if self.listed and self.held:
            return "; ".join(held.value for held in self.held)
        return self.held[0].value if self.held else None

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        if self.listed:
            return tuple(item for held in self.held for item in held.evidence)
        return self.held[0].evidence if self.held else ()

    def agrees(self, value: str, held: str) -> bool:
        """Whether two values say the same; entries of a calendar only where they are the same."""
        return normalise(value) == normalise(held) if self.listed else agree(value, held)

    @property
    def heard_from(self) -> tuple[str, ...]:
        return tuple(sorted({item.witness for item in self.evidence if item.hops}))

    @property
    def settled(self) -> bool:
        return self.status in ("known", "contested", "unavailable")


@dataclass(frozen=True, slots=True)
class Ledger:
    """The plan of one agent in one dialogue. turn: the dialogue's turn that transitions are recorded under."""

    owner: str
    task: str
    rationales: tuple[Rationale, ...] = ()
    turn: int = 0

    def __getitem__(self, rid: str) -> Rationale:
        for rationale in self.rationales:
            if rationale.id == rid:
                return rationale
        raise LedgerError(f"the ledger of {self.owner} has no rationale {rid!r}")

    def find(self, question: str) -> Rationale | None:
        """The rationale that asks the same question, if any."""
        wanted = question.casefold().strip()
        return next((r for r in self.rationales if r.question.casefold().strip() == wanted), None)

    @property
    def unsettled(self) -> tuple[Rationale, ...]:
        """What steers the next turn; the whole task is left to reasoning once it has parts."""
        return tuple(r for r in self.rationales if not r.settled and not self.is_whole(r))

    def is_whole(self, rationale: Rationale) -> bool:
        return rationale.kind == "whole" and any(other.kind != "whole" for other in self.rationales)


def new_ledger(owner: str, task: str) -> Ledger:
    """A ledger whose rationale r0 is the task itself."""
    return Ledger(owner, task, (Rationale("r0", task, "text", history=(Transition(0, "open", task),)),))


def open_rationale(ledger: Ledger, question: str, kind: Kind = "text", subject: str = "", follow: str = "") -> Ledger:
    """Add an unknown; a question the ledger has already is left as it is. subject, follow: see `Rationale`."""
    if ledger.find(question):
        return ledger
    rationale = Rationale(f"r{len(ledger.rationales)}", question, kind, follow=follow, subject=subject)
    return replace(ledger, rationales=(*ledger.rationales, _record(ledger, rationale, "open", question)))


def restate(ledger: Ledger, rid: str, question: str, kind: Kind, subject: str = "") -> Ledger:
    """Put a rationale in other words, or say what kind of value it wants, while nothing is known of it."""

    def change(rationale: Rationale) -> Rationale:
        if rationale.held:
            raise LedgerError(f"{rid} is known as {rationale.value!r} and cannot be restated")
        return replace(rationale, question=question, kind=kind, subject=subject)

    return _change(ledger, rid, "restate", question, change)


def whole(ledger: Ledger) -> Ledger:
    """Leave the task itself to reasoning over its parts."""
    return replace(ledger, rationales=(replace(ledger["r0"], kind="whole"), *ledger.rationales[1:]))


def ask(ledger: Ledger, rid: str, of: str) -> Ledger:
    """Note that `of` was asked; an unknown becomes asked, a settled rationale keeps its status."""

    def change(rationale: Rationale) -> Rationale:
        status: Status = "asked" if rationale.status == "unknown" else rationale.status
        return replace(rationale, status=status, asked_of=_with(rationale.asked_of, of))

    return _change(ledger, rid, "ask", of, change)


def decline(ledger: Ledger, rid: str, by: str) -> Ledger:
    """Note that `by` had nothing to tell; the rationale stays open for others."""

    def change(rationale: Rationale) -> Rationale:
        status: Status = "unknown" if rationale.status == "asked" else rationale.status
        return replace(rationale, status=status, declined_by=_with(rationale.declined_by, by))

    return _change(ledger, rid, "decline", by, change)


def fill(ledger: Ledger, rid: str, value: str, evidence: tuple[Evidence, ...], basis: Basis = "stated") -> Ledger:
    """Mark a rationale known, or corroborate the value it has.

    A value without evidence, or another value than the one already known, is a `LedgerError` (see `contest`).
    """
    _need(value, evidence)

    def change(rationale: Rationale) -> Rationale:
        if not rationale.held:
            return replace(rationale, status="known", held=(Held(value, evidence, basis),), reason="")
        if not rationale.listed and not any(agree(value, held.value) for held in rationale.held):
            raise LedgerError(f"{rid} is known as {rationale.value!r}: {value!r} contests it")
        return _hold(rationale, value, evidence, basis)

    return _change(ledger, rid, "fill", _said(value, evidence), change)


def contest(ledger: Ledger, rid: str, value: str, evidence: tuple[Evidence, ...], basis: Basis = "stated") -> Ledger:
    """Set another value beside the known one; the better supported is preferred, both stay on record."""
    _need(value, evidence)

    def change(rationale: Rationale) -> Rationale:
        if not rationale.held:
            raise LedgerError(f"{rid} has no value to contest")
        return _hold(rationale, value, evidence, basis)

    return _change(ledger, rid, "contest", _said(value, evidence), change)


def learn(ledger: Ledger, rid: str, value: str, evidence: tuple[Evidence, ...], basis: Basis = "stated") -> Ledger:
    """`fill` where nothing or the same is known, else `contest`; evidence already held changes nothing."""
    rationale = ledger[rid]
    alike = [held for held in rationale.held if not rationale.listed or rationale.agrees(value, held.value)]
    have = {item.id for held in alike for item in held.evidence}
    fresh = tuple(item for item in evidence if item.id not in have)
    if not fresh:
        return ledger
    known_otherwise = not rationale.listed and alike and not any(agree(value, held.value) for held in alike)
    return (contest if known_otherwise else fill)(ledger, rid, value, fresh, basis)


def learn_all(ledger: Ledger, rid: str, found: Iterable[Found], most: int = MOST_ENTRIES) -> Ledger:
    """`learn` many values at once, in time linear in them. most: entries that all lists of the ledger may hold together.

    Of a list the best supported entries stay; how many were left out is the rationale's `cut`.
    """
    rationale = ledger[rid]
    if not rationale.listed:
        for value, evidence, basis in found:
            ledger = learn(ledger, rid, value, evidence, basis)
        return ledger
    values = {normalise(held.value): held.value for held in rationale.held}
    evidence_of = {normalise(held.value): {item.id: item for item in held.evidence} for held in rationale.held}
    before = sum(map(len, evidence_of.values()))
    for value, evidence, _ in found:
        _need(value, evidence)
        key = normalise(value)
        values.setdefault(key, value)
        for item in evidence:
            evidence_of.setdefault(key, {}).setdefault(item.id, item)
    fresh = sum(map(len, evidence_of.values())) - before
    if not fresh:
        return ledger
    held = sorted((Held(values[k], tuple(e.values())) for k, e in evidence_of.items()), key=_weight, reverse=True)
    room = max(0, most - sum(len(other.held) for other in ledger.rationales if other.id != rid and other.listed))
    cut = rationale.cut + len(held[room:])

    def change(rationale: Rationale) -> Rationale:
        return _restated(replace(rationale, held=tuple(held[:room]), cut=cut))

    return _change(ledger, rid, "fill", f"{len(held[:room])} entries on {fresh} more pieces of evidence", change)


def _weight(held: Held) -> tuple[float, int, int]:
    return held.weight


def retract(ledger: Ledger, evidence_id: str) -> Ledger:
    """Take one piece of evidence back everywhere; a value that loses its last evidence is unknown again."""

    def without(rationale: Rationale) -> Rationale:
        kept = (replace(h, evidence=tuple(e for e in h.evidence if e.id != evidence_id)) for h in rationale.held)
        held = sorted((h for h in kept if h.evidence), key=lambda one: one.weight, reverse=True)
        return _restated(replace(rationale, held=tuple(held)))

    for rationale in ledger.rationales:
        if any(item.id == evidence_id for held in rationale.held for item in held.evidence):
            ledger = _change(ledger, rationale.id, "retract", evidence_id, without)
    return ledger


def unavailable(ledger: Ledger, rid: str, reason: str) -> Ledger:
    """Close a rationale that nobody in reach can or may fill; what is known stays known."""

    def change(rationale: Rationale) -> Rationale:
        if rationale.held:
            raise LedgerError(f"{rid} is known as {rationale.value!r} and cannot be unavailable")
        return replace(rationale, status="unavailable", reason=reason)

    return _change(ledger, rid, "unavailable", reason, change)


def to_json(ledger: Ledger) -> dict[str, Any]:
    """The ledger as plain JSON data; `from_json` gives the same ledger back."""
    data: dict[str, Any] = _ADAPTER.dump_python(ledger, mode="json")
    return data


def from_json(data: object) -> Ledger:
    """Read a ledger back; anything else than what `to_json` wrote is a `LedgerError`."""
    try:
        return _ADAPTER.validate_python(data)
    except ValidationError as wrong:
        raise LedgerError(
            f"not a ledger: {wrong.error_count()} fields are wrong ({wrong.errors()[0]['loc']})"
        ) from wrong


_ADAPTER: TypeAdapter[Ledger] = TypeAdapter(Ledger)


def _need(value: str, evidence: tuple[Evidence, ...]) -> None:
    if not evidence:
        raise LedgerError(f"{value!r} has no evidence: nothing is known by assertion")
    if not value.strip():
        raise LedgerError("an empty value cannot be known")


def _said(value: str, evidence: tuple[Evidence, ...]) -> str:
    return f"{value} [{', '.join(item.id for item in evidence)}]"


def _with(people: tuple[str, ...], person: str) -> tuple[str, ...]:
    return people if person in people else (*people, person)


def _hold(rationale: Rationale, value: str, evidence: tuple[Evidence, ...], basis: Basis) -> Rationale:
    held = list(rationale.held)
    for at, one in enumerate(held):
        if rationale.agrees(value, one.value):
            have = {item.id for item in one.evidence}
            held[at] = replace(one, evidence=(*one.evidence, *(e for e in evidence if e.id not in have)))
            break
    else:
        held.append(Held(value, evidence, basis))
    held.sort(key=lambda one: one.weight, reverse=True)
    return _restated(replace(rationale, held=tuple(held)))


def _restated(rationale: Rationale) -> Rationale:
    count = len(rationale.held)
    status: Status = "contested" if count > 1 and not rationale.listed else "known" if count else "unknown"
    return replace(rationale, status=status, reason="")


def _record(ledger: Ledger, rationale: Rationale, action: str, detail: str) -> Rationale:
    return replace(rationale, history=(*rationale.history, Transition(ledger.turn, action, detail)))


def _change(ledger: Ledger, rid: str, action: str, detail: str, change: Callable[[Rationale], Rationale]) -> Ledger:
    new = _record(ledger, change(ledger[rid]), action, detail)
    return replace(ledger, rationales=tuple(new if r.id == rid else r for r in ledger.rationales))
