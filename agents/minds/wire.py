"""Moves on the wire: the JSON schema that a model's reply must match, and the move that a reply means."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, ValidationError

from kithnet.agents.infonav.ledger import Basis
from kithnet.agents.minds import mind
from kithnet.agents.minds.mind import Cite, Move, Note, View
from kithnet.runtime.errors import ReplyInvalid
from kithnet.runtime.fencing import unfenced

MOST_NOTES, MOST_QUERIES, MOST_ITEMS = 12, 3, 48
LONGEST_TEXT = 1200


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class _Add(_Wire):
    do: Literal["add"]
    question: str


class _Fill(_Wire):
    do: Literal["fill", "contest"]
    id: str
    value: str
    evidence: list[str]
    basis: Basis = "stated"
    confidential: bool = False


class _GiveUp(_Wire):
    do: Literal["give_up"]
    id: str
    why: str = ""


class _Remember(_Wire):
    do: Literal["remember"]
    text: str


class _Correct(_Wire):
    do: Literal["correct"]
    id: str
    text: str


class _Query(_Wire):
    text: str
    about: str = ""
    sent_by: str = Field("", alias="from")
    with_whom: str = Field("", alias="with")
    since: str = ""
    until: str = ""


class _Search(_Wire):
    do: Literal["search"]
    queries: list[_Query]


class _Open(_Wire):
    do: Literal["open"]
    message: str


class _AskContact(_Wire):
    do: Literal["ask_contact"]
    person: str
    question: str
    id: str = ""


class _Item(_Wire):
    label: str
    start: str = ""
    end: str = ""
    number: str = ""
    evidence: list[str] = []


class _UseTool(_Wire):
    do: Literal["use_tool"]
    tool: str
    items: list[_Item] = []
    ids: list[str] = []
    window: str = ""


class _AskBack(_Wire):
    do: Literal["ask_back"]
    question: str


class _Speak(_Wire):
    do: Literal["speak"]
    text: str
    tells: list[str] = []
    asks: list[str] = []
    evidence: list[str] = []


class _Conclude(_Wire):
    do: Literal["conclude"]
    answer: str
    basis: Literal["stated", "derived", "unknown"]
    rests_on: list[str] = []


_AnyNote = Annotated[_Add | _Fill | _GiveUp | _Remember | _Correct, Discriminator("do")]
_AnyAct = Annotated[_Search | _Open | _AskContact | _UseTool | _AskBack | _Speak | _Conclude, Discriminator("do")]


class _Reply(_Wire):
    notes: list[_AnyNote] = []
    act: _AnyAct


def parse(text: str, view: View) -> Move:
    """The move that a reply means. Raises ReplyInvalid, saying where it is wrong."""
    try:
        reply = _Reply.model_validate_json(unfenced(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(map(str, first["loc"])) or "the top"
        raise ReplyInvalid(f"the move is wrong at {where}: {first['msg']}", "keep to the form of a move") from error
    notes = tuple(_note(note) for note in reply.notes[:MOST_NOTES])
    return Move(_act(reply.act, view), notes, raw=text, mind="model")


def _note(note: _Add | _Fill | _GiveUp | _Remember | _Correct) -> Note:
    if isinstance(note, _Add):
        return Note("add", question=note.question.strip())
    if isinstance(note, _GiveUp):
        return Note("give_up", note.id, why=note.why)
    if isinstance(note, _Remember | _Correct):
        return Note(note.do, note.id if isinstance(note, _Correct) else "", value=note.text.strip())
    cites = tuple(Cite(one.strip()) for one in dict.fromkeys(note.evidence))
    return Note(
        note.do, note.id, value=note.value.strip(), basis=note.basis, cites=cites, confidential=note.confidential
    )


def _act(act: Any, view: View) -> mind.Act:
    if isinstance(act, _Search):
        queries = [mind.Query(q.text, q.about, q.sent_by, q.with_whom, q.since, q.until) for q in act.queries]
        return mind.Search(tuple(queries[:MOST_QUERIES]))
    if isinstance(act, _Open):
        return mind.Open(act.message)
    if isinstance(act, _AskContact):
        return mind.AskContact(act.person, act.question.strip(), act.id)
    if isinstance(act, _UseTool):
        items = [mind.Part(i.label, i.start, i.end, i.number, tuple(i.evidence)) for i in act.items[:MOST_ITEMS]]
        return mind.UseTool(act.tool, tuple(items), tuple(act.ids), act.window)
    if isinstance(act, _AskBack):
        return mind.AskBack(act.question.strip())
    if isinstance(act, _Conclude):
        return mind.Conclude(act.answer.strip(), act.basis, tuple(act.rests_on))
    if view.role == "chat":
        return mind.Speak(act.text.strip()[:LONGEST_TEXT], tuple(dict.fromkeys(act.evidence)))
    return mind.Speak(act.text.strip()[:LONGEST_TEXT], tuple(act.tells), tuple(act.asks), _declined(act, view))


def _declined(act: _Speak, view: View) -> tuple[str, ...]:
    """Who speaks and asks nothing has nothing more to tell on what was asked."""
    if act.asks:
        return ()
    waiting = [r.id for r in view.ledger.rationales if r.question in view.pending]
    return tuple(rid for rid in waiting if rid not in act.tells)


# --- the schema ---

_TEXT: Mapping[str, Any] = {"type": "string"}
_IDS: Mapping[str, Any] = {"type": "array", "items": {"type": "string", "maxLength": 60}, "maxItems": 24}


def _object(properties: Mapping[str, Any], optional: Sequence[str] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required, "additionalProperties": False}


def _do(*names: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(names)}


def _string(longest: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": longest}


_NOTES: Mapping[str, Any] = {
    "type": "array",
    "maxItems": MOST_NOTES,
    "items": {
        "anyOf": [
            _object({"do": _do("add"), "question": _string(200)}),
            _object(
                {
                    "do": _do("fill", "contest"), "id": _string(12), "value": _string(LONGEST_TEXT), "evidence": _IDS,
                    "basis": _do("stated", "derived"), "confidential": {"type": "boolean"},
                },
                ("confidential",),
            ),
            _object({"do": _do("give_up"), "id": _string(12), "why": _string(120)}),
        ]
    },
}  # fmt: skip
_CHAT_NOTES: Mapping[str, Any] = {
    "type": "array",
    "maxItems": MOST_NOTES,
    "items": {
        "anyOf": [
            _object({"do": _do("remember"), "text": _string(LONGEST_TEXT)}),
            _object({"do": _do("correct"), "id": _string(12), "text": _string(LONGEST_TEXT)}),
        ]
    },
}
_QUERY = _object(
    {name: _string(160) for name in ("text", "about", "from", "with", "since", "until")},
    ("about", "from", "with", "since", "until"),
)
_ITEM = _object(
    {**{name: _string(80) for name in ("label", "start", "end", "number")}, "evidence": _IDS},
    ("start", "end", "number", "evidence"),
)
_ACTS: Mapping[str, dict[str, Any]] = {
    "search": _object(
        {"do": _do("search"), "queries": {"type": "array", "minItems": 1, "maxItems": MOST_QUERIES, "items": _QUERY}}
    ),
    "open": _object({"do": _do("open"), "message": _string(60)}),
    "ask_contact": _object(
        {"do": _do("ask_contact"), "person": _string(80), "question": _string(200), "id": _string(12)}, ("id",)
    ),
    "use_tool": _object(
        {
            "do": _do("use_tool"), "tool": _string(40), "ids": _IDS,
            "items": {"type": "array", "maxItems": MOST_ITEMS, "items": _ITEM}, "window": _string(20),
        },
        ("ids", "items", "window"),
    ),
    "ask_back": _object({"do": _do("ask_back"), "question": _string(160)}),
    "speak": _object(
        {"do": _do("speak"), "text": _string(LONGEST_TEXT), "tells": _IDS,
         "asks": {"type": "array", "items": _string(200), "maxItems": 8}},
        ("tells", "asks"),
    ),
    "conclude": _object(
        {"do": _do("conclude"), "answer": _string(LONGEST_TEXT), "basis": _do("stated", "derived", "unknown"),
         "rests_on": _IDS}
    ),
}  # fmt: skip
_REPLY = _object({"do": _do("speak"), "text": _string(LONGEST_TEXT), "evidence": _IDS}, ("evidence",))


def acts_of(view: View) -> tuple[str, ...]:
    """The acts that are open to a mind at this move."""
    concluding = ("conclude",) if view.top and view.role == "instructor" else ()
    if view.steps_left <= 1:
        return ("speak", *concluding)
    asking = ("ask_contact",) if view.depth > 0 and view.budget > 0 and view.contacts else ()
    tools = ("use_tool",) if view.tools else ()
    back = ("ask_back",) if view.may_ask_back and view.role != "chat" else ()
    return ("search", "open", *asking, *tools, *back, "speak", *concluding)


def schema(acts: Sequence[str], role: str = "instructor") -> dict[str, Any]:
    """The schema of a reply that may do one of these acts."""
    known = {**_ACTS, "speak": _REPLY} if role == "chat" else _ACTS
    return _object(
        {"notes": _CHAT_NOTES if role == "chat" else _NOTES, "act": {"anyOf": [known[name] for name in acts]}}
    )
