"""How sensitive a message is: asked for silence, or of a matter that is delicate in itself, by words and by meaning."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal

import numpy as np

from kithnet.agents.minds.rules import sides
from kithnet.agents.minds.rules.likeness import Likeness
from kithnet.memory.language.text import sentences, stem, words
from kithnet.memory.vectors import Embedder

Sensitivity = Literal["ordinary", "private", "confidence"]


@dataclass(frozen=True, slots=True)
class Item:
    """Something an agent is about to tell: messages of its own memory and the words it would repeat.

    shared_with: who was there when it was said. audience: the only people it may be told, None for everybody. id: of the
    agent's own message or memory ("m17", "k4"), "" where it only heard of it.
    """

    messages: tuple[str, ...]
    text: str
    value: str
    sensitivity: Sensitivity
    shared_with: frozenset[str]
    at: datetime | None = None
    audience: frozenset[str] | None = None
    id: str = ""


MATTER, TRUST, NEARBY = 1.2, 0.9, 1.4
"""How far a sentence must score above ordinary talk, of about 2 where it is clear: as a matter, as told in trust, and as told
in trust in a message beside the one that is judged. At 0.35, 0.5 and 1.0 a quarter as many confidences slip through, and
agents keep back so much that every sixth question of a generated world that they could answer goes unanswered."""


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


DELICATE = _lines("""
    The scan showed a tumour.
    I was diagnosed with diabetes last month.
    The doctor says it is chronic and will get worse.
    I have to have an operation on my bowel.
    My test results came back positive.
    She suffers from bulimia.
    He is an alcoholic.
    I see a psychiatrist every week.
    I take tablets against anxiety.
    I had a breakdown and could not leave the house.
    I have thought of killing myself.
    He was in a psychiatric hospital.
    My mother is dying.
    I lost the baby.
    I am expecting a child.
    We have been trying for a child without success.
    I can't pay my bills.
    I have debts of twenty thousand.
    The bank has cancelled our account.
    We are going to lose our home.
    I earn three thousand a month.
    I was paid a bonus of ten thousand.
    I lost everything in a casino.
    I borrowed money and can't give it back.
    I owe the tax office a fortune.
    I came into a lot of money.
    I cheated on my wife.
    I have been seeing somebody behind his back.
    I am in love with my best friend's husband.
    We sleep in separate rooms.
    Our marriage is finished.
    She wants to leave him.
    I am attracted to men.
    He beats his wife.
    I was abused as a child.
    I kissed her when he was not there.
    I have feelings for a colleague.
    I was sentenced for theft.
    The police are after my brother.
    I took money that was not mine.
    I forged the signature.
    I lied about my qualifications.
    I copied in the exam.
    I drove away after the accident.
    I have been dismissed and told nobody at home.
    I am looking for another job and my boss has no idea.
    The firm is going to be closed, they don't know it yet.
    I am under investigation.
    My papers are not in order, I have no visa.
    The code of the alarm is my birthday.
    He has a drug problem.
    My hearing is getting worse and I hide it.
    I never graduated, whatever they believe.
    We married in secret.
    I pretend that all is well.
""")
TRUSTED = _lines("""
    Please don't tell anybody.
    Keep it to yourself, will you?
    This has to stay between the two of us.
    Nobody else knows about it.
    You are the first person I tell.
    I haven't told anyone so far.
    I trust you not to pass it on.
    He must never find out.
    They mustn't hear of it.
    My family has no idea.
    Only my sister knows.
    It isn't public yet.
    It would be a disaster if it came out.
    She would kill me if she knew that I told you.
    I'd rather keep it private.
    I don't want people to talk about it.
    It's a surprise, so not a word to her.
    Swear to me that you'll keep quiet.
    Say nothing to the others.
    This is not meant for other ears.
    I told you in confidence.
    We keep up appearances for now.
    She wants nobody to know.
    Officially nobody knows anything.
""")
ORDINARY = _lines("""
    I take the tram to the office.
    My dentist moved to another street.
    I work in a bank.
    He is a doctor at the hospital.
    She studies law.
    The doctor in the film was funny.
    I read a thriller about a murder.
    We watched a series about a family that breaks apart.
    I am allergic to strawberries.
    I'm afraid of dogs.
    I had a cold, but I'm well again.
    I broke my leg when skiing.
    I wear glasses.
    I got a new bicycle for my birthday.
    I paid ten euros for lunch.
    I'm saving for a holiday.
    I spent too much on shoes.
    They are married and have two children.
    The wedding was lovely.
    He proposed to her in front of everybody.
    She has a new boyfriend.
    I'm in love with this song.
    My heart beats for chess.
    She told everybody about it at dinner.
    Everyone knows about the party.
    I told my sister about the new flat.
    Did you hear the news on the radio?
    My boss praised me in the meeting.
    I got a better job and celebrated with friends.
    I stopped smoking.
    I hate mornings.
    I can't stand onions.
    I love hiking.
    I collect stamps.
    My brother plays the guitar.
    She lives above the bakery.
    He drives a red car.
    We painted the kitchen.
    My cousin is a nurse.
    The neighbour is a policeman.
    I lost my keys.
    I forgot the password of the computer again.
    I locked the bike in the shed.
    I slept well.
    I'm tired.
    I ran a long way.
    I'm learning to cook.
    We talked all night.
    The shop closes at six.
    The weather is bad.
    How are you?
    What does he do?
    Can you lend me a book?
    I promise to come on time.
    I owe you a drink.
    I'm bad at football.
    She won a prize.
    My uncle is ninety.
    My parents live by the sea.
    Our team lost.
    He never learned to swim.
    I cut my hair.
    I'm moving to a new house in May.
    We're having a baby shower for her on Sunday, come along.
    I eat no meat.
    My wife and I go dancing.
    The bank on the corner is closed on Mondays.
    He used to be in the army.
    I drink a lot of tea.
    I'm dying to see that film.
    The secret of a good soup is time.
    I passed the exam!
    While I think of it, I have news.
    You will never guess what happened.
    I can hardly believe it.
    It is hard to believe, I know.
    I would not have thought so.
    Tell the hairdresser that you know me.
""")


@lru_cache(maxsize=2)
def _kinds(embedder: Embedder) -> Likeness:
    return Likeness(
        {"delicate": DELICATE, "trusted": TRUSTED, "ordinary": (*ORDINARY, *sides.PHATIC, *sides.TALK)}, embedder
    )


def judge(parts: Sequence[str], embedder: Embedder) -> list[tuple[float, float]]:
    """How far each sentence scores above ordinary talk: as a delicate matter, and as told in trust."""
    if not parts:
        return []
    scores = _kinds(embedder).scores(parts)  # type: ignore[arg-type]  # an object: it can be hashed
    return [(float(delicate - ordinary), float(trusted - ordinary)) for delicate, trusted, ordinary in scores]


CONFIDENCE_EXAMPLES = (
    # asking for silence
    "Please keep this between us.",
    "Don't tell anyone about this.",
    "Promise you won't repeat this to anybody.",
    "Not a word to the others.",
    "It goes no further than you.",
    "This must not get around.",
    "Please, no gossip about this.",
    "This is for your eyes only.",
    "Guard this with your life.",
    "Lock it away and forget it.",
    "Take it to the grave.",
    "Don't let it slip to anyone.",
    "Please be discreet about this.",
    # why
    "This is a secret.",
    "I'm only telling you.",
    "I haven't told anybody else.",
    "You are the only one who knows.",
    "I would be so embarrassed if people found out.",
    "Nobody is supposed to know.",
    "Can you keep a secret?",
    # promising silence
    "I won't tell anyone.",
    "Your secret is safe with me.",
    "My lips are sealed.",
    "Wild horses couldn't drag it out of me.",
    "I am silent as the grave.",
    "I have already forgotten it.",
    "Locked up, and I threw away the key.",
)
OPEN_EXAMPLES = (
    "Tell everyone the good news!",
    "Did you hear what happened yesterday?",
    "I told them all about it at dinner.",
    "Let me know when you get there.",
    "Tell your sister, she will love it.",
    "Nobody knows where the keys are.",
    "I can't tell which one is better.",
    "I promise to be on time.",
    "I have never told you about my trip.",
    "Don't forget to call them.",
    "Please pass me the salt.",
    "I don't know anyone there.",
    "Keep it, I have another one.",
    "You can tell me later.",
    "I forgot my keys at home again.",
    "We locked the door and went to bed.",
    "She looked embarrassed at the party.",
    "Please don't judge me.",
    "It was a horse race.",
    "Don't be late.",
    "I know, right?",
    # what opens news, and surprise at it: such words ask for nothing
    "While I think of it.",
    "Before it slips my mind.",
    "I almost forgot to mention it.",
    "By the way, I have news.",
    "You will never guess what happened.",
    "I can hardly believe it.",
    "Can you believe that?",
    "I would not have thought so.",
    "Who would have guessed that?",
    "He does not talk to me any more.",
)
_CONFIDENCE_PHRASES = tuple(
    tuple(phrase.split())
    for phrase in """
    between us, between you and me, between the two of us, keep it quiet, keep this quiet, keep it to yourself,
    keep this to yourself, keep that to yourself, in confidence, confidential, not a word, our secret, a secret,
    my secret, don't tell, do not tell, dont tell, don't breathe, don't mention, don't repeat, don't share,
    promise not to, mum's the word, off the record, nobody else knows, no one else knows, for your ears only,
    stays with you, stays here, stays with me, goes no further, tell nobody, tell no one, swear you, pass this on,
    pass it on, lips are sealed, leave this room, leave the room, hush hush, keep mum, be discreet, under wraps,
    nobody needs to know, nobody should know, no one should know, nobody must know, no one must know, delete this,
    burn this""".split(",")
)
_PRIVATE_STEMS = frozenset(
    stem(word)
    for word in """pregnant pregnancy miscarriage diagnosis diagnosed cancer tumour tumor hiv std depression depressed
    therapy therapist psychiatrist medication rehab addicted addiction alcoholic overdose suicide salary debt bankrupt
    bankruptcy loan mortgage fired redundant lawsuit arrested prison probation affair cheating divorce divorcing
    abortion adoption password pin abuse""".split()
)


NONE = -9.0
"""A mark that is nowhere near any threshold."""
MOST_KNOWN = 50_000
"""Sentences that are remembered with what they are marked as."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What a sentence shows. silence: it asks for it. matter, trust: how far above ordinary talk, as a delicate matter and as
    told in trust."""

    silence: bool
    matter: float = NONE
    trust: float = NONE


def _matter(marks: Marks) -> float:
    return marks.matter


def _trust(marks: Marks) -> float:
    return marks.trust


class Discretion:
    """Tells how sensitive a message is, from its words and the messages around it.

    Phrases of confidence are found by a word list and, where an embedder is given, by meaning: a message nearer to
    examples of confidence than to examples of openness, by a margin, counts whatever its wording. Sentences are
    compared one by one. A regression over further examples finds delicate matters and what is told in trust (`judge`). It
    errs towards confidence: a needless refusal harms less than a leak.
    """

    NEAR = 0.40
    MARGIN = 0.15

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder
        self._marks: dict[str, Marks] = {}
        self._confidence = embedder.embed(CONFIDENCE_EXAMPLES) if embedder else None
        self._open = embedder.embed(OPEN_EXAMPLES) if embedder else None

    def of(self, text: str, around: Sequence[str] = ()) -> Sensitivity:
        """Sensitivity of `text`, said amid the messages `around` (same session, nearest few)."""
        self.read((text, *around))
        own, beside = self._of(text), [self._of(other) for other in around]
        if own.silence or any(one.silence for one in beside):
            return "confidence"
        if own.trust >= TRUST or any(one.trust >= NEARBY for one in beside):
            return "confidence"
        if {stem(word) for word in words(text)} & _PRIVATE_STEMS or own.matter >= MATTER:
            return "private"
        return "ordinary"

    def read(self, texts: Sequence[str]) -> None:
        """Judge the sentences of texts that were not seen before, all at once: one call of the embedder is quicker than many."""
        parts = dict.fromkeys(part for text in texts for part in sentences(text))
        fresh = [part for part in parts if part not in self._marks]
        if not fresh:
            return
        if len(self._marks) > MOST_KNOWN:
            self._marks.clear()
        silence = [_has_phrase(part) for part in fresh]
        if self._embedder is None or self._confidence is None or self._open is None:
            self._marks.update((part, Marks(asks)) for part, asks in zip(fresh, silence, strict=True))
            return
        vectors = self._embedder.embed(fresh)
        near = np.max(vectors @ self._confidence.T, axis=1)
        away = np.max(vectors @ self._open.T, axis=1)
        meant = (near >= self.NEAR) & (near - away >= self.MARGIN)
        judged = judge(fresh, self._embedder)
        for part, asks, by_meaning, (matter, trust) in zip(fresh, silence, meant, judged, strict=True):
            self._marks[part] = Marks(asks or bool(by_meaning), matter, trust)

    def _of(self, text: str) -> "Marks":
        """The most that any sentence of a text is marked."""
        marks = [self._marks[part] for part in sentences(text)]
        silence = _has_phrase(text) or any(one.silence for one in marks)
        matter, trust = (max((get(one) for one in marks), default=NONE) for get in (_matter, _trust))
        return Marks(silence, matter, trust)


def stronger(left: Sensitivity, right: Sensitivity) -> Sensitivity:
    """The more sensitive of the two."""
    order: tuple[Sensitivity, ...] = ("ordinary", "private", "confidence")
    return max(left, right, key=order.index)


def _has_phrase(text: str) -> bool:
    spoken = words(text)
    return any(
        tuple(spoken[at : at + len(phrase)]) == phrase
        for phrase in _CONFIDENCE_PHRASES
        for at in range(len(spoken) - len(phrase) + 1)
    )
