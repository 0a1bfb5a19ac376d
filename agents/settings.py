"""What bounds a collaboration. Read once in app/ and passed down."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Bounds of one task.

    max_turns: utterances of the main dialogue. stall_turns: turns in a row without any ledger change that end it.
    infonav: a plan of what is unknown steers the dialogue; without, the task is asked as it stands. memory: recall
    searches all the owner knows; without, an agent sees its latest messages alone.
    max_questions: rationales a plan may add. max_entries: entries that a ledger holds of all its lists.
    depth, fan_out, budget: how far, how wide and how often third parties are consulted. k, budget_tokens: hits and tokens
    of one recall. support: how well a memory must fit a question before it counts as evidence, in [0, 1]; firm: below
    which people the question names are asked all the same.
    extract: what finds statements at the end of a session: the rules, or a model beside them ("auto": a capable one).
    tools: whether a task about calendars or tastes is reckoned by code over collected entries. Without, a question inside a
    question is still taken apart: that is planning, and reckons nothing.
    """

    infonav: bool = True
    memory: bool = True
    max_turns: int = 10
    stall_turns: int = 3
    max_questions: int = 6
    max_entries: int = 300
    depth: int = 2
    fan_out: int = 3
    budget: int = 16
    k: int = 12
    budget_tokens: int = 800
    support: float = 0.4
    firm: float = 0.6
    temperature: float = 0.0
    seed: int = 0
    extract: str = "auto"
    tools: bool = True
