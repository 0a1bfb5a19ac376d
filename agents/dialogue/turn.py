"""The steps of a turn before speaking: listen, plan, update (recall first), consult; functions of the state."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kithnet.agents.dialogue import consult
from kithnet.agents.dialogue.state import Stage, State, Turn, turn_of, with_ledger
from kithnet.agents.dialogue.utterance import Claim
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.ledger import Evidence, Ledger, Rationale
from kithnet.agents.minds.rules import appointments, attributes, chains, persons, reading
from kithnet.agents.minds.rules.reading import Passage
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.wording import content_stems, questions
from kithnet.memory.owner import Recall
from kithnet.runtime.errors import LimitExceeded

Update = dict[str, Any]
LIMIT = "limit: "
"""How the reason begins that a dialogue stopped for when a limit of the model was reached."""
AskThird = Callable[[State, str, str, str, consult.Reach, int], Awaitable[State]]


def listen(state: State, stage: Stage) -> Update:
    """Take in the partner's last utterance: claims become evidence, questions become unknowns of one's own."""
    turn = turn_of(state)
    ledger, pending = turn.ledger, list(turn.pending)
    before = infonav.to_json(ledger)
    if turn.heard:
        claims: dict[str, list[tuple[str, tuple[Evidence, ...]]]] = {}
        for claim in turn.heard.claims:
            claims.setdefault(claim.question, []).append((claim.value, (claim.heard_in(turn.heard.id),)))
        for question, told in claims.items():
            ledger = infonav.open_rationale(ledger, question)
            if rationale := ledger.find(question):
                ledger = _learned(stage, state["id"], ledger, rationale.id, told)
        for question in turn.heard.declined:
            if rationale := ledger.find(question):
                ledger = infonav.decline(ledger, rationale.id, turn.partner)
        for question in turn.heard.asks:
            ledger = infonav.open_rationale(ledger, question)
            pending.append(question)
    return {
        "ledgers": with_ledger(state, ledger),
        "pending": {**state["pending"], turn.speaker: pending},
        "before": before,
    }


async def plan(state: State, stage: Stage) -> Update:
    """At the instructor's first turn, split the task; r0, the task itself, keeps a useless plan sound."""
    turn = turn_of(state)
    if not (state["top"] and state["turn"] == 0):
        return {}
    if not stage.settings.infonav:  # one unknown, however many questions the task asks
        whole = replace(infonav.new_ledger(turn.speaker, state["task"]), turn=turn.ledger.turn)
        return {"ledgers": with_ledger(state, whole)}
    ledger = turn.ledger
    added: tuple[str, ...] = ()
    tool = appointments.plan_of(state, stage)
    if tool is not None:
        ledger = appointments.opened(ledger, tool)
        stage.trace.emit("tool", dialogue=state["id"], person=turn.speaker, **appointments.summary(tool))
    elif chain := await chains.split(stage.model, state["task"], _failure(stage, turn, "plan")):
        ledger = infonav.whole(infonav.open_rationale(ledger, chain.first, chain.second))
    elif len(questions(state["task"])) < 2:
        failed = _failure(stage, turn, "plan")
        added = await reading.plan(stage.model, state["task"], stage.settings, failed)
    for question in added:
        ledger = infonav.open_rationale(ledger, question)
    stage.trace.emit(
        "plan", dialogue=state["id"], person=turn.speaker, questions=[r.question for r in ledger.rationales]
    )
    return {"ledgers": with_ledger(state, ledger)}


async def update(state: State, stage: Stage) -> Update:
    """Recall for every unknown from one's own memory, then fill, corroborate or contest."""
    turn = turn_of(state)
    agent = stage.agent_of(turn.speaker)
    ledger, searched = turn.ledger, state["searched"]
    seen = {question: list(ids) for question, ids in state["seen"][turn.speaker].items()}
    if turn.speaker in state["briefed"] and state["turn"] == 0:
        return {}
    for rationale in ledger.rationales:
        if appointments.is_list(rationale, stage.settings):
            read = seen.setdefault(rationale.question, [])
            found = await asyncio.to_thread(
                appointments.looked_up, agent, rationale, stage.settings, read, stage.embedder
            )
            ledger = _learned(stage, state["id"], ledger, rationale.id, found)
    ledger = infonav.followed(ledger)
    claims = {claim.question: claim for claim in (turn.heard.claims if turn.heard else ())}
    looks = [
        _Look(stage, agent, turn, rationale, claims.get(rationale.question), seen.setdefault(rationale.question, []))
        for rationale in ledger.rationales
        if not ledger.is_whole(rationale)
        and not appointments.is_list(rationale, stage.settings)
        and (not rationale.settled or rationale.question in claims)
    ]
    recalls = [
        asyncio.create_task(look.recall()) for look in looks
    ]  # they run on while the model reads what came first
    stopped = state["stopped"]
    try:
        for look, recall in zip(looks, recalls, strict=True):
            recalled, shown = await recall
            searched += recalled.searched
            if value := await look.found(recalled, shown):
                ledger = infonav.learn(ledger, look.rationale.id, *value)
        ledger = infonav.followed(ledger)
    except LimitExceeded as limit:  # what was learned before it is kept
        stage.trace.emit("limit", dialogue=state["id"], why=limit.message)
        stopped = f"{LIMIT}{limit.message}"
    finally:  # not a TaskGroup: it would hide a limit or a model that is gone inside an ExceptionGroup
        for recall in recalls:
            recall.cancel()
        await asyncio.gather(*recalls, return_exceptions=True)
    return {
        "ledgers": with_ledger(state, ledger),
        "seen": {**state["seen"], turn.speaker: seen},
        "searched": searched,
        "stopped": stopped,
    }


@dataclass(frozen=True)
class _Look:
    """One look into the speaker's memory for one rationale.

    A value that was heard (`claim`) is checked against the owner's own memory by its words; an unknown is read by
    the model, which is shown each memory once: `seen` holds their ids. Later looks go wider and take in the words
    heard meanwhile.
    """

    stage: Stage
    agent: PersonalAgent
    turn: Turn
    rationale: Rationale
    claim: Claim | None
    seen: list[str]

    async def recall(self) -> tuple[Recall, list[Passage]]:
        """What the memory holds, and what of it is to be read."""
        started, question, settings = time.perf_counter(), self.rationale.question, self.stage.settings
        heard = self.turn.heard.claims if self.turn.heard else ()
        hint = self.claim.value if self.claim else " ".join(claim.value for claim in heard)
        if self.stage.embedder and not self.claim:
            embedder = self.stage.embedder
            also = await asyncio.to_thread(attributes.paraphrases, question, embedder)
            hint = f"{hint} {also}".strip()
        if settings.memory:
            recalled = await self.agent.recall(
                question,
                k=settings.k * (2 if self.seen else 1),
                budget=settings.budget_tokens,
                hint=hint,
                partner=self.turn.partner,
            )
            recalled = joined(recalled, await self._told())
        else:
            recalled = await self.agent.latest(k=settings.k, budget=settings.budget_tokens)
        fresh = [hit for hit in recalled.hits if hit.id not in self.seen]
        self.seen.extend(hit.id for hit in fresh)
        people = [name for called in self.agent.known_names.values() for name in called]
        shown = await asyncio.to_thread(
            reading.passages,
            self.agent.memory,
            fresh,
            question,
            self.agent.named(question),
            self.stage.embedder,
            people,
        )
        self._emit(
            "recall", hint=hint, hits=[[hit.id, round(hit.score, 3)] for hit in recalled.hits],
            searched=recalled.searched, mode=recalled.mode, seconds=round(time.perf_counter() - started, 4),
        )  # fmt: skip
        return recalled, shown

    async def _told(self) -> Recall | None:
        """What the memory holds on the people asked about in the words in which such things are told, if it is known."""
        question, embedder, settings = self.rationale.question, self.stage.embedder, self.stage.settings
        named = self.agent.named(question)
        if embedder is None or self.claim or not named:
            return None
        told = await asyncio.to_thread(attributes.tellings, question, embedder)
        names = " ".join(called[0] for called in named.values())
        return (
            await self.agent.recall(
                f"{names}: {told}", k=settings.k, budget=settings.budget_tokens, partner=self.turn.partner
            )
            if told
            else None
        )

    async def found(self, recalled: Recall, shown: Sequence[Passage]) -> tuple[str, tuple[Evidence, ...]] | None:
        """What the look adds to the ledger: a value and its evidence."""
        settings = self.stage.settings
        if self.claim:
            wanted = content_stems(self.claim.value)
            fitting = (h for h in recalled.hits if h.score >= settings.support and wanted <= content_stems(h.text))
            own = next(fitting, None) if wanted else None
            if own is None:
                return None
            quote = reading.sentence_with(self.claim.value, own.text)
            support = min(own.score, self.claim.support)  # the same words are no better evidence than the claim
            return self.claim.value, (replace(self.agent.evidence(own), quote=quote, support=support),)
        if self.rationale.kind == "person":
            return self._person(shown)
        failed = _failure(self.stage, self.turn, "copy")
        finding = await reading.read(self.stage.model, self.rationale.question, shown, settings, failed)
        if finding is None:
            return None
        evidence = self.agent.evidence(finding.passage.hit)
        asked = finding.passage.asked
        sources = tuple(dict.fromkeys((*evidence.sources, *((asked.id,) if asked else ()))))
        evidence = replace(evidence, support=finding.passage.score, quote=finding.quote, sources=sources)
        self._emit(
            "found", value=finding.value, evidence=evidence.id, support=round(evidence.support, 3), copied=finding.copied
        )  # fmt: skip
        return finding.value, (evidence,)

    def _person(self, shown: Sequence[Passage]) -> tuple[str, tuple[Evidence, ...]] | None:
        """Whom the best memory is about: the speaker who says "I", else the one it names."""
        fitting = [passage for passage in shown if passage.score >= self.stage.settings.support]
        if not fitting:
            return None
        passage = reading.telling(fitting, self.rationale.question)
        name = persons.whom(passage.hit, self.agent.known_names, self.rationale.question)
        if not name:
            return None
        evidence = replace(self.agent.evidence(passage.hit), support=passage.score, quote=passage.hit.text)
        self._emit("found", value=name, evidence=evidence.id, support=round(passage.score, 3), copied=False)
        return name, (evidence,)

    def _emit(self, kind: str, **fields: Any) -> None:
        self.stage.trace.emit(
            kind, dialogue=self.turn.state["id"], person=self.agent.person, question=self.rationale.question, **fields
        )


def joined(recalled: Recall, more: Recall | None) -> Recall:
    """What two searches found, each memory once; what is below the first one's hits stays below them."""
    if more is None:
        return recalled
    have = {hit.id for hit in recalled.hits}
    least = min((hit.score for hit in recalled.hits), default=1.0)
    added = tuple(replace(hit, score=min(hit.score, least)) for hit in more.hits if hit.id not in have)
    return replace(recalled, hits=(*recalled.hits, *added), searched=recalled.searched + more.searched)


def wants_third(state: State, stage: Stage) -> bool:
    """Whether anything is worth a third party at this turn."""
    turn = turn_of(state)
    return bool(_ready(turn, stage)) or any(_calendars(turn, stage))


def _ready(turn: Turn, stage: Stage) -> tuple[Rationale, ...]:
    firm = stage.settings.firm
    found = consult.ready(turn.ledger, asked_by_partner=turn.pending, partner=turn.partner, firm=firm)
    return tuple(one for one in found if not appointments.is_list(one, stage.settings))


def _calendars(turn: Turn, stage: Stage) -> Iterator[tuple[Rationale, list[str]]]:
    """Calendars that people in reach should be asked for, and whom."""
    agent, state = stage.agent_of(turn.speaker), turn.state
    for rationale in turn.ledger.rationales if state["depth"] > 0 and state["budget"] > 0 else ():
        if appointments.is_list(rationale, stage.settings):
            visited = {*state["pair"], *state["visited"].get(rationale.question, ())}
            if people := appointments.to_ask(agent, rationale, sorted(visited)):
                yield rationale, people


async def consult_third(state: State, stage: Stage, ask_third: AskThird) -> Update:
    """Put what is still unknown to third parties; their conclusions come back as heard evidence."""
    turn = turn_of(state)
    agent = stage.agent_of(turn.speaker)
    number = sum(entry["by"] in state["pair"] for entry in state["consulted"])
    work = _Asking(
        turn.ledger, dict(state["visited"]), state["budget"], list(state["consulted"]), state["searched"], number
    )
    for rationale in _ready(turn, stage):
        if not work.stopped:
            await _ask_around(state, stage, agent, turn, rationale, work, ask_third)
    for rationale, people in _calendars(turn, stage):
        for person in people:
            if not work.stopped and work.budget > 0:
                why = consult.Candidate(person, consult.NAMED, "calendar")
                await _ask_one(state, stage, agent, rationale, why, work, ask_third)
    return {
        "ledgers": with_ledger(state, work.ledger),
        "visited": work.visited,
        "budget": work.budget,
        "consulted": work.consulted,
        "searched": work.searched,
        "disclosures": [*state["disclosures"], *work.disclosures],
        "stopped": work.stopped,
    }


@dataclass
class _Asking:
    """What consulting changes while it goes on. stopped: the limit that a consultation met; it is the task's limit."""

    ledger: Ledger
    visited: dict[str, list[str]]
    budget: int
    consulted: list[dict[str, Any]]
    searched: int
    number: int
    disclosures: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = ""


async def _ask_around(
    state: State,
    stage: Stage,
    agent: PersonalAgent,
    turn: Turn,
    rationale: Rationale,
    work: _Asking,
    ask_third: AskThird,
) -> None:
    """Ask up to fan_out contacts about one rationale, until one knows; close it when nobody is left to ask."""
    question = rationale.question
    visited = work.visited.setdefault(question, sorted({*state["pair"]}))
    ranked = await asyncio.to_thread(consult.rank, agent, question)
    if rationale.held:
        ranked = tuple(candidate for candidate in ranked if candidate.reason == "named")
    for _ in range(stage.settings.fan_out):
        candidates = [candidate for candidate in ranked if candidate.person not in visited]
        if not candidates or work.budget <= 0 or state["depth"] <= 0:
            reason = "nobody left to ask" if not candidates else "no right to ask further"
            if not rationale.held:
                work.ledger = infonav.unavailable(work.ledger, rationale.id, reason)
            return
        if await _ask_one(state, stage, agent, rationale, candidates[0], work, ask_third) or work.stopped:
            return


async def _ask_one(
    state: State, stage: Stage, agent: PersonalAgent, rationale: Rationale, chosen: consult.Candidate, work: _Asking,
    ask_third: AskThird,
) -> bool:  # fmt: skip
    """Put a question to one contact; returns whether it was answered."""
    question = rationale.question
    visited = work.visited.setdefault(question, sorted({*state["pair"]}))
    if chosen.person in visited:  # somebody asked on the way has asked them meanwhile
        return False
    visited.append(chosen.person)
    work.ledger = infonav.ask(work.ledger, rationale.id, chosen.person)
    reach = consult.Reach(state["depth"] - 1, work.budget - 1, frozenset(visited))
    stage.trace.emit(
        "consult", dialogue=state["id"], person=agent.person, asks=chosen.person, question=question,
        reason=chosen.reason, score=round(chosen.score, 3), depth=reach.depth,
    )  # fmt: skip
    work.number += 1
    ended = await ask_third(state, agent.person, chosen.person, question, reach, work.number)
    return _take_back(
        stage, work, agent.person, chosen.person, rationale.id, question, state["id"], state["turn"], ended
    )


def _take_back(
    stage: Stage, work: _Asking, me: str, third: str, rid: str, question: str, parent: str, turn: int, ended: State
) -> bool:
    """Bring a consultation's conclusion into one's own ledger; returns whether it answered."""
    work.budget = ended["budget"]
    work.searched += ended["searched"]
    work.disclosures.extend(ended["disclosures"])
    work.stopped = ended["stopped"] if ended["stopped"].startswith(LIMIT) else ""
    work.visited[question].extend(p for p in ended["visited"].get(question, []) if p not in work.visited[question])
    learned = infonav.from_json(ended["ledgers"][me])["r0"]
    entry = {
        "by": me,
        "person": third,
        "question": question,
        "dialogue": ended["id"],
        "within": parent,
        "turn": turn,
        "answered": bool(learned.held),
    }
    work.consulted.extend([{**entry, "utterances": ended["utterances"]}, *ended["consulted"]])
    told = [(held.value, held.evidence) for held in learned.held]
    work.ledger = _learned(stage, parent, work.ledger, rid, told)
    if not learned.held:
        work.ledger = infonav.decline(work.ledger, rid, third)
    return bool(learned.held)


def _learned(
    stage: Stage, dialogue: str, ledger: Ledger, rid: str, found: Sequence[tuple[str, tuple[Evidence, ...]]]
) -> Ledger:
    """The ledger with what was found or told; a list that was cut is an event."""
    new = infonav.learn_all(ledger, rid, found, stage.settings.max_entries)
    if new[rid].cut > ledger[rid].cut:
        stage.trace.emit(
            "cut", dialogue=dialogue, person=ledger.owner, question=new[rid].question, kept=len(new[rid].held),
            left_out=new[rid].cut - ledger[rid].cut,
        )  # fmt: skip
    return new


def _failure(stage: Stage, turn: Turn, purpose: str) -> Callable[[str], None]:
    """Where a reply that could not be used is told: an event, never text in the conversation."""
    return lambda why: stage.trace.emit(
        "model_failed", dialogue=turn.state["id"], person=turn.speaker, purpose=purpose, why=why
    )
