"""What bounds a collaboration. Read once in app/ and passed down."""

from dataclasses import dataclass
from typing import Literal

MindName = Literal["reader", "model"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Bounds of one task.

    mind: who thinks: the reader, or the chat model. steps: moves of one turn, the last of which speaks. shown_hits: hits of one
    search that a model is shown.
    max_turns: utterances of the main dialogue. stall_turns: turns in a row without any ledger change that end it.
    infonav: a plan of what is unknown steers the dialogue; without, the task is asked as it stands. memory: recall
    searches all the owner knows; without, an agent sees its latest messages alone.
    max_entries: entries of lists, and rationales, that a ledger may hold. depth, fan_out, budget: how far, how wide and how often
    third parties are consulted. k, budget_tokens: hits and tokens of one recall. support: how well a memory must fit a question
    before it supports what was heard, in [0, 1]; firm: below which people the question names are asked all the same.
    sure: how likely what the reader found must answer, in [0, 1].
    extract: what finds statements at the end of a session: the rules, or a model beside them ("auto": a capable one).
    tools: whether results are computed by code over collected entries. Without, a question inside a question is still taken
    apart: that is planning, and computes nothing.
    """

    mind: MindName = "reader"
    steps: int = 6
    shown_hits: int = 8
    infonav: bool = True
    memory: bool = True
    max_turns: int = 10
    stall_turns: int = 3
    max_entries: int = 300
    depth: int = 2
    fan_out: int = 3
    budget: int = 16
    k: int = 12
    budget_tokens: int = 800
    support: float = 0.4
    firm: float = 0.6
    sure: float = 0.36
    temperature: float = 0.0
    seed: int = 0
    extract: str = "auto"
    tools: bool = True
