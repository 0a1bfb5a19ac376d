"""What a dialogue runs on, and what it carries: static parts in `Stage`, everything that changes in `State`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

from kithnet.agents.dialogue import utterance as speech
from kithnet.agents.dialogue.utterance import Utterance
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.ledger import Ledger
from kithnet.agents.minds.mind import Mind
from kithnet.agents.minds.model_mind import ModelMind
from kithnet.agents.minds.reader_mind import ReaderMind
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.settings import Settings
from kithnet.memory.vectors import Embedder
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.trace import Trace


@dataclass(frozen=True)
class Stage:
    """The parts of a dialogue that never change and never enter a checkpoint.

    journal: whether the agents write memories of the dialogue. embedder: reads by meaning what no rule knows. minds: by person,
    who thinks for an agent instead of the mind that the settings name. fallback: whom a step falls back to instead of the
    reader's mind. chat: the partner is a human being.
    """

    model: ChatModel
    agent_of: Callable[[str], PersonalAgent]
    settings: Settings
    trace: Trace
    journal: bool = True
    embedder: Embedder | None = None
    minds: Mapping[str, Mind] = field(default_factory=dict)
    fallback: Mind | None = None
    chat: bool = False

    def mind_of(self, person: str) -> Mind:
        """Who thinks for the agent of `person`."""
        if person in self.minds:
            return self.minds[person]
        return ModelMind(self.model, self.settings) if self.settings.mind == "model" else self.reader

    @property
    def reader(self) -> Mind:
        """The mind that needs no capable model: what a step falls back to."""
        return self.fallback or ReaderMind(self.model, self.agent_of, self.settings, self.trace, self.embedder)


class State(TypedDict):
    """One dialogue as plain JSON data. Keys of the inner dicts are person ids, unless said otherwise.

    turn: utterances said so far. step: moves made in this turn. move: the one being carried out, {} for none. logs: what each
    agent was shown and what its mind said (see `minds.mind.Entry`). shown: ids that may be cited as evidence. results: of tools,
    by id, with the sources they rest on. kept: what a mind asked to see again. minds: who made how many moves. refusals: moves
    or parts of them that code refused. pending: questions put to a person and not yet answered. told: questions a person has
    claimed an answer to. refused: evidence a person would not tell. visited: by question, who has been asked. kept_from: by
    question, to whom those who asked it so far may not put it (see `disclosure.asking`). near: by
    person, then by question, how near to an answer this one came alone: a number, which no model is shown and which decides nothing
    for anybody else. briefed: whose own memory was read before the dialogue. asked_back: what was asked of the one who gave the
    task.
    """

    id: str
    task: str
    pair: list[str]
    top: bool
    depth: int
    budget: int
    turn: int
    step: int
    max_turns: int
    max_stalled: int
    move: dict[str, Any]
    ledgers: dict[str, Any]
    logs: dict[str, list[dict[str, Any]]]
    shown: dict[str, list[str]]
    results: dict[str, dict[str, Any]]
    kept: dict[str, dict[str, Any]]
    minds: dict[str, int]
    refusals: int
    utterances: list[dict[str, Any]]
    pending: dict[str, list[str]]
    told: dict[str, list[str]]
    refused: dict[str, list[dict[str, Any]]]
    visited: dict[str, list[str]]
    kept_from: dict[str, list[str]]
    near: dict[str, dict[str, float]]
    consulted: list[dict[str, Any]]
    disclosures: list[dict[str, Any]]
    briefed: list[str]
    asked_back: str
    searched: int
    stalled: int
    before: dict[str, Any]
    stopped: str
    result: dict[str, Any]


def opening(
    dialogue: str,
    task: str,
    pair: tuple[str, str],
    *,
    top: bool,
    depth: int,
    budget: int,
    max_turns: int,
    max_stalled: int,
    visited: dict[str, list[str]] | None = None,
    kept_from: dict[str, list[str]] | None = None,
    near: dict[str, dict[str, float]] | None = None,
    briefed: tuple[str, ...] = (),
) -> State:
    """The state before the first turn: the instructor knows its task, the assistant nothing."""
    instructor, assistant = pair
    ledgers = {
        instructor: infonav.to_json(infonav.new_ledger(instructor, task)),
        assistant: infonav.to_json(Ledger(assistant, task)),
    }
    both: list[str] = [instructor, assistant]
    return State(
        id=dialogue, task=task, pair=both, top=top, depth=depth, budget=budget, turn=0, step=0, max_turns=max_turns,
        max_stalled=max_stalled, move={},
        ledgers=ledgers, logs={p: [] for p in both}, shown={p: [] for p in both}, results={}, kept={p: {} for p in both},
        minds={}, refusals=0, utterances=[], pending={p: [] for p in both}, told={p: [] for p in both},
        refused={p: [] for p in both}, visited=visited or {}, kept_from=kept_from or {},
        near=near or {}, consulted=[], disclosures=[], briefed=list(briefed),
        asked_back="", searched=0, stalled=0, before={}, stopped="", result={},
    )  # fmt: skip


@dataclass(frozen=True)
class Turn:
    """One agent's view of the state while it is its turn."""

    state: State
    speaker: str
    partner: str
    ledger: Ledger

    @property
    def heard(self) -> Utterance | None:
        """The partner's last utterance."""
        return speech.from_json(self.state["utterances"][-1]) if self.state["utterances"] else None

    @property
    def pending(self) -> list[str]:
        return self.state["pending"][self.speaker]

    @property
    def is_instructor(self) -> bool:
        return self.speaker == self.state["pair"][0]

    @property
    def utterance_id(self) -> str:
        return f"u:{self.state['id']}:{self.state['turn'] + 1}"

    @property
    def own_prefix(self) -> str:
        """How the ids of this dialogue's utterances begin."""
        return f"u:{self.state['id']}:"


def turn_of(state: State, person: str | None = None) -> Turn:
    """Whose turn it is: odd utterances are the instructor's; or the view of one of the two, `person`."""
    instructor, assistant = state["pair"]
    speaker = person or (instructor if state["turn"] % 2 == 0 else assistant)
    ledger = infonav.from_json(state["ledgers"][speaker])
    partner = assistant if speaker == instructor else instructor
    return Turn(state, speaker, partner, replace(ledger, turn=state["turn"] + 1))


def with_ledger(state: State, ledger: Ledger) -> dict[str, Any]:
    """The ledgers with one of them replaced."""
    return {**state["ledgers"], ledger.owner: infonav.to_json(ledger)}


def logged(state: State, person: str, *entries: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The logs with entries added to one of them."""
    return {**state["logs"], person: [*state["logs"][person], *entries]}
