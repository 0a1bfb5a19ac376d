"""What a dialogue runs on, and what it carries: static parts in `Stage`, everything that changes in `State`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from kithnet.agents.dialogue import utterance as speech
from kithnet.agents.dialogue.utterance import Utterance
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.ledger import Ledger
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.settings import Settings
from kithnet.memory.vectors import Embedder
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.trace import Trace


@dataclass(frozen=True)
class Stage:
    """The parts of a dialogue that never change and never enter a checkpoint.

    journal: whether the agents write memories of the dialogue. embedder: reads by meaning what no rule knows.
    """

    model: ChatModel
    agent_of: Callable[[str], PersonalAgent]
    settings: Settings
    trace: Trace
    journal: bool = True
    embedder: Embedder | None = None


class State(TypedDict):
    """One dialogue as plain JSON data. Keys of the inner dicts are person ids, unless said otherwise.

    turn: utterances said so far. pending: questions put to a person and not yet answered. told: questions a person
    has claimed an answer to. seen: memories already read, by person and question. refused: evidence a person would
    not tell. visited: by question, who has been asked. kept_from: by question, to whom those who asked it so far may not put
    it (see `disclosure.asking`). briefed: whose own memory was read before the dialogue.
    """

    id: str
    task: str
    pair: list[str]
    top: bool
    depth: int
    budget: int
    turn: int
    max_turns: int
    max_stalled: int
    ledgers: dict[str, Any]
    utterances: list[dict[str, Any]]
    pending: dict[str, list[str]]
    told: dict[str, list[str]]
    seen: dict[str, dict[str, list[str]]]
    refused: dict[str, list[dict[str, Any]]]
    visited: dict[str, list[str]]
    kept_from: dict[str, list[str]]
    consulted: list[dict[str, Any]]
    disclosures: list[dict[str, Any]]
    briefed: list[str]
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
    questions: tuple[str, ...] = (),
    visited: dict[str, list[str]] | None = None,
    kept_from: dict[str, list[str]] | None = None,
    briefed: tuple[str, ...] = (),
) -> State:
    """The state before the first turn: the instructor knows its task, the assistant nothing."""
    instructor, assistant = pair
    ledgers = {
        instructor: infonav.to_json(infonav.new_ledger(instructor, task, questions)),
        assistant: infonav.to_json(Ledger(assistant, task)),
    }
    both: list[str] = [instructor, assistant]
    return State(
        id=dialogue, task=task, pair=both, top=top, depth=depth, budget=budget, turn=0, max_turns=max_turns,
        max_stalled=max_stalled,
        ledgers=ledgers, utterances=[], pending={p: [] for p in both}, told={p: [] for p in both},
        seen={p: {} for p in both}, refused={p: [] for p in both}, visited=visited or {},
        kept_from=kept_from or {}, consulted=[],
        disclosures=[], briefed=list(briefed), searched=0, stalled=0, before={}, stopped="", result={},
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


def turn_of(state: State) -> Turn:
    """Whose turn it is: odd utterances are the instructor's."""
    instructor, assistant = state["pair"]
    speaker, partner = (instructor, assistant) if state["turn"] % 2 == 0 else (assistant, instructor)
    ledger = infonav.from_json(state["ledgers"][speaker])
    return Turn(state, speaker, partner, replace(ledger, turn=state["turn"] + 1))


def with_ledger(state: State, ledger: Ledger) -> dict[str, Any]:
    """The ledgers with one of them replaced."""
    return {**state["ledgers"], ledger.owner: infonav.to_json(ledger)}
