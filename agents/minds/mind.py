"""The `Mind` seam: given a view of a dialogue, a mind makes one move. Code does everything else, whoever thinks.

A view is frozen and holds what one agent may see: nothing that its partner may not be told is in it. A move notes what
follows for the ledger and names exactly one act. Moves are plain data: they enter checkpoints and recordings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Protocol

from pydantic import Discriminator, TypeAdapter

from kithnet.agents.dialogue.utterance import Utterance
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.consensus import Agreed
from kithnet.agents.infonav.ledger import Basis, Kind, Ledger

Role = Literal["instructor", "assistant", "chat"]
"""In a task the side one takes; "chat": the partner is a human being, the owner or another, who writes to the agent."""


@dataclass(frozen=True, slots=True)
class Cite:
    """A piece of evidence as a mind cites it. id: of a message, a memory, an utterance or a tool's result.

    quote: the words it was read from; "" for all of it. support: how well it fits, in [0, 1]; None where the mind does not say.
    also: ids of further messages at its origin.
    """

    id: str
    quote: str = ""
    support: float | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """What a mind wants changed in its ledger.

    do: "add" a rationale (question; kind and subject where they are known; part: the task is left to reasoning over its parts;
    follow: see `Rationale`), "restate" one that has no value yet, "fill" or "contest" it with a value on evidence, "give_up"
    (why). rationale: its id. confidential: the mind judges that what it rests on was told in confidence; the stricter holds.
    In a chat of the owner's: "remember" what the owner tells (value), or "correct" a memory by it (rationale: the memory's id).
    """

    do: Literal["add", "restate", "fill", "contest", "give_up", "remember", "correct"]
    rationale: str = ""
    question: str = ""
    kind: Kind | None = None
    subject: str = ""
    follow: str = ""
    part: bool = False
    value: str = ""
    basis: Basis = "stated"
    cites: tuple[Cite, ...] = ()
    why: str = ""
    confidential: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One search of the owner's own memory. text: words, or a phrase in double quotes, which must stand as it is.

    about, sent_by, with_whom: people by name or id, "" for anybody. since, until: days as 2019-03-05, "" for no bound.
    """

    text: str
    about: str = ""
    sent_by: str = ""
    with_whom: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    queries: tuple[Query, ...]
    do: Literal["search"] = "search"


@dataclass(frozen=True, slots=True)
class Open:
    """Read on around a message that was shown."""

    message: str
    do: Literal["open"] = "open"


@dataclass(frozen=True, slots=True)
class AskContact:
    """Put a question to somebody of the owner's ego network. rationale: what its answer fills, "" for none. why: for the trace."""

    person: str
    question: str
    rationale: str = ""
    why: str = "chosen"
    score: float = 0.0
    do: Literal["ask_contact"] = "ask_contact"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a tool computes over. start, end: clock times ("9:30") or days; number: a quantity. evidence: ids."""

    label: str
    start: str = ""
    end: str = ""
    number: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UseTool:
    """Compute by code. items: what it computes over. rationales: ids whose entries are taken too. window: "9:00-18:00"."""

    tool: str
    items: tuple[Part, ...] = ()
    rationales: tuple[str, ...] = ()
    window: str = ""
    do: Literal["use_tool"] = "use_tool"


@dataclass(frozen=True, slots=True)
class AskBack:
    """A short question to the one who gave the task, once: "which event?"."""

    question: str
    do: Literal["ask_back"] = "ask_back"


@dataclass(frozen=True, slots=True)
class Speak:
    """The utterance that ends the turn. text: "" for a template's wording. tells: ids of rationales whose values are told.

    asks: ids of rationales, or new questions. declines: ids of rationales the speaker has nothing to tell on. In a chat `tells`
    are the ids of any evidence that the text rests on.
    """

    text: str = ""
    tells: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    declines: tuple[str, ...] = ()
    do: Literal["speak"] = "speak"


@dataclass(frozen=True, slots=True)
class Conclude:
    """The instructor's answer of the task, which ends the dialogue. rests_on: ids of rationales, or of tools' results."""

    text: str
    basis: Literal["stated", "derived", "unknown"] = "stated"
    rests_on: tuple[str, ...] = ()
    do: Literal["conclude"] = "conclude"


@dataclass(frozen=True, slots=True)
class Stop:
    """A limit was met while thinking; the dialogue ends with what is known. why: which."""

    why: str
    do: Literal["stop"] = "stop"


Act = Annotated[Search | Open | AskContact | UseTool | AskBack | Speak | Conclude | Stop, Discriminator("do")]


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a mind: notes for the ledger, then exactly one act.

    raw: the reply as the model wrote it, which its next prompt repeats byte for byte. read: messages of the owner's own that a
    mind without a model read by itself. searched: messages it ran over. kept: what the mind wants to see again in this dialogue.
    near: by question, how near to an answer what it read came. mind: who made it.
    """

    act: Act
    notes: tuple[Note, ...] = ()
    raw: str = ""
    read: tuple[str, ...] = ()
    searched: int = 0
    kept: Mapping[str, Any] | None = None
    near: Mapping[str, float] = field(default_factory=dict)
    mind: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an agent's log of a dialogue: what it was shown ("user") or said itself ("assistant"). It only grows.

    brief: what stands in its place when the context is full.
    """

    role: Literal["user", "assistant"]
    text: str
    brief: str = ""


@dataclass(frozen=True, slots=True)
class Reachable:
    """Somebody of the ego network. messages: exchanged with the owner. last: the day of the last one, "" where unknown."""

    person: str
    name: str
    messages: int
    last: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """All that one agent sees when it has to move.

    person, partner: ids; owner, partner_name: how they are called. pending: questions put to it and not answered. told: what it
    told already. heard: the partner's last utterance. turn: utterances said so far; turns_left: of this dialogue. step: moves
    made in this turn; steps_left: that are left, the last of which speaks. depth, budget: how far and how often it may still
    consult; visited: by question, who was asked; near: by question, how near it came alone, or whoever
    consults it (see `finding.near`); kept_from: to whom it may not be put. today: the last day that the owner's memory
    knows of. kept: what the mind asked to see again. briefed: the mind's memory was read already; it only has to ask.
    """

    dialogue: str
    person: str
    owner: str
    persona: str
    partner: str
    partner_name: str
    role: Role
    top: bool
    task: str
    ledger: Ledger
    log: tuple[Entry, ...]
    contacts: tuple[Reachable, ...]
    tools: tuple[str, ...]
    turn: int
    turns_left: int
    steps_left: int
    step: int
    pending: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    heard: Utterance | None = None
    depth: int = 0
    budget: int = 0
    visited: Mapping[str, Sequence[str]] = field(default_factory=dict)
    near: Mapping[str, float] = field(default_factory=dict)
    kept_from: Mapping[str, Sequence[str]] = field(default_factory=dict)
    today: str = ""
    kept: Mapping[str, Any] = field(default_factory=dict)
    briefed: bool = False
    may_ask_back: bool = False


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The answer of a task. rests_on: ids of the instructor's rationales, or message handles where a tool computed it.

    basis: "stated", "derived" or "unknown". by: "model", "code" or "tool". raw: as in `Move`.
    """

    text: str
    citations: tuple[str, ...]
    basis: Literal["stated", "derived", "unknown"]
    by: str
    raw: str = ""


class Mind(Protocol):
    """Who thinks for an agent. Implementations hold no state: what they know of a dialogue is in the view."""

    @property
    def name(self) -> str:
        """ "model", "reader", ... as it is told with an answer."""

    @property
    def wants_brief(self) -> bool:
        """Whether code recalls for each new question before the mind is asked; a mind that recalls by itself says no."""

    async def move(self, view: View) -> Move:
        """The next move. Raises MoveInvalid for a reply that is none, LimitExceeded, ContextOverflow, ModelUnavailable."""

    async def conclude(self, view: View, agreed: Sequence[Agreed]) -> Conclusion:
        """The answer from what both ledgers support. Raises like `move`."""


def noted(ledger: Ledger, note: Note) -> Ledger:
    """The ledger after a note that needs no evidence: add, restate, give_up."""
    if note.do == "add":
        ledger = infonav.open_rationale(ledger, note.question, note.kind or "text", note.subject, note.follow)
        return infonav.whole(ledger) if note.part else ledger
    if note.do == "restate":
        return infonav.restate(ledger, note.rationale, note.question, note.kind or "text", note.subject)
    return infonav.unavailable(ledger, note.rationale, note.why)


_MOVES: TypeAdapter[Move] = TypeAdapter(Move)


def to_json(move: Move) -> dict[str, Any]:
    """A move as plain JSON data; `from_json` gives the same move back."""
    data: dict[str, Any] = _MOVES.dump_python(move, mode="json")
    return data


def from_json(data: object) -> Move:
    """Read a move back. Raises pydantic's ValidationError for anything that `to_json` did not write."""
    return _MOVES.validate_python(data)
