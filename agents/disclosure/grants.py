"""Which grant of an owner's lets an item be told: by its words, and used up where it holds once."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Protocol

from kithnet.agents.disclosure.sensitivity import Item
from kithnet.agents.wording import content_stems
from kithnet.memory.grants import Grant


class Granted(Protocol):
    """The grants of one owner, as `memory.grants.Grants` keeps them."""

    def to(self, partner: str) -> list[Grant]:
        """Those that may be used now towards `partner`."""

    def use(self, grant: str, partner: str, item: str) -> bool:
        """Count a telling; False when the grant may not be used any more."""


def fits(grant: Grant, item: Item, task: str) -> bool:
    """Whether a grant is for this item and for this task; to whom it is, and whether it still holds, is known.

    A grant widens what may be told, so its words are read narrowly: all content words of its topic must stand in the item,
    all of its purpose in the task, and an item named by its message must rest on that message alone.
    """
    if grant.item and grant.item != item.id and set(item.messages) != {grant.item}:
        return False
    topic, purpose = content_stems(grant.topic), content_stems(grant.purpose)
    if bool(grant.topic) != bool(topic) or bool(grant.purpose) != bool(purpose):
        return False  # words that mean nothing open nothing
    return topic <= content_stems(item.text) and purpose <= content_stems(task)


def fitting(grants: Sequence[Grant], item: Item, task: str) -> Iterator[Grant]:
    """Those that fit, the one that is used up by it last."""
    found = [grant for grant in grants if fits(grant, item, task)]
    yield from sorted(found, key=lambda grant: grant.term == "once")


async def allowed(granted: Granted, item: Item, partner: str, task: str) -> Grant | None:
    """The grant under which `item` is told now; it is counted, and one that holds once is used up by this."""
    for grant in fitting(await asyncio.to_thread(granted.to, partner), item, task):
        if await asyncio.to_thread(granted.use, grant.id, partner, item.id):
            return grant
    return None


def rule_of(grant: Grant) -> str:
    """How a telling under a grant is named in the ledger of disclosures."""
    until = f" {grant.until:%Y-%m-%d %H:%M} UTC" if grant.until else ""
    whom = grant.person or f"tie {grant.tie}"
    return f"grant {grant.id} ({grant.term}{until} to {whom})"
