"""The events of a run put together: its tasks, each with the conversations that served it, in the order they happened.

A run that was killed and resumed tells some steps twice; the later telling stands, in the place of the first.
"""

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from kithnet.app.report_events import (
    Answered,
    Consulted,
    Cost,
    DialogueBegan,
    DialogueEvent,
    Disclosed,
    Event,
    Found,
    Ledgers,
    LimitReached,
    ModelFailed,
    Planned,
    Recalled,
    RunBegan,
    RunDone,
    Said,
    TaskBegan,
    TaskDone,
    Withheld,
)

Status = Literal["done", "failed", "unfinished"]


@dataclass(frozen=True)
class Moment:
    """One event of a conversation. after: seconds of running time since the task's first event."""

    event: DialogueEvent
    after: float


@dataclass(frozen=True)
class Conversation:
    """One dialogue. steps: what happened, in order; a consultation stands where it was held."""

    id: str
    question: str
    pair: tuple[str, str]
    steps: "tuple[Moment | Conversation, ...]"

    def everything(self) -> "Iterable[Moment]":
        """Every moment, those of consultations in their place."""
        for step in self.steps:
            if isinstance(step, Conversation):
                yield from step.everything()
            else:
                yield step

    def conversations(self) -> "Iterable[Conversation]":
        """This conversation and all consultations within it."""
        yield self
        for step in self.steps:
            if isinstance(step, Conversation):
                yield from step.conversations()


@dataclass(frozen=True)
class TaskStory:
    """One task. talk, answer, ledgers and done are None where the run has not come so far.

    A dialogue of its own, that no task was announced for, is told as a task.
    """

    began: TaskBegan
    done: TaskDone | None
    talk: Conversation | None
    answer: Answered | None
    ledgers: Ledgers | None

    @property
    def id(self) -> str:
        return self.began.task

    @property
    def status(self) -> Status:
        if self.done and self.done.status == "failed":
            return "failed"
        return "done" if self.done or self.answer else "unfinished"

    @property
    def known(self) -> bool:
        """Whether an answer was found."""
        return bool(self.done.known if self.done else self.answer and self.answer.known)

    @property
    def correct(self) -> bool | None:
        """Whether the answer is right, None where nobody judged it; likewise `cites_gold`."""
        return self.done.correct if self.done else None

    @property
    def cites_gold(self) -> bool | None:
        return self.done.cites_gold if self.done else None

    @property
    def turns(self) -> int:
        """Turns of the main dialogue."""
        return self.done.turns if self.done else sum(said.dialogue == self.id for said in self.said)

    @property
    def stopped_because(self) -> str:
        return (self.done.stopped_because if self.done else "") or (self.answer.stopped_because if self.answer else "")

    @property
    def answer_text(self) -> str:
        return (self.done.answer if self.done else None) or (self.answer.answer if self.answer else "")

    @property
    def citations(self) -> tuple[str, ...]:
        return (self.done.citations if self.done else ()) or (self.answer.citations if self.answer else ())

    @property
    def moments(self) -> tuple[Moment, ...]:
        return tuple(self.talk.everything()) if self.talk else ()

    @property
    def said(self) -> tuple[Said, ...]:
        """Every utterance, consultations included, in the order it was said."""
        return tuple(moment.event for moment in self.moments if isinstance(moment.event, Said))

    @property
    def consultations(self) -> tuple[Conversation, ...]:
        return tuple(self.talk.conversations())[1:] if self.talk else ()

    @property
    def disclosures(self) -> tuple[Disclosed, ...]:
        return tuple(moment.event for moment in self.moments if isinstance(moment.event, Disclosed))

    @property
    def recalls(self) -> tuple[Recalled, ...]:
        return tuple(moment.event for moment in self.moments if isinstance(moment.event, Recalled))

    def finders(self, evidence: str) -> list[str]:
        """Who found a piece of evidence in their own memory, in order."""
        found = [moment.event for moment in self.moments if isinstance(moment.event, Found)]
        return [event.person for event in found if event.evidence == evidence]

    @property
    def searched(self) -> int:
        """Messages looked through, counted once a recall."""
        return self.done.searched if self.done else sum(recall.searched for recall in self.recalls)

    @property
    def seconds(self) -> float:
        if self.done and self.done.seconds:
            return self.done.seconds
        return max((moment.after for moment in self.moments), default=0.0)


@dataclass(frozen=True)
class RunStory:
    """A run. processes: how many worked on it (2: killed and resumed once). seconds: running time of all of them."""

    began: RunBegan
    tasks: tuple[TaskStory, ...]
    processes: int
    seconds: float
    finished: bool

    @property
    def planned(self) -> int:
        return max(self.began.tasks, len(self.tasks))

    @property
    def usage(self) -> Cost | None:
        """What the finished tasks cost; None while none is finished."""
        costs = [task.done.usage for task in self.tasks if task.done]
        return sum(costs, Cost()) if costs else None

    def count(self, kind: type[Withheld] | type[LimitReached] | type[ModelFailed]) -> int:
        """How many events of a kind the tasks hold."""
        return sum(isinstance(moment.event, kind) for task in self.tasks for moment in task.moments)


def tell(events: Iterable[Event]) -> RunStory:
    """Put the events of a run together. A run of which nothing is known yet has no tasks."""
    gathered = _Gathered()
    for event in events:
        gathered.take(event)
    tasks = tuple(gathered.story(task) for task in gathered.announced())
    began = gathered.runs[0] if gathered.runs else RunBegan(kind="run", seq=0)
    seconds = gathered.base + (gathered.ended.seconds if gathered.ended and gathered.ended.seconds else gathered.last)
    finished = gathered.ended is not None or (not gathered.runs and all(task.status != "unfinished" for task in tasks))
    return RunStory(began, tasks, max(1, len(gathered.runs)), seconds, finished)


@dataclass
class _Talk:
    """A dialogue while it is gathered. steps: by identity, so that a repeated step replaces the first telling."""

    began: DialogueBegan
    time: float
    steps: "dict[Hashable, tuple[float, DialogueEvent] | _Talk]" = field(default_factory=dict)
    turn: int = 0


@dataclass
class _Gathered:
    """base: running time of the processes before this one. last: the newest time of this one."""

    runs: list[RunBegan] = field(default_factory=list)
    ended: RunDone | None = None
    tasks: dict[str, TaskBegan] = field(default_factory=dict)
    done: dict[str, TaskDone] = field(default_factory=dict)
    talks: dict[str, _Talk] = field(default_factory=dict)
    base: float = 0.0
    last: float = 0.0

    def take(self, event: Event) -> None:
        if isinstance(event, RunBegan) and self.runs:
            self.base += self.last
            self.ended = None
        self.last = event.t
        match event:
            case RunBegan():
                self.runs.append(event)
            case RunDone():
                self.ended = event
            case TaskBegan():
                self.tasks[event.task] = event
            case TaskDone():
                self.done[event.task] = event
            case DialogueBegan():
                self._open(event)
            case _:
                self._step(event)

    def _open(self, event: DialogueBegan) -> None:
        if event.dialogue in self.talks:
            return
        talk = self.talks[event.dialogue] = _Talk(event, self.base + event.t)
        parent = _parent(event.dialogue, self.talks)
        if parent:
            self.talks[parent].steps["talk", event.dialogue] = talk

    def _step(self, event: DialogueEvent) -> None:
        talk = self.talks.get(event.dialogue)
        if talk is None:
            return
        key = _identity(event, talk.turn)
        when = self.base + event.t
        talk.steps[key] = (when, event)
        if isinstance(event, Said):
            talk.turn = max(talk.turn, event.turn)

    def announced(self) -> list[TaskBegan]:
        """The tasks, and the dialogues that stand for one."""
        own = [
            talk.began for name, talk in self.talks.items() if name not in self.tasks and not _parent(name, self.talks)
        ]
        unannounced = [
            TaskBegan(
                kind="task", seq=talk.seq, task=talk.dialogue, question=talk.task,
                instructor=talk.pair[0], assistant=talk.pair[1],
            )
            for talk in own
        ]  # fmt: skip
        return [*self.tasks.values(), *unannounced]

    def story(self, task: TaskBegan) -> TaskStory:
        talk = self.talks.get(task.task)
        top = talk.steps if talk else {}
        answer, ledgers = top.pop("answer", None), top.pop("ledgers", None)
        return TaskStory(
            task,
            self.done.get(task.task),
            _told(talk, talk.time) if talk else None,
            answer[1] if isinstance(answer, tuple) and isinstance(answer[1], Answered) else None,
            ledgers[1] if isinstance(ledgers, tuple) and isinstance(ledgers[1], Ledgers) else None,
        )


def _parent(dialogue: str, known: Iterable[str]) -> str:
    """The nearest dialogue that `dialogue` serves: "t1.3-ross" serves "t1"; "" for one that serves none."""
    found = (other for other in known if re.match(r"\.\d+-", dialogue.removeprefix(other)) and dialogue != other)
    return max((other for other in found if dialogue.startswith(other)), key=len, default="")


def _told(talk: _Talk, start: float) -> Conversation:
    steps: list[Moment | Conversation] = []
    for step in talk.steps.values():
        if isinstance(step, _Talk):
            steps.append(_told(step, start))
        else:
            steps.append(Moment(step[1], max(0.0, step[0] - start)))
    return Conversation(talk.began.dialogue, talk.began.task, talk.began.pair, tuple(steps))


def _identity(event: DialogueEvent, turn: int) -> Hashable:
    """What makes two tellings the same step; `turn` is the number of utterances before it."""
    match event:
        case Said():
            return "said", event.id
        case Recalled() | Found():
            return event.kind, turn, event.person, event.question
        case Consulted():
            return "consult", event.person, event.asks, event.question
        case Disclosed():
            return "disclosure", event.utterance, event.messages
        case Withheld():
            return "withheld", event.utterance or turn, event.person
        case LimitReached():
            return "limit", turn, event.why
        case ModelFailed():
            return "failed", turn, event.person, event.purpose, event.why
        case Planned() | Answered() | Ledgers() | DialogueBegan():
            return event.kind
