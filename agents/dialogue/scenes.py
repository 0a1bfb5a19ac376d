"""What a search or an opened message shows an agent: scenes of its owner's own memory, with the lines around each hit.

Everything is weighed first: a line that the partner may not be told is not shown, and nothing shows that it is there.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from kithnet.agents.disclosure.policy import UnattendedOwner
from kithnet.agents.disclosure.sensitivity import Item
from kithnet.agents.minds.mind import Query
from kithnet.agents.personal import OUTSIDE, PersonalAgent
from kithnet.agents.settings import Settings
from kithnet.agents.wording import named_people
from kithnet.memory.language.text import words
from kithnet.memory.owner import Hit
from kithnet.memory.search import abstains
from kithnet.runtime.errors import InputError
from kithnet.runtime.fencing import fenced

AROUND = 3
"""Lines before and after a hit."""
NEAREST = 5
"""Hits that are shown where nothing supports a query well."""
OPENED = 15
"""Lines before and after a message that is opened."""
LONGEST = 600
"""Characters of one message that are shown."""
MOST_NAMED = 6
"""Listeners of one message that are named."""
FILTERED = 20
"""How many times more hits a search with filters looks through."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A line that was found and may not be told to the partner. row: for the ledger of disclosures."""

    item: Item
    row: dict[str, Any]


@dataclass
class Shown:
    """What an act brought. text: for the prompt. brief: what stands in its place later. ids: what may be cited from now on."""

    text: str = ""
    brief: str = ""
    ids: list[str] = field(default_factory=list)
    searched: int = 0
    withheld: list[Withheld] = field(default_factory=list)


@dataclass(frozen=True)
class Looking:
    """Who looks, and for whom: what may be shown depends on both."""

    agent: PersonalAgent
    partner: str
    task: str
    settings: Settings
    known: frozenset[str]

    async def search(self, queries: Sequence[Query]) -> Shown:
        """Scenes for each query, the best first; what was shown before is named by id only."""
        shown = Shown()
        parts: list[str] = []
        room = 8 * self.settings.budget_tokens // max(1, len(queries))  # characters: two budgets of four a token
        for query in queries:
            hits = await self._found(query, shown)
            parts.append(await self._scenes(query, hits, room, shown))
        shown.text = "\n\n".join(parts)
        shown.brief = _brief(queries, shown.ids)
        return shown

    async def open(self, item: str) -> Shown:
        """Some lines either side of a message, as far as its session goes. Raises InputError for an id not the owner's."""
        shown = Shown()
        hit = await asyncio.to_thread(self.agent.memory.message, item)
        around = await asyncio.to_thread(self._around, hit, OPENED)
        lines = await self._tellable(around, shown)
        shown.ids = [line.id for line in lines]
        shown.text = (
            "\n".join([f"Around {item}:", *_block(self.agent, lines, {item}, ())]) if lines else "Nothing there."
        )
        shown.brief = f"Opened {item}: {', '.join(shown.ids)}."
        return shown

    async def _found(self, query: Query, shown: Shown) -> list[Hit]:
        """The hits of one query, best first, that its filters let through."""
        settings, filtered = (
            self.settings,
            any((query.sent_by, query.with_whom, query.since, query.until, '"' in query.text)),
        )
        if not settings.memory:
            recalled = await self.agent.latest(k=settings.k, budget=settings.budget_tokens)
        else:
            text = (
                f"{query.about} {query.text}".strip()
                if query.about.casefold() not in query.text.casefold()
                else query.text
            )
            recalled = await self.agent.recall(
                text,
                k=settings.shown_hits * (FILTERED if filtered else 1),
                budget=settings.budget_tokens * (FILTERED if filtered else 2),
                partner=self.partner,
            )
        shown.searched += recalled.searched
        keep = _Filter.of(self.agent, query)
        return [hit for hit in recalled.hits if keep.lets(hit)][: settings.shown_hits]

    async def _scenes(self, query: Query, hits: Sequence[Hit], room: int, shown: Shown) -> str:
        """One block a scene: date, ids, who says it to whom, and the lines around each hit."""
        title = f"Found for {_said(query)}:"
        hits = await self._tellable(hits, shown)
        if hits and abstains(hits):
            title, hits = f"Nothing fits {_said(query)} closely; the nearest:", hits[:NEAREST]
        fresh = [hit for hit in hits if hit.id not in self.known and hit.id not in shown.ids]
        before = [hit.id for hit in hits if hit not in fresh]
        blocks: list[str] = []
        for hit in fresh:
            if hit.id in shown.ids:  # it stood beside a better one
                continue
            around = await asyncio.to_thread(self._around, hit, AROUND)
            lines = await self._tellable([line for line in around if line.id not in shown.ids], shown)
            if not any(line.id == hit.id for line in lines):
                continue
            block = "\n".join(_block(self.agent, lines, {hit.id}, self.known))
            if blocks and sum(map(len, blocks)) + len(block) > room:
                break
            blocks.append(block)
            shown.ids.extend(line.id for line in lines)
            shown.ids.extend(old.id for line in lines for old in _past(self.agent, line))
        if before:
            blocks.append(f"Already shown: {', '.join(before)}.")
        return "\n".join([title, *blocks]) if blocks else f"{title} nothing."

    def _around(self, hit: Hit, lines: int) -> list[Hit]:
        """The hit amid its scene; a memory that was noted stands alone."""
        if hit.kind != "message":
            return [hit]
        memory = self.agent.memory
        before = memory.neighbours(hit.id, before=lines, after=0)
        return [*before, hit, *memory.neighbours(hit.id, before=0, after=lines)]

    async def _tellable(self, lines: Sequence[Hit], shown: Shown) -> list[Hit]:
        """The lines that the partner may be told; the others are noted for their owner.

        An owner who is there is asked about what a rule leaves open.
        """
        weighed = await asyncio.to_thread(self.agent.tellable, lines, self.partner, self.task)
        kept: list[Hit] = []
        withheld: list[Withheld] = []
        for line, (item, decision) in zip(lines, weighed, strict=True):
            if decision.action == "ask" and not decision.told and not isinstance(self.agent.owner, UnattendedOwner):
                evidence = self.agent.evidence(line)
                item, decision = await self.agent.weigh(evidence, line.text, line.text, self.partner, self.task)
            if decision.told:
                kept.append(line)
                continue
            if any(one.item.id == item.id for one in (*withheld, *shown.withheld)):
                continue
            row = {
                "from": self.agent.person, "to": self.partner, "messages": list(item.messages), "rule": decision.rule,
                "action": decision.action, "told": False, "sensitivity": item.sensitivity, "task": self.task, "utterance": "",
            }  # fmt: skip
            withheld.append(Withheld(item, row))
        if withheld:
            ids = [one.item.id for one in withheld if one.item.id]
            await asyncio.to_thread(self._refused, ids)
        shown.withheld += withheld
        return kept

    def _refused(self, ids: Sequence[str]) -> None:
        """Write down for the owner what was not shown to the partner's side."""
        self.agent.memory.disclose(
            ids, partner=self.partner, task=self.task, rule="held back from a mind", action="refuse"
        )


@dataclass(frozen=True, slots=True)
class _Filter:
    """What a query asks of a hit besides its words."""

    sent_by: frozenset[str]
    with_whom: frozenset[str]
    since: date | None
    until: date | None
    phrases: tuple[str, ...]
    wants: bool

    @classmethod
    def of(cls, agent: PersonalAgent, query: Query) -> "_Filter":
        names = agent.known_names
        phrases = tuple(" ".join(words(part)) for part in query.text.split('"')[1::2])
        by, other = (
            frozenset(named_people(name, names)) if name else frozenset() for name in (query.sent_by, query.with_whom)
        )
        wants = bool((query.sent_by and not by) or (query.with_whom and not other))
        return cls(by, other, _day(query.since), _day(query.until), phrases, wants)

    def lets(self, hit: Hit) -> bool:
        day = hit.at.date() if isinstance(hit.at, datetime) else None
        said = f" {' '.join(words(hit.text))} "
        return (
            not self.wants
            and (not self.sent_by or hit.sender in self.sent_by)
            and (not self.with_whom or bool({hit.sender, *hit.receivers} & self.with_whom))
            and (self.since is None or (day is not None and day >= self.since))
            and (self.until is None or (day is not None and day <= self.until))
            and all(f" {phrase} " in said for phrase in self.phrases)
        )


def _day(text: str) -> date | None:
    """A day as 2019-03-05. Raises InputError for anything else but an empty text."""
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise InputError(f"{text!r} is no day", "write a day as 2019-03-05") from error


def _block(agent: PersonalAgent, lines: Sequence[Hit], hits: set[str], known: Iterable[str]) -> list[str]:
    """Lines of one scene as they are shown, a heading with its day and a star at each hit."""
    have = set(known)
    day = next((line.at.strftime("%a %Y-%m-%d") for line in lines if line.at), "no date")
    told = [line.id for line in lines if line.kind == "message" and line.sender == OUTSIDE]
    over = agent.memory.outdated(told) if told else set()
    shown = [line for line in lines if line.id not in have or line.id in hits]
    return [
        f"[{day}]",
        *(_line(agent, line, line.id in hits) + " (corrected later)" * (line.id in over) for line in shown),
    ]


def _line(agent: PersonalAgent, line: Hit, hit: bool) -> str:
    text = fenced(" / ".join(line.text.split("\n")))
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]} … (open {line.id} for the rest)"
    if line.kind == "message":
        heard = ", ".join(called(agent, one) for one in line.receivers[:MOST_NAMED])
        more = len(line.receivers) - MOST_NAMED
        said = f"{called(agent, line.sender)} -> {heard}" + (f" and {more} more" if more > 0 else "")
    else:
        over = f", until {line.valid_to:%Y-%m-%d}" if line.valid_to else ""
        said = f"noted {line.kind}{over}, told by {called(agent, line.told_by)}"
        text += "".join(f" (before, {old.id}: {old.text})" for old in _past(agent, line))
    return f"{'*' if hit else ' '} {line.id} {said}: {text}"


def _past(agent: PersonalAgent, line: Hit) -> list[Hit]:
    """What a memory that is for nobody but the owner took the place of; others are told what holds now."""
    return agent.memory.past(line.id)[:1] if line.kind != "message" and line.audience == () else []


def called(agent: PersonalAgent, person: str | None) -> str:
    """A person by name, the owner as "you"."""
    if person in (agent.person, OUTSIDE):
        return "you"
    return agent.known_names.get(person or "", (person or "someone",))[0]


def _said(query: Query) -> str:
    filters = [
        f"{name} {value}"
        for name, value in (
            ("about", query.about), ("from", query.sent_by), ("with", query.with_whom), ("since", query.since),
            ("until", query.until),
        )
        if value
    ]  # fmt: skip
    return f"“{query.text}”" + (f" ({', '.join(filters)})" if filters else "")


def _brief(queries: Sequence[Query], ids: Sequence[str]) -> str:
    asked = ", ".join(_said(query) for query in queries)
    return f"(Earlier result for {asked}: {', '.join(ids) or 'nothing'}.)"


def as_recalled(text: str) -> Query:
    """A question as the query that code begins with."""
    return replace(Query(text), text=text.replace('"', " "))
