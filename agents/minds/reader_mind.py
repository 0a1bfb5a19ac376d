"""`ReaderMind`: a mind that needs no capable chat model. It plans by rules, and finds what it knows with the agent's reader.

It recalls by itself, in its first move of a turn, and then asks contacts one by one until nothing is worth asking.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kithnet.agents.dialogue import consult
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.consensus import Agreed
from kithnet.agents.infonav.ledger import Ledger, Rationale
from kithnet.agents.minds import finding
from kithnet.agents.minds.mind import AskContact, Cite, Conclusion, Move, Note, Speak, Stop, View, noted
from kithnet.agents.minds.rules import answer as answers
from kithnet.agents.minds.rules import appointments, chains, kinds, tasking, tastes
from kithnet.agents.minds.rules.looking import Look
from kithnet.agents.minds.rules.tasking import Plan
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.settings import Settings
from kithnet.agents.tools import calendar as calendars
from kithnet.agents.tools import computing
from kithnet.agents.wording import core, questions
from kithnet.memory.vectors import Embedder
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.errors import LimitExceeded
from kithnet.runtime.trace import Trace


@dataclass(frozen=True)
class ReaderMind:
    """See the module. model: says which way to take a nested question apart reads best, and nothing else. agent_of: opens the
    memory of whoever it thinks for."""

    model: ChatModel
    agent_of: Callable[[str], PersonalAgent]
    settings: Settings
    trace: Trace
    embedder: Embedder | None = None
    name: str = "reader"
    wants_brief: bool = False

    async def move(self, view: View) -> Move:
        """See `Mind.move`. Its first move of a turn plans and reads; each move asks one contact, or speaks."""
        work = _Work(self, view, self.agent_of(view.person), view.ledger, dict(view.kept))
        if view.step == 0:
            work.kept["asked"] = {}
            try:
                await work.plan()
                await work.read()
            except LimitExceeded as limit:  # what was learned before it is kept
                return work.moved(Stop(limit.message))
        asked = await work.next_question()
        return work.moved(asked or work.speech())

    async def conclude(self, view: View, agreed: Sequence[Agreed]) -> Conclusion:
        """See `Mind.conclude`: a tool's result over the collected entries, or the agreed values in a sentence."""
        plan = appointments.plan_of(view.kept.get("plan"))
        if plan is not None:
            return self._computed(view, plan, agreed)
        led = {r.question for r in view.ledger.rationales if r.follow and r.value}  # questions that only led to others
        last = tuple(one for one in agreed if one.question not in led)
        found = answers.answer(last)
        return Conclusion(found.text, found.citations, "stated" if found.known else "unknown", found.worded_by)

    def _computed(self, view: View, plan: Plan, agreed: Sequence[Agreed]) -> Conclusion:
        if plan.tool in tasking.OF_TASTE:
            found = computing.compared(plan, agreed, self.embedder)
        else:
            found = computing.compute(plan, computing.facts(agreed))
        self.trace.emit(
            "compute", dialogue=view.dialogue, tool=plan.tool, entries=[str(fact.entry) for fact in found.used],
            rivals=[str(fact.entry) for fact in found.rivals], missing=list(found.missing), result=found.text,
        )  # fmt: skip
        told = answers.computed(found.text, found.sources, found.missing, found.endless)
        return Conclusion(told.text, told.citations, "derived" if told.known else "unknown", told.worded_by)


@dataclass
class _Work:
    """What one move comes to. ledger: as it will be once the notes are carried out."""

    mind: ReaderMind
    view: View
    agent: PersonalAgent
    ledger: Ledger
    kept: dict[str, Any]
    notes: list[Note] = field(default_factory=list)
    read_ids: list[str] = field(default_factory=list)
    searched: int = 0
    near: dict[str, float] = field(default_factory=dict)

    def moved(self, act: AskContact | Speak | Stop) -> Move:
        read = tuple(dict.fromkeys(self.read_ids))
        return Move(
            act, tuple(self.notes), read=read, searched=self.searched, kept=self.kept, near=self.near, mind=self.mind.name,
        )  # fmt: skip

    # --- planning ---

    async def plan(self) -> None:
        """Read what is asked. The instructor, at its first turn, splits the task; r0, the task itself, keeps a useless
        plan sound."""
        if self.view.top and self.view.turn == 0:
            await self._split()
        for rationale in self.ledger.rationales:
            if rationale.kind == "text" and not rationale.held:
                self._restate(rationale, rationale.question)

    async def _split(self) -> None:
        task, settings = self.view.task, self.mind.settings
        tool = self._tool()
        if tool is None and not any(chains.possible(task)):  # either reads more than the question proper
            self._restate(self.ledger["r0"], core(task))
        if not settings.infonav and tool is None:  # one unknown, however many questions the task asks
            return
        if tool is not None:
            self.kept["plan"] = appointments.plan_json(tool)
            for question, kind, subject in appointments.lists_of(tool):
                self._note(Note("add", question=question, kind=kind, subject=subject, part=True))
            self._emit("tool", **appointments.summary(tool))
        elif chain := await chains.split(self.mind.model, task, self._failed("plan")):
            kind = kinds.kind_of(chain.first)
            self._note(Note("add", question=chain.first, kind=kind, follow=chain.second, part=True))
        else:
            self._into_questions()
        self._emit("plan", questions=[r.question for r in self.ledger.rationales])

    def _into_questions(self) -> None:
        """The questions of a task that asks several."""
        asked = questions(self.view.task)
        for question in asked if len(asked) > 1 else ():
            self._note(Note("add", question=question, kind=kinds.kind_of(question), part=True))

    def _tool(self) -> Plan | None:
        """What the task wants computed; None for no tool."""
        if not self.mind.settings.tools:
            return None
        other = self.mind.agent_of(self.view.partner)
        known = {**self.agent.known_names, other.person: other.names}
        return tasking.read(self.view.task, known, (self.agent.name, other.name), self.agent.reader)

    def _restate(self, rationale: Rationale, question: str) -> None:
        kind = kinds.kind_of(question)
        whose = calendars.whose(question) if kind == "events" else tastes.whose(question) if kind == "tastes" else ""
        if (question, kind) != (rationale.question, rationale.kind):
            self._note(Note("restate", rationale.id, question, kind, whose or ""))

    # --- reading ---

    async def read(self) -> None:
        """Recall for every unknown from one's own memory, then fill, corroborate or contest."""
        if self.view.briefed and self.view.turn == 0:
            return
        seen: dict[str, list[str]] = {q: list(ids) for q, ids in self.kept.get("seen", {}).items()}
        self.kept["seen"] = seen
        for rationale in self.ledger.rationales:
            if self._listed(rationale):
                read = seen.setdefault(rationale.question, [])
                found = await asyncio.to_thread(
                    appointments.looked_up, self.agent, rationale, self.mind.settings, read, self.mind.embedder
                )
                self._learn(rationale.id, found)
        self._follow()
        looks = self._looks()
        recalls = [asyncio.create_task(look.recall()) for look in looks]  # they run on while what came first is read
        try:
            for look, recall in zip(looks, recalls, strict=True):
                recalled = await recall
                self.searched += recalled.searched
                value, near = await look.found(recalled)
                self._came(look, near)
                if value:
                    self._learn(look.rationale.id, [value])
            self._follow()
        finally:  # not a TaskGroup: it would hide a limit or a model that is gone inside an ExceptionGroup
            for recall in recalls:
                recall.cancel()
            await asyncio.gather(*recalls, return_exceptions=True)

    def _looks(self) -> list[Look]:
        """A look for each unknown, and for each claim that was heard just now."""
        heard, mind = self.view.heard, self.mind
        claims = {claim.question: claim for claim in (heard.claims if heard else ())}
        return [
            Look(mind.settings, mind.trace, self.agent, self.view, rationale, claims.get(rationale.question))
            for rationale in self.ledger.rationales
            if not self.ledger.is_whole(rationale)
            and not self._listed(rationale)
            and (not rationale.settled or rationale.question in claims)
            and (claims or rationale.question not in self.kept.get("read", ()))  # it would bring the same again
        ]

    def _came(self, look: Look, near: float | None) -> None:
        """Keep what was read, and how near it came."""
        question = look.rationale.question
        if look.claim is None:
            self.kept["read"] = [*self.kept.get("read", ()), question]
        if near is not None:
            self.near[question] = near

    def _listed(self, rationale: Rationale) -> bool:
        return self.mind.settings.tools and rationale.listed

    def _learn(self, rid: str, found: Sequence[tuple[str, Cite]]) -> None:
        """Note values with their evidence, and see the ledger as it will be."""
        learned: list[infonav.Found] = []
        for value, cite in found:
            self.read_ids.append(cite.id)
            self.notes.append(Note("fill", rid, value=value, cites=(cite,)))
            evidence = infonav.Evidence(cite.id, cite.also, self.agent.person, 0, cite.support or 0.0, cite.quote)
            learned.append((value, (evidence,), "stated"))
        self.ledger = infonav.learn_all(self.ledger, rid, learned, self.mind.settings.max_entries)

    def _follow(self) -> None:
        """Open the questions that known values complete."""
        for rationale in self.ledger.rationales:
            if rationale.follow and rationale.value:
                question = rationale.follow.replace("{}", chains.essence(rationale.value, rationale.question))
                if not self.ledger.find(question):
                    self._note(Note("add", question=question, kind=kinds.kind_of(question)))

    # --- asking and speaking ---

    async def next_question(self) -> AskContact | None:
        """The next contact worth asking, None when there is none. Closes what nobody is left to ask for."""
        view = self.view
        firm = self.mind.settings.firm
        found = consult.ready(self.ledger, asked_by_partner=view.pending, partner=view.partner, firm=firm)
        for rationale in found:
            if not self._listed(rationale) and (chosen := await self._contact_for(rationale)):
                return chosen
        for rationale in self.ledger.rationales if view.depth > 0 and view.budget > 0 else ():
            if self._listed(rationale):
                people = appointments.to_ask(self.agent, rationale, self._visited(rationale.question))
                if people:
                    return AskContact(people[0], rationale.question, rationale.id, "calendar", consult.NAMED)
        return None

    async def _contact_for(self, rationale: Rationale) -> AskContact | None:
        asked: dict[str, list[str]] = self.kept["asked"]
        of = asked.setdefault(rationale.id, [])
        answered = bool(of) and of[-1] not in rationale.declined_by
        if answered or len(of) >= self.mind.settings.fan_out:
            return None
        ranked, why = await self._candidates(rationale)
        if why:
            if not rationale.held:
                self._note(Note("give_up", rationale.id, why=why))
            return None
        best = ranked[0]
        of.append(best.person)
        return AskContact(best.person, rationale.question, rationale.id, best.reason, round(best.score, 3))

    async def _candidates(self, rationale: Rationale) -> tuple[Sequence[consult.Candidate], str]:
        """The contacts worth asking, best first; or why there are none."""
        question, view = rationale.question, self.view
        came = [view.near.get(question), self.near.get(question) if view.top else None]
        far = finding.FAR_ASKING if view.top and view.role == "instructor" else finding.FAR
        if any(near is not None and near >= far for near in came):
            return (), "what is remembered is near it, and does not tell"
        ranked = await asyncio.to_thread(consult.rank, self.agent, question, self._visited(question))
        if rationale.held:
            ranked = tuple(candidate for candidate in ranked if candidate.reason == "named")
        allowed = view.budget > 0 and view.depth > 0
        return ranked, "nobody left to ask" if not ranked else "" if allowed else "no right to ask further"

    def _visited(self, question: str) -> list[str]:
        view = self.view
        return [view.person, view.partner, *view.visited.get(question, ()), *view.kept_from.get(question, ())]

    def speech(self) -> Speak:
        """Answer what the partner asked, volunteer what both look for, and ask for what is still unknown."""
        view, ledger = self.view, self.ledger
        last_word = view.turns_left <= 2
        declines = [r.id for r in ledger.rationales if r.question in view.pending and (r.settled or last_word)]
        return Speak(
            "", tuple(r.id for r in ledger.rationales if self._wanted(r)), tuple(self._asks()), tuple(declines)
        )

    def _wanted(self, rationale: Rationale) -> bool:
        """Whether a value is to be told: the partner asked for it, or it does not come from the partner."""
        if self._listed(rationale):
            return True
        prefix = f"u:{self.view.dialogue}:"
        own = all(not item.id.startswith(prefix) for item in rationale.evidence)
        return bool(rationale.held) and (rationale.question in self.view.pending or own)

    def _asks(self) -> list[str]:
        """What to ask the partner: unknowns it has not been asked, and at first the task itself, to agree on it."""
        view = self.view
        instructor = view.role == "instructor"
        first = instructor and view.turn == 0
        return [
            r.id
            for r in self.ledger.rationales
            if view.partner not in r.asked_of
            and r.question not in view.pending
            and not self.ledger.is_whole(r)
            and (first or not r.settled)
            and (instructor or not view.top)
        ]

    # --- small parts ---

    def _note(self, note: Note) -> None:
        """Note a change, and see the ledger as it will be."""
        self.notes.append(note)
        self.ledger = noted(self.ledger, note)

    def _emit(self, kind: str, **fields: Any) -> None:
        self.mind.trace.emit(kind, dialogue=self.view.dialogue, person=self.view.person, **fields)

    def _failed(self, purpose: str) -> Callable[[str], None]:
        """Where a reply that could not be used is told: an event, never text in the conversation."""
        return lambda why: self._emit("model_failed", purpose=purpose, why=why)
