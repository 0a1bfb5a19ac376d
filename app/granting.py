"""`kith grants`: what a person has allowed to be told, as it is typed, as JSON and as text."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kithnet.agents.wording import content_words
from kithnet.app.locate import Place
from kithnet.app.memory_view import moment
from kithnet.memory import people
from kithnet.memory.grants import Grant, Term, now
from kithnet.memory.store import Store
from kithnet.runtime.errors import InputError

TIE = "tie:"


@dataclass(frozen=True, slots=True)
class Wished:
    """A grant as it was typed. to: a name, or "tie:KIND"; of once, always and until exactly one is to be given."""

    to: str
    once: bool = False
    always: bool = False
    until: str | None = None
    item: str | None = None
    topic: str = ""
    purpose: str = ""

    def term(self) -> tuple[Term, datetime | None]:
        """How long it holds; a time in UTC. Raises InputError."""
        named = [term for term, said in (("once", self.once), ("always", self.always), ("until", self.until)) if said]
        if len(named) != 1:
            raise InputError(
                "a grant holds once, always or until a time", "give one of --once, --always, --until 2024-05-31"
            )
        if self.until is None:
            return ("once" if self.once else "always"), None
        at = moment(self.until)
        assert at is not None, "a text is a time or an error"
        return "until", at.astimezone(UTC).replace(tzinfo=None)


def listed(place: Place, person: str) -> dict[str, Any]:
    """All grants of a person, oldest first. Raises UnknownPerson."""
    with Store.open(place.folder / "kith.db") as store:
        memory = store.owner(people.resolve(store.people(outside=True), person).id)
        return {"person": memory.owner, "grants": [as_json(grant) for grant in memory.grants.every()]}


def give(place: Place, person: str, wished: Wished) -> dict[str, Any]:
    """Allow it. Raises UnknownPerson, InputError."""
    term, until = wished.term()
    with Store.open(place.folder / "kith.db") as store:
        everybody = store.people(outside=True)
        memory = store.owner(people.resolve(everybody, person).id)
        to: dict[str, str] = {}
        if wished.to.startswith(TIE):
            to["tie"] = _kind(store, memory.owner, wished.to.removeprefix(TIE))
        else:
            to["person"] = people.resolve(everybody, wished.to).id
        _say_something(wished)
        grant = memory.grants.give(
            **to, term=term, until=until, item=wished.item, topic=wished.topic, purpose=wished.purpose
        )
    return {"person": memory.owner, "grant": as_json(grant)}


def revoke(place: Place, person: str, grant: str) -> dict[str, Any]:
    """Take a grant back with all that came of it. Raises UnknownPerson, InputError."""
    with Store.open(place.folder / "kith.db") as store:
        memory = store.owner(people.resolve(store.people(outside=True), person).id)
        done = memory.grants.revoke(grant)
    closed = [{"person": one, "memories": count} for one, count in done.closed.items()]
    return {"person": memory.owner, "grant": as_json(done.grant), "closed": closed}


def _kind(store: Store, owner: str, kind: str) -> str:
    kinds = sorted({tie.kind for tie in store.ties() if owner in (tie.a, tie.b) and tie.kind})
    if kind not in kinds:
        hint = f"there are: {', '.join(kinds)}" if kinds else "the ties of this person have no kinds; name somebody"
        raise InputError(f"{owner} has no tie of kind {kind!r}", hint)
    return kind


def _say_something(wished: Wished) -> None:
    """Words that hold no content word would open nothing."""
    for name, words in (("topic", wished.topic), ("purpose", wished.purpose)):
        if words and not content_words(words):
            raise InputError(f"--{name} {words!r} names nothing", "use words that the message or the question holds")


def as_json(grant: Grant) -> dict[str, Any]:
    """A grant as the contract says (docs/json.md). state: open, used, over or revoked."""
    return {
        "id": grant.id,
        "to": f"{TIE}{grant.tie}" if grant.person is None else grant.person,
        "term": grant.term,
        "until": _when(grant.until),
        "item": grant.item,
        "topic": grant.topic,
        "purpose": grant.purpose,
        "given_at": _when(grant.given_at),
        "revoked_at": _when(grant.revoked_at),
        "uses": grant.uses,
        "state": _state(grant),
    }


def _state(grant: Grant) -> str:
    if grant.open_at(now()):
        return "open"
    if grant.revoked_at is not None:
        return "revoked"
    return "used" if grant.term == "once" else "over"


def _when(at: datetime | None) -> str | None:
    return f"{at.isoformat(timespec='seconds')}Z" if at else None


# --- for a person ---


def list_text(found: Mapping[str, Any]) -> str:
    """One grant a line."""
    return "\n".join(line(grant) for grant in found["grants"]) or f"{found['person']} has given no grants"


def revoke_text(done: Mapping[str, Any]) -> str:
    """The grant, and what no longer holds because of it."""
    closed = ", ".join(f"{one['memories']} of {one['person']}" for one in done["closed"])
    return f"{line(done['grant'])}\nmemories that came of it and are closed: {closed or 'none'}"


def line(grant: Mapping[str, Any]) -> str:
    """A grant in words."""
    what = grant["item"] or "anything"
    about = f" about “{grant['topic']}”" if grant["topic"] else ""
    purpose = f", for “{grant['purpose']}”" if grant["purpose"] else ""
    term = f"until {grant['until']}" if grant["until"] else grant["term"]
    used = f", used {grant['uses']} times" if grant["uses"] != 1 else ", used once"
    return f"{grant['id']:<4} {grant['state']:<8} {grant['to']} may hear {what}{about}{purpose}, {term}{used}"
