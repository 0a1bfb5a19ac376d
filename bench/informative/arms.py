"""What is run beside our own agents: the same with one ability off, or with all facts in one memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from kithnet.agents.settings import Settings
from kithnet.bench.informative.item import Said, Setting
from kithnet.runtime.errors import InputError


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to play an item. settings: how the agents' settings differ. all_facts: the instructor heard everything."""

    name: str
    about: str
    settings: Callable[[Settings], Settings]
    all_facts: bool = False

    def world(self, setting: Setting, instructor: str) -> Setting:
        """The world in which it is played."""
        return _told_all(setting, instructor) if self.all_facts else setting


# A tool reckons over what a plan collected from memory: without either it has nothing to work on.
OURS = Arm("ours", "as shipped", lambda settings: settings)
ARMS: Mapping[str, Arm] = {
    one.name: one
    for one in (
        OURS,
        Arm("no-infonav", "no plan of unknowns", lambda settings: replace(settings, infonav=False, tools=False)),
        Arm(
            "no-memory", "the latest messages, no search", lambda settings: replace(settings, memory=False, tools=False)
        ),
        Arm("no-consult", "nobody else is asked", lambda settings: replace(settings, depth=0, budget=0)),
        Arm("no-tools", "nothing is reckoned by code", lambda settings: replace(settings, tools=False)),
        Arm("all-facts", "the instructor's agent heard everything", lambda settings: settings, all_facts=True),
    )
}


def chosen(names: Sequence[str]) -> list[Arm]:
    """The arms of these names, all for none given. Raises InputError."""
    for name in names:
        if name not in ARMS:
            raise InputError(f"there is no arm {name!r}", f"choose among {', '.join(ARMS)}")
    return [ARMS[name] for name in dict.fromkeys(names)] or list(ARMS.values())


def _told_all(setting: Setting, person: str) -> Setting:
    """The world in which a person got a copy of every message, as if it had sat beside all talks."""
    messages: list[Said] = []
    for one in setting.messages:
        messages.append(replace(one, seq=len(messages)))
        if person not in (one.sender, one.receiver):
            messages.append(replace(one, seq=len(messages), receiver=person))
    strangers = {one.sender for one in setting.messages} - {person}
    ties = {*setting.ties, *((min(person, other), max(person, other)) for other in strangers)}
    return Setting(f"{setting.id}+{person}", setting.people, tuple(sorted(ties)), tuple(messages))
