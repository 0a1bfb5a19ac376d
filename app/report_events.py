"""The trace of a run as typed events: what a report is told from. Kinds it does not know are left out."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from kithnet.agents.dialogue.utterance import Claim
from kithnet.agents.infonav.ledger import Evidence, Rationale
from kithnet.runtime.errors import StorageError


class _Event(BaseModel):
    """seq: order in the trace. t: seconds since the process that wrote it began. at: wall time, UTC."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)
    seq: int
    t: float = 0.0
    at: str = ""


class Cost(BaseModel):
    """What model calls cost: prompt tokens sent and evaluated, tokens generated, seconds in the model, calls."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    sent: int = 0
    evaluated: int = 0
    generated: int = 0
    seconds: float = 0.0
    calls: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            sent=self.sent + other.sent,
            evaluated=self.evaluated + other.evaluated,
            generated=self.generated + other.generated,
            seconds=self.seconds + other.seconds,
            calls=self.calls + other.calls,
        )


class RunBegan(_Event):
    """A process took the run up; a run that was killed and resumed has several. people, ties, messages: counts."""

    kind: Literal["run"]
    run: str = ""
    command: str = ""
    world: str = ""
    people: int = 0
    ties: int = 0
    messages: int = 0
    model: str = ""
    seed: int | None = None
    tasks: int = 0


class RunDone(_Event):
    """seconds and usage of the process that finished, not of the ones before it."""

    kind: Literal["run_done"]
    seconds: float = 0.0
    usage: Cost = Cost()


class TaskBegan(_Event):
    """gold: accepted answers; gold_evidence: ids of the messages that state it. Empty where nobody knows beforehand."""

    kind: Literal["task"]
    task: str
    question: str
    instructor: str
    assistant: str
    task_kind: str = ""
    gold: tuple[str, ...] = ()
    gold_evidence: tuple[str, ...] = ()

    @field_validator("gold", mode="before")
    @classmethod
    def _several(cls, gold: object) -> object:
        """One answer may be told as it is."""
        return () if gold is None else (gold,) if isinstance(gold, str) else gold


class TaskDone(_Event):
    kind: Literal["task_done"]
    task: str
    status: str = "done"
    error: str | None = None
    answer: str | None = None
    citations: tuple[str, ...] = ()
    known: bool | None = None
    correct: bool | None = None
    cites_gold: bool | None = None
    turns: int = 0
    utterances: int = 0
    consulted: tuple[str, ...] = ()
    stopped_because: str = ""
    seconds: float = 0.0
    searched: int = 0
    usage: Cost = Cost()


class DialogueBegan(_Event):
    kind: Literal["dialogue"]
    dialogue: str
    task: str = ""
    pair: tuple[str, str]
    top: bool = True


class Planned(_Event):
    kind: Literal["plan"]
    dialogue: str
    person: str
    questions: tuple[str, ...] = ()


class Recalled(_Event):
    """hits: ids of memories and how well they fit, best first. searched: messages looked through."""

    kind: Literal["recall"]
    dialogue: str
    person: str
    question: str
    hint: str = ""
    hits: tuple[tuple[str, float], ...] = ()
    searched: int = 0
    mode: str = ""
    seconds: float = 0.0


class Found(_Event):
    kind: Literal["found"]
    dialogue: str
    person: str
    question: str
    value: str
    evidence: str
    support: float | None = None


class Consulted(_Event):
    kind: Literal["consult"]
    dialogue: str
    person: str
    asks: str
    question: str
    reason: str = ""
    score: float | None = None
    depth: int = 0


class Said(_Event):
    """One utterance. id: "u:DIALOGUE:TURN"."""

    kind: Literal["utterance"]
    dialogue: str
    id: str
    turn: int
    sender: str
    receiver: str
    text: str
    claims: tuple[Claim, ...] = ()
    asks: tuple[str, ...] = ()
    declined: tuple[str, ...] = ()


class Disclosed(_Event):
    """A decision on telling `messages` to someone. action: what the rule said. told: the outcome."""

    kind: Literal["disclosure"]
    dialogue: str
    sender: str = Field(alias="from")
    receiver: str = Field(alias="to")
    messages: tuple[str, ...] = ()
    rule: str = ""
    action: str = ""
    told: bool
    sensitivity: str = ""
    utterance: str = ""


class Withheld(_Event):
    kind: Literal["withheld"]
    dialogue: str
    person: str
    utterance: str = ""


class LimitReached(_Event):
    kind: Literal["limit"]
    dialogue: str
    why: str = ""


class ModelFailed(_Event):
    kind: Literal["model_failed"]
    dialogue: str
    person: str = ""
    purpose: str = ""
    why: str = ""


class Agreement(BaseModel):
    """One rationale as both sides saw it at the end (agents.consensus.Agreed)."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    question: str
    value: str | None = None
    evidence: tuple[Evidence, ...] = ()
    both: bool = False
    reason: str = ""


class Answered(_Event):
    kind: Literal["answer"]
    dialogue: str
    stopped_because: str = ""
    turns: int = 0
    answer: str = ""
    citations: tuple[str, ...] = ()
    known: bool = False
    worded_by: str = ""
    agreed: tuple[Agreement, ...] = ()


class Ledgers(_Event):
    kind: Literal["ledgers"]
    dialogue: str
    instructor: tuple[Rationale, ...] = ()
    assistant: tuple[Rationale, ...] = ()


DialogueEvent = (
    DialogueBegan | Planned | Recalled | Found | Consulted | Said | Disclosed | Withheld | LimitReached | ModelFailed
    | Answered | Ledgers
)  # fmt: skip
Event = RunBegan | RunDone | TaskBegan | TaskDone | DialogueEvent

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])
_KINDS = frozenset(
    "run run_done task task_done dialogue plan recall found consult utterance disclosure withheld limit model_failed"
    " answer ledgers".split()
)


def typed(events: Iterable[dict[str, Any]]) -> Iterator[Event]:
    """The events a report tells of, in order. Raises StorageError for one whose fields are not what its kind has."""
    for event in events:
        kind = event.get("kind")
        if kind not in _KINDS:
            continue
        fields = {**event, "kind": kind}
        try:
            yield _EVENT.validate_python(fields)
        except ValidationError as wrong:
            first = wrong.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise StorageError(
                f"event {event.get('seq')} of the trace ({kind}) is damaged: {where}: {first['msg']}",
                "the trace was edited, or written by another version of kithnet",
            ) from wrong
