"""What each tool is asked, in examples: a task of a wording that no rule knows is compared with them by meaning."""

import re
from functools import lru_cache
from typing import Literal

import numpy as np

from kithnet.agents.minds.rules.examples import examples
from kithnet.agents.minds.rules.likeness import Likeness
from kithnet.memory.vectors import Embedder, Vectors

Tool = Literal[
    "give_up", "together", "longest", "shortest", "free", "clashes", "total", "count", "first", "last", "busiest", "alike",
    "apart",
]  # fmt: skip
OF_TASTE = ("alike", "apart")
"""Tools that compare what two people like."""
NEAR, MARGIN = 0.45, 0.05
"""How near a task must be to an example of its tool, in cosine, and how much nearer than to any other's."""
OF_DAYS = -0.1
"""How much more a task must be about calendars than about anything else for any of their tools (`of_calendar`)."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "give_up": (
        "How many of their activities do they have to cancel so that nothing clashes any more?",
        "What is the smallest number of appointments that must be dropped to get rid of every overlap?",
        "At least how many plans need to be given up before none of them collide?",
        "If one person wanted to go to all of it, how many things would have to be skipped?",
        "What is the least that has to be struck off their joined schedules to make them free of conflicts?",
        "Put their calendars together: the minimum of entries to take out so that no two run in parallel?",
        "How few activities must be sacrificed so that the rest can be done one by one?",
    ),
    "together": (
        "How many of their activities could one person attend without any overlap?",
        "What is the greatest number of these appointments that do not collide with each other?",
        "At most how many of the plans fit into one day side by side?",
        "How many things at most can stay so that none of them happen at once?",
    ),
    "longest": (
        "Which activities take up the most time?",
        "What is the longest thing that anybody does that day?",
        "Name whatever goes on for the greatest number of hours in these calendars.",
        "Which of the things they do lasts longest?",
        "What occupies any of them for the most minutes without a break?",
        "Among all their activities, which one has the greatest duration?",
        "What keeps one of them busy for the longest stretch of the day?",
        "Of all that they are doing that day, what takes the longest?",
    ),
    "shortest": (
        "Which of their activities is over most quickly?",
        "What takes the least time in the whole schedule?",
        "Which thing they do that day is the briefest?",
        "Which of their activities is done the soonest after it began?",
        "What is the briefest thing on their plans?",
    ),
    "free": (
        "When does nobody have anything on?",
        "In which hours could all of them meet?",
        "Find the gaps that everybody's calendar has in common.",
        "At what times of the day is every one of them available?",
        "During which stretches of the day are all of them unoccupied?",
        "Which periods are not taken by any of them?",
        "When could they be reached all together without disturbing anybody's activities?",
        "What parts of the day are empty in all their diaries?",
        "When is none of them busy?",
        "What hours are left in which not one of them is engaged?",
        "When are they all at leisure?",
        "Lay out the stretches of the day that none of them has claimed.",
    ),
    "clashes": (
        "Which of their activities are on at the same time?",
        "Which appointments get in each other's way?",
        "What in their schedules overlaps?",
        "What do they have on that gets in the way of something else?",
    ),
    "total": (
        "How much time do they spend on their activities in all?",
        "For how many hours are they busy altogether that day?",
        "What do all their activities add up to in hours?",
        "How long are they busy in total?",
    ),
    "count": (
        "How many activities do they have that day?",
        "What is the number of appointments in their calendars?",
        "How many appointments have they got?",
    ),
    "first": ("Whose activity begins the day?", "What is the earliest thing in their calendars?"),
    "last": ("What is the latest activity of the day?", "Which of their appointments comes last?"),
    "alike": (
        "What do they both like?",
        "Which thing is loved by the two of them?",
        "What taste do they have in common?",
        "What are both of them fond of?",
        "Which enthusiasm do they share?",
    ),
    "apart": (
        "What does one of them love and the other hate?",
        "On which thing do their tastes differ?",
        "What do they have opposite feelings about?",
        "Which thing is adored by one of them and detested by the other?",
    ),
    "busiest": (
        "Who has the fullest calendar?",
        "Which of them spends the most hours on activities?",
        "Which of them has the busiest schedule?",
        "Who of them has the most appointments that day?",
        "Whose day is planned the fullest?",
    ),
}
OTHERS = (
    "When is her dentist appointment?",
    "What time does the concert start?",
    "Where do they play tennis?",
    "What did he tell her about the new job?",
    "Who is getting married?",
    "What is his favourite food?",
    "How many brothers does she have?",
    "Why did they cancel the party?",
    "What does he do for a living?",
    "Which of them likes dogs more?",
    "How long have they been together?",
    "Who was free to help with the move?",
    "What are they doing on Saturday?",
    "When did they meet for the first time?",
    "How long did the journey take them?",
    "Which book did they read last summer?",
    "What is the longest bridge she has crossed?",
    "Why was the meeting so long?",
    "What do their children have in common?",
    "Who borrowed the car from them?",
    "How often did he miss the train?",
    "When were they all at home last?",
    "Which job did she quit?",
    "What does the teacher of the course earn?",
    "Who has the most shoes?",
    "Who owns the largest garden?",
    "Who has the most ideas for the party?",
    "Which of them has the longest hair?",
    "What time is it now?",
    "What day is it today?",
    "How many plants do they want for the balcony?",
    "Who plans to paint the kitchen?",
    "What are their plans for the old house?",
    "When will the two of them make peace?",
    "Who has the busiest shop in town?",
    "How much time did she spend on the letter?",
)


@lru_cache(maxsize=2)
def _calendar(embedder: Embedder) -> Likeness:
    """Tasks about calendars against all else that is asked; fitted once."""
    of_calendar = [example for tool, bank in EXAMPLES.items() if tool not in OF_TASTE for example in bank]
    of_taste = [example for tool in OF_TASTE for example in EXAMPLES[tool]]
    others = [re.sub(r"\bAnn and Ben\b|\bAnn\b|\bBen\b", "they", one) for one in examples("likings")["other"]]
    return Likeness({"calendar": of_calendar, "other": (*OTHERS, *of_taste, *others)}, embedder)


def of_calendar(task: str, embedder: Embedder) -> float:
    """How much more a task is about calendars than about anything else; above 0 rather than not. task: without names."""
    ((calendar, other),) = _calendar(embedder).scores([task])  # type: ignore[arg-type]  # an object: it can be hashed
    return float(calendar - other) / 2


@lru_cache(maxsize=2)
def _examples(embedder: Embedder) -> Vectors:
    """The vectors of all examples; they are made once, as every task that no rule knows is compared with them."""
    return embedder.embed([example for bank in (*EXAMPLES.values(), OTHERS) for example in bank])


def by_meaning(task: str, embedder: Embedder) -> Tool | None:
    """The tool whose examples a task is clearly nearest to; None where it may be another's, or no tool's."""
    banks = [*EXAMPLES.values(), OTHERS]
    nearness = _examples(embedder) @ embedder.embed([task])[0]  # type: ignore[arg-type]  # an object: it can be hashed
    near: list[float] = []
    at = 0
    for bank in banks:
        near.append(float(np.max(nearness[at : at + len(bank)])))
        at += len(bank)
    order = sorted(range(len(banks)), key=lambda place: -near[place])
    best, second = order[0], order[1]
    if best == len(EXAMPLES) or near[best] < NEAR or near[best] - near[second] < MARGIN:
        return None
    tools: list[Tool] = list(EXAMPLES)  # type: ignore[arg-type]
    return tools[best]
