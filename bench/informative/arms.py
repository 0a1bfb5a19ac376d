"""What is run beside our own agents: the same with one ability off, or with all facts in one memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from kithnet.agents.settings import Settings
from kithnet.bench.informative.item import Said, Setting
from kithnet.bench.minds import MODEL, READER, thinking
from kithnet.runtime.errors import InputError


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to play an item. settings: how the agents' settings differ. all_facts: the instructor heard everything.

    left: what the two who are asked are left with of the world, as (world, instructor, assistant) -> world; None for all.
    usual: whether it is played where no arms are named.
    """

    name: str
    about: str
    settings: Callable[[Settings], Settings]
    all_facts: bool = False
    left: Callable[[Setting, str, str], Setting] | None = None
    usual: bool = True

    def world(self, setting: Setting, instructor: str, assistant: str) -> Setting:
        """The world in which it is played."""
        if self.left:
            return self.left(setting, instructor, assistant)
        return _told_all(setting, instructor) if self.all_facts else setting


def _as_shipped(settings: Settings) -> Settings:
    return settings


def _both(setting: Setting, instructor: str, assistant: str) -> Setting:
    """What both were told, in the same words."""
    mine, theirs = ({one.text for one in setting.heard_by(who)} for who in (instructor, assistant))
    return _only(setting, "both", lambda one: one.text in mine & theirs)


def _one_side(setting: Setting, instructor: str, assistant: str) -> Setting:
    """What the instructor was told."""
    return _only(setting, "one", lambda one: instructor in one.parties)


def _only(setting: Setting, name: str, keeps: Callable[[Said], bool]) -> Setting:
    kept = [one for one in setting.messages if keeps(one)]
    said = tuple(replace(one, seq=seq) for seq, one in enumerate(kept))
    return replace(setting, id=f"{setting.id}-{name}", messages=said)


# A tool computes over what was collected from memory: without a memory it has nothing to work on.
OURS = Arm("ours", "as shipped", _as_shipped)
ARMS: Mapping[str, Arm] = {
    one.name: one
    for one in (
        OURS,
        Arm("no-infonav", "no plan of unknowns", lambda settings: replace(settings, infonav=False)),
        Arm(
            "no-memory", "the latest messages, no search", lambda settings: replace(settings, memory=False, tools=False)
        ),
        Arm("no-consult", "nobody else is asked", lambda settings: replace(settings, depth=0, budget=0)),
        Arm("no-tools", "nothing is computed by code", lambda settings: replace(settings, tools=False)),
        Arm("all-facts", "the instructor's agent heard everything", _as_shipped, all_facts=True),
        Arm("model", "the chat model thinks", lambda settings: thinking(settings, MODEL), usual=False),
        Arm("reader", "today's route", lambda settings: thinking(settings, READER), usual=False),
        Arm("shared-only", "both know only what both were told", _as_shipped, left=_both, usual=False),
        Arm("one-sided", "only the instructor was told anything", _as_shipped, left=_one_side, usual=False),
    )
}


def chosen(names: Sequence[str]) -> list[Arm]:
    """The arms of these names, the usual ones for none given. Raises InputError."""
    for name in names:
        if name not in ARMS:
            raise InputError(f"there is no arm {name!r}", f"choose among {', '.join(ARMS)}")
    return [ARMS[name] for name in dict.fromkeys(names)] or [arm for arm in ARMS.values() if arm.usual]


def _told_all(setting: Setting, person: str) -> Setting:
    """The world in which a person got every message, as if it had sat beside all talks."""
    messages: list[Said] = []
    for one in setting.messages:
        there = person in one.parties
        messages.append(one if there else replace(one, also=(*one.also, person)))
    strangers = {one.sender for one in setting.messages} - {person}
    ties = {*setting.ties, *((min(person, other), max(person, other)) for other in strangers)}
    return Setting(f"{setting.id}+{person}", setting.people, tuple(sorted(ties)), tuple(messages))
