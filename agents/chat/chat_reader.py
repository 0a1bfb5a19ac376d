"""`ChatReader`: the mind of a chat that needs no capable model. It keeps what it is told, and answers in the words of the memory.

Nothing it says as a fact is its own wording: it quotes what was said, with who said it; what is not found is not known.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kithnet.agents.chat import statements
from kithnet.agents.chat.intents import Intent, asks, intent_of
from kithnet.agents.dialogue.speaking import who_said
from kithnet.agents.disclosure.policy import Action
from kithnet.agents.infonav.consensus import Agreed
from kithnet.agents.infonav.ledger import Rationale
from kithnet.agents.minds import finding
from kithnet.agents.minds.finding import Answer
from kithnet.agents.minds.mind import AskContact, Cite, Conclusion, Move, Note, Speak, View
from kithnet.agents.personal import OUTSIDE, PersonalAgent
from kithnet.agents.settings import Settings
from kithnet.agents.wording import content_stems, content_words, named_people
from kithnet.memory.language.text import sentences, words
from kithnet.memory.owner import Hit
from kithnet.memory.utterances import CHAT
from kithnet.memory.vectors import Embedder
from kithnet.runtime.trace import Trace

UNKNOWN = "I do not know that."
HELP = (
    "You can ask me what you told me or what others told you. Tell me what to remember, and correct it when it changes. "
    "I can also ask somebody you know for you: name them and say what to find out."
)
HELP_FOR_OTHERS = "You can ask me about what I may tell, or leave word with me."
HELLO, NOTED, HEARD = (
    "I am here: ask me something, or tell me what to remember.",
    "I will remember that.",
    "I have noted that.",
)
NOBODY = "I do not know whom to ask: name somebody you know."
NEWEST, NEAR = 60, 0.3
"""Statements of the owner's that are weighed beside what recall finds, and the cosine from which they may answer."""
_INDIRECT = re.compile(r"\b(?:whether|if|what|when|where|who|whom|whose|which|why|how)\b", re.IGNORECASE)
_FROM = "from|with|to|by"


@dataclass(frozen=True)
class ChatReader:
    """See the module."""

    agent_of: Callable[[str], PersonalAgent]
    settings: Settings
    trace: Trace
    embedder: Embedder | None = None
    name: str = "reader"
    wants_brief: bool = False

    async def move(self, view: View) -> Move:
        """See `Mind.move`. It asks whom it is told to ask, or answers and notes all of a message in one move."""
        work = _Work(self, view, self.agent_of(view.person))
        if (errand := view.kept.get("errand")) is not None:
            return work.heard_of(errand)
        return await work.move()

    async def conclude(self, view: View, agreed: Sequence[Agreed]) -> Conclusion:
        """A chat has no end that is concluded."""
        raise AssertionError("a chat is not concluded")


@dataclass
class _Work:
    """What one move comes to. said: lines of the reply. last: the memory that was spoken of last, "" for none."""

    mind: ChatReader
    view: View
    agent: PersonalAgent
    said: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    cites: list[str] = field(default_factory=list)
    last: str = ""

    @property
    def own(self) -> bool:
        return self.view.partner == OUTSIDE

    async def move(self) -> Move:
        heard = self.view.heard
        text = heard.text if heard else ""
        self.last = str(self.view.kept.get("last", ""))
        known = await asyncio.to_thread(self._statements) if self.own else []
        for sentence in sentences(text):
            people = self._people(sentence)
            names = self._names(sentence)
            intent = self._intent(sentence, names, corrects=self.own and bool(known))
            if intent == "errand" and self.view.depth > 0:
                if people:
                    return self._sent_out(people[0], sentence)
                self.said.append(NOBODY)
            else:
                await self._one(sentence, intent, known)
        return self._moved(Speak(" ".join(dict.fromkeys(self.said)) or HELLO, tuple(dict.fromkeys(self.cites))))

    def _intent(self, sentence: str, names: Sequence[str], *, corrects: bool) -> Intent:
        """What a sentence is for. What follows on "no, sorry" corrects, unless it is courtesy itself."""
        embedder = self.mind.embedder
        intent = intent_of(sentence, names, embedder, corrects=corrects)
        if intent == "talk" and statements.values(sentence) and not asks(sentence):
            intent = "tell"
        behind = statements.says_no(sentence) if corrects and intent in ("talk", "tell") else ""
        tells = content_words(behind) and intent_of(behind, names, embedder, corrects=True) in ("tell", "correct")
        return "correct" if tells or statements.values(behind) else intent

    def _moved(self, act: Speak | AskContact, **kept: Any) -> Move:
        read = tuple(dict.fromkeys(self.cites))
        return Move(act, tuple(self.notes), read=read, kept={"last": self.last, **kept}, mind=self.mind.name)

    async def _one(self, sentence: str, intent: Intent, known: Sequence[Hit]) -> None:
        """Do what one sentence of the message wants."""
        if intent == "help":
            self.said.append(HELP if self.own else HELP_FOR_OTHERS)
        elif intent == "talk" or not (content_words(sentence) or statements.values(sentence)):
            self.said.append(HELLO)
        elif intent in ("ask", "errand"):
            await self._answer(sentence)
        elif not self.own:
            self.said.append(HEARD)
        else:
            self._keep(sentence, intent, known)

    # --- what is told ---

    def _keep(self, sentence: str, intent: Intent, known: Sequence[Hit]) -> None:
        """Note a statement, in the place of an older one that it corrects or tells anew."""
        before = self.notes[-1] if self.notes and self.notes[-1].do in ("remember", "correct") else None
        if before is not None and statements.goes_on(sentence):
            self.notes[-1] = replace(before, value=f"{before.value} {sentence}")
            return
        new = statements.kept(sentence)
        old = statements.same_thing(new, known)
        if old is None and intent == "correct":
            last = next((hit for hit in known if hit.id == self.last), None)
            old = statements.meant(sentence, last, known)
            if old is not None and not statements.takes_back(old.text, sentence):
                old = None
        if old is None:
            self.notes.append(Note("remember", value=new))
            self.said.append(NOTED)
            return
        if intent == "correct":
            new = statements.corrected(old.text, sentence)
        self.notes.append(Note("correct", old.id, value=new))
        self.said.append(f"{NOTED.rstrip('.')}: “{new}” It was: “{old.text}”")

    def _statements(self) -> list[Hit]:
        """What the owner has told this agent and still holds, newest first."""
        me = self.agent.person
        noted = self.agent.memory.memories(about=me, limit=NEWEST)
        return [hit for hit in noted if hit.told_by == me and hit.kind != "summary"]

    # --- what is asked ---

    async def _answer(self, sentence: str) -> None:
        question = sentence if asks(sentence) else _indirect(sentence)
        found = await self._found(question)
        if found is None:
            self.said.append(UNKNOWN)
            return
        self.cites += [found.hit.id, *([found.before.id] if found.before else [])]
        self.last = found.hit.id if found.hit.kind != "message" else self.last
        rationale = self.view.ledger.find(question)
        if rationale:
            cite = Cite(found.hit.id, found.quote, found.sure)
            self.notes.append(Note("fill", rationale.id, value=found.value, cites=(cite,)))
        self.said.append(await asyncio.to_thread(self._told, found))

    async def _found(self, question: str) -> Answer | None:
        """What the memory says to a question, as far as the partner may be told."""
        agent = self.agent
        recalled = await agent.recall(question, k=finding.RANKED, budget=finding.BUDGET, partner=self.view.partner)
        hits = await asyncio.to_thread(self._candidates, question, recalled.hits)
        for one in await asyncio.to_thread(finding.answers, agent, question, hits):
            if one.sure < self.mind.settings.sure:
                break
            if self._tells_nothing(one.hit):
                continue
            now = await asyncio.to_thread(finding.renewed, agent, question, one)
            if self.own or await self._may_tell(now, question):
                return now
        return None

    def _told(self, found: Answer) -> str:
        """What was found, as who said it; what it took the place of is said to be past."""
        hit = found.hit
        past = self.agent.memory.past(hit.id) if hit.kind != "message" and self.own else []
        before = f" Before, it was: “{past[0].text}”" if past else ""
        own = self.own and hit.kind != "message" and hit.told_by == self.agent.person
        quote = hit.text if own else found.quote
        return f"{self._who(hit)}: “{quote}”{before}"

    def _who(self, hit: Hit) -> str:
        """Who said something, to whoever is being talked with."""
        if self.own and (hit.sender == OUTSIDE or (hit.kind != "message" and hit.told_by == self.agent.person)):
            return "You told me"
        said = who_said(self.agent, self.agent.evidence(hit))
        return (
            said if not self.own else f"You{said[1:]}" if said.startswith("I told") else re.sub(r"\bme$", "you", said)
        )

    def _candidates(self, question: str, recalled: Sequence[Hit]) -> list[Hit]:
        """What recall found and what the owner stated, without what only asks in a chat and what agents said.

        A statement is as near as its words are, or its meaning: what was told a moment ago is in no index yet.
        """
        hits = {hit.id: hit for hit in recalled if not self._tells_nothing(hit)}
        stated = [hit for hit in (self._statements() if self.own else ()) if hit.id not in hits]
        for hit, near in zip(stated, self._near(question, stated), strict=True):
            if near:
                hits[hit.id] = replace(hit, score=near)
        noted = {message for hit in hits.values() if hit.kind != "message" for message in hit.messages}
        return [hit for hit in hits.values() if hit.sender != OUTSIDE or hit.id not in noted]

    def _near(self, question: str, stated: Sequence[Hit]) -> list[float]:
        """How near each statement is to a question, in [0, 1]; 0 for one that cannot answer."""
        asked, embedder = content_stems(question), self.mind.embedder
        shared = [len(asked & content_stems(hit.text)) / max(1, len(asked)) for hit in stated]
        if embedder is None or not stated:
            return shared
        vectors = embedder.embed([question, *(hit.text for hit in stated)])
        cosines = np.clip(vectors[1:] @ vectors[0], 0.0, 1.0).tolist()
        return [
            max(words, float(cosine)) if words or cosine >= NEAR else 0.0
            for words, cosine in zip(shared, cosines, strict=True)
        ]

    def _tells_nothing(self, hit: Hit) -> bool:
        """Whether it is the message that is being answered, or one of a chat that asks an agent, or an agent's words."""
        if self.view.heard and hit.id == self.view.heard.id:
            return True
        if hit.kind != "message" or not hit.session.startswith(CHAT):
            return False
        return hit.sender == self.agent.person or all(
            intent_of(part, self._names(part), self.mind.embedder) != "tell" for part in sentences(hit.text)
        )

    def _names(self, sentence: str) -> list[str]:
        """The names in a sentence of people who can be asked."""
        return [word for person in self._people(sentence) for word in self._called(person)]

    async def _may_tell(self, found: Answer, question: str) -> bool:
        """Decide about the memories of an answer and write it down."""
        told = True
        for hit in (found.hit, found.before):
            if hit is not None and told:
                told = await self._weighed(hit, question)
        return told

    async def _weighed(self, hit: Hit, question: str) -> bool:
        evidence = self.agent.evidence(hit)
        item, decision = await self.agent.weigh(evidence, hit.text, hit.text, self.view.partner, question)
        action: Action = "tell" if decision.told else "refuse"
        self.agent.memory.disclose(
            [hit.id], partner=self.view.partner, task=question, rule=decision.rule, action=action
        )
        self.mind.trace.emit(
            "disclosure", dialogue=self.view.dialogue, **{"from": self.agent.person}, to=self.view.partner,
            messages=[hit.id], rule=decision.rule, action=decision.action, told=decision.told,
            sensitivity=item.sensitivity, task=question,
        )  # fmt: skip
        return decision.told

    # --- whom to ask ---

    def _people(self, sentence: str) -> list[str]:
        """Contacts that a sentence names, in their order."""
        names = {one.person: one.names for one in self.agent.contacts}
        return named_people(sentence, names) if self.own else []

    def _called(self, person: str) -> list[str]:
        """The ways a contact may stand in a sentence: whole names, and the first word of each."""
        called = self.agent.known_names.get(person, (person,))
        return list(dict.fromkeys([*called, *(name.split()[0] for name in called)]))

    def _sent_out(self, person: str, sentence: str) -> Move:
        question = errand(sentence, self._called(person))
        return self._moved(AskContact(person, question, why="told to"), errand={"person": person, "question": question})

    def heard_of(self, sent: dict[str, str]) -> Move:
        """Tell what came of an errand."""
        name = self.agent.known_names.get(sent["person"], (sent["person"],))[0]
        rationale = self.view.ledger.find(sent["question"])
        self.last = str(self.view.kept.get("last", ""))
        if rationale is None or not rationale.held:
            return self._moved(Speak(f"{name}'s agent had nothing to tell on that."))
        self.cites = [rationale.held[0].evidence[0].id]
        return self._moved(Speak(self._brought(rationale, name), tuple(self.cites)))

    def _brought(self, rationale: Rationale, name: str) -> str:
        held = rationale.held[0]
        quote = held.evidence[0].quote or held.value
        return f"{name} let me know: “{quote}”"


def _indirect(sentence: str) -> str:
    """The question in a sentence that asks without a question mark: "Tell me when it is." asks "when it is?"."""
    found = _INDIRECT.search(sentence)
    return f"{sentence[found.start() :] if found else sentence}".rstrip(" .!") + "?"


def errand(sentence: str, called: Sequence[str]) -> str:
    """What somebody is to be asked, without the order to ask: "find out from Leah whether she comes" -> "Does/whether"."""
    names = "|".join(re.escape(name) for name in sorted(called, key=len, reverse=True))
    place = re.search(rf"\b(?:(?:{_FROM}) )?(?:{names})\b(?:['’]s)?", sentence, re.IGNORECASE)
    before, after = (sentence[: place.start()], sentence[place.end() :]) if place else (sentence, "")
    name = called[0]
    for part in (after, before):
        if found := _INDIRECT.search(part):
            rest = part[found.start() :]
            break
    else:
        rest = after if content_words(after) else before
    rest = re.sub(r"^(?:whether|if)\b ?", "", rest.strip(" ,;:.?!"), flags=re.IGNORECASE)
    rest = re.sub(r",? (?:please|will you|would you|can you|could you)$", "", rest, flags=re.IGNORECASE)
    rest = re.sub(r"\b(?:she|he)\b", name, rest, count=1, flags=re.IGNORECASE)
    rest = re.sub(r"^(?:about|for) ", "", rest, flags=re.IGNORECASE)
    said = rest if {name.casefold()} & set(words(rest)) or _INDIRECT.match(rest) else f"{name}: {rest}"
    return f"{said[:1].upper()}{said[1:]}?"
