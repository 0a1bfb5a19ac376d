"""Reading: from recalled memories to a value with evidence. Code carries the structure, the model fills it."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import dropwhile

from kithnet.agents.minds.rules import attributes
from kithnet.agents.minds.rules.fitness import Fitness
from kithnet.agents.personal import CHAT
from kithnet.agents.prompting import prompt, shaped
from kithnet.agents.settings import Settings
from kithnet.agents.wording import (
    content_stems,
    normalise,
    only_asks,
    sentences,
    told,
    words,
)
from kithnet.memory.owner import Hit, OwnerMemory
from kithnet.memory.vectors import Embedder
from kithnet.runtime.chat import ChatModel, ReplySpec
from kithnet.runtime.errors import ContextOverflow, ReplyInvalid

LONGEST_VALUE = 24
LONGEST_QUOTE = 40
NONE = "none"
SHORT = 12
"""Words of a message that may say nothing without the question before it."""
RENEWED = 3
"""Of the best passages, how many are followed to what their speakers said later."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A memory that may answer: `hit` holds the words, `asked` the question it replies to, if it is a reply. part: the one
    sentence of it that tells what is asked for, "" where there is no such one."""

    hit: Hit
    score: float
    asked: Hit | None = None
    part: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.hit.id, self.asked.id) if self.asked else (self.hit.id,)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the owner's memory says to a question.

    value: words that stand in the memory. quote: the sentence around them. copied: False when the model's words were
    not in the memory, so that the sentence itself is the value.
    """

    passage: Passage
    value: str
    quote: str
    copied: bool


def passages(
    memory: OwnerMemory,
    hits: Sequence[Hit],
    question: str,
    named: Mapping[str, Sequence[str]],
    embedder: Embedder | None = None,
    people: Collection[str] = (),
) -> list[Passage]:
    """What to read of the hits, best first: where one is a question, the reply that the other side gave to it; where
    the speaker later took one of the best back, what holds since.

    named: people the question is about, with their names. Scores are `fitness`: how likely each one answers.
    people: all names the owner knows people by.
    """
    fitness = Fitness(memory, question, named)
    hybrid = any(hit.cosine is not None for hit in hits)
    pairs = list(replies(memory, hits))
    texts = [(asked.text if asked else "", said.text) for said, asked in pairs]
    told = attributes.judge(question, texts, embedder, people) if embedder else [None] * len(pairs)
    found = [
        Passage(said, fitness.of(said, asked, hybrid=hybrid, told=side), asked, side.part if side else "")
        for (said, asked), side in zip(pairs, told, strict=True)
    ]
    found.sort(key=lambda passage: -passage.score)
    renewed = [_renewed(memory, passage, question, embedder) for passage in found[:RENEWED]]
    return _once([*renewed, *found[RENEWED:]])


def replies(memory: OwnerMemory, hits: Sequence[Hit]) -> Iterator[tuple[Hit, Hit | None]]:
    """Each hit as (what it says, the question that it replies to, if recall found it by its question).

    A reply that was found by itself too comes twice.
    """
    for hit in hits:
        if hit.kind == "message" and hit.sender == memory.owner and hit.session.startswith(CHAT):
            continue  # what an agent said in a chat came from memory: it is no evidence of its own
        if hit.kind == "summary":
            continue  # it says what was asked, in the words of the question, and not what is so
        said, asked = _answer(hit), None
        if hit.kind == "message" and only_asks(hit.text):
            after = memory.neighbours(hit.id, before=0, after=1)
            if not after or after[0].sender == hit.sender or only_asks(after[0].text):
                continue
            said, asked = after[0], hit
        elif hit.kind == "message" and len(words(hit.text)) <= SHORT:
            before = memory.neighbours(hit.id, before=1, after=0)
            if before and before[0].sender != hit.sender and only_asks(before[0].text):
                asked = before[0]
        yield said, asked


def _renewed(memory: OwnerMemory, passage: Passage, question: str, embedder: Embedder | None) -> Passage:
    """The same passage, or what its speaker later put in its place: about the same thing, not merely in the same words."""
    if passage.hit.kind != "message":
        return passage
    later = memory.taken_back(passage.hit.id, question)
    if later is None or (embedder and attributes.apart(question, memory.message(later.id).text, embedder)):
        return passage
    return replace(passage, hit=later, asked=None, part="")


def _once(passages: Sequence[Passage]) -> list[Passage]:
    """Each memory once, as it first stands."""
    first: dict[str, Passage] = {}
    for passage in passages:
        first.setdefault(passage.hit.id, passage)
    return list(first.values())


def _answer(hit: Hit) -> Hit:
    """A noted "What is it? This." as what was answered; its question would be taken for part of the value."""
    said = sentences(hit.text)
    kept = list(dropwhile(only_asks, said))
    return replace(hit, text=" ".join(kept)) if hit.kind != "message" and len(said) > len(kept) > 0 else hit


async def read(
    model: ChatModel, question: str, shown: Sequence[Passage], settings: Settings, failed: Callable[[str], None]
) -> Finding | None:
    """The best supported answer among the passages, or None when none fits well enough.

    `failed` is told of a reply that could not be used; the evidence itself then stands as the value.
    """
    fitting = [passage for passage in shown if passage.score >= settings.support and _adds(passage, question)]
    if not fitting:
        return None
    passage = await choose(model, question, fitting, failed) if model.traits.capable else latest(fitting)
    if passage is None:
        return None
    text = told(passage.hit.text)
    if passage.part in text and not model.traits.capable:
        text = passage.part or text
    try:
        said = await _copy(model, question, passage, text, settings)
    except (ContextOverflow, ReplyInvalid) as error:
        failed(str(error))
        said = ""
    span = snap(said, text, question)
    quote = sentence_with(span or question, text)
    value = span if model.traits.capable else whole_with(clause_with(span, quote), text)
    return Finding(passage, value or announced(quote) or quote, quote, bool(span))


def _adds(passage: Passage, question: str) -> bool:
    """Whether a memory says anything that the question does not: a question asked again answers nothing."""
    return bool(content_stems(passage.hit.text) - content_stems(question))


def telling(fitting: Sequence[Passage], question: str) -> Passage:
    """The passage that says most of what a question says of somebody: the question gives the fact, and asks whose it is."""
    wanted = content_stems(question)

    def said(passage: Passage) -> float:
        text = f"{passage.asked.text if passage.asked else ''} {passage.hit.text}"
        return passage.score * (len(wanted & content_stems(text)) / max(1, len(wanted)))

    return max(fitting, key=said)


def latest(fitting: Sequence[Passage]) -> Passage:
    """The best passage, or a later one of the same speaker that fits nearly as well: what was said last holds."""
    best = fitting[0]
    near = [p for p in fitting if p.score >= 0.97 * best.score and p.hit.sender == best.hit.sender and p.hit.at]
    return max(near, key=lambda p: p.hit.at or datetime.min) if best.hit.at and near else best


async def choose(
    model: ChatModel, question: str, fitting: Sequence[Passage], failed: Callable[[str], None]
) -> Passage | None:
    """Let a capable model pick the evidence among the ids shown, or none of them; code picks where it cannot."""
    shown = [{"id": p.hit.id, "speaker": p.hit.sender, "listener": p.hit.receiver, "text": p.hit.text} for p in fitting]
    ids = [*(passage.hit.id for passage in fitting), NONE]
    try:
        scores = await model.score(prompt("choose", question=question, candidates=shown), ids)
    except (ContextOverflow, ReplyInvalid) as error:
        failed(str(error))
        return latest(fitting)
    picked = ids[scores.best]
    return next((passage for passage in fitting if passage.hit.id == picked), None)


async def _copy(model: ChatModel, question: str, passage: Passage, text: str, settings: Settings) -> str:
    hit = passage.hit
    messages = prompt(
        "copy",
        question=question,
        message=" ".join(text.split()),
        asked=" ".join(passage.asked.text.split()) if passage.asked else "",
        speaker=hit.sender,
        listener=hit.receiver,
    )
    spec = ReplySpec(
        max_tokens=LONGEST_VALUE,
        temperature=settings.temperature,
        seed=settings.seed,
        stop=("\n",),
        purpose="copy",
    )
    reply = await model.reply(messages, shaped(model.traits, spec))
    return reply.text.strip()


def snap(said: str, memory: str, question: str) -> str:
    """The span of `memory` that best matches what was said, or "" when the memory does not hold it.

    A span is accepted when at least half of its words and of the words said are shared, and at least half of its
    content words are not the question's own: an answer does not repeat the question.
    """
    wanted = [word for word in normalise(said).split() if word]
    if not wanted:
        return ""
    asked = content_stems(question)
    best, best_overlap = "", 0.0
    for span in _spans(memory.split(), len(wanted) + 3):
        overlap = _overlap(normalise(span).split(), wanted)
        stems = content_stems(span)
        if overlap > best_overlap and len(stems - asked) >= max(1, len(stems & asked)):
            best, best_overlap = span, overlap
    return best.strip(" \"'“”,;:.!?()[]-") if best_overlap >= 0.5 else ""


def _spans(tokens: Sequence[str], longest: int) -> Iterator[str]:
    for start in range(len(tokens)):
        for end in range(start + 1, min(len(tokens), start + longest) + 1):
            yield " ".join(tokens[start:end])


def _overlap(span: Sequence[str], wanted: Sequence[str]) -> float:
    """Token F1 of two word lists, in [0, 1]."""
    rest = list(wanted)
    shared = 0
    for word in span:
        if word in rest:
            rest.remove(word)
            shared += 1
    return 2 * shared / (len(span) + len(wanted)) if shared else 0.0


def clause_with(span: str, sentence: str) -> str:
    """The clause of a sentence that holds `span`: what a small model cuts out is apt to be a word short.

    Returns "" for an empty span, and `span` itself where it runs over a clause's edge.
    """
    clauses = (part.strip(" \"'“”()[]-") for part in _EDGE.split(sentence))
    return next((clause for clause in clauses if span and span in clause), span)


def whole_with(clause: str, text: str) -> str:
    """The clause, or all of a short text where only the rest of it names or numbers anything: a small model's cut missed it.

    Where what is named follows a colon behind the clause, it is what the clause announces.
    """
    rest = text.replace(clause, " ")
    nameless = clause and not _NAMES.search(f"x {clause[:1].lower()}{clause[1:]}")
    missed = nameless and _NAMES.search(rest)
    announced = _EDGE.split(text.partition(f"{clause}: ")[2])[0]
    if nameless and _NAMES.search(f"x {announced}"):
        return announced.strip()
    return " ".join(text.split()) if missed and len(text.split()) <= LONGEST_QUOTE else clause


def announced(text: str) -> str:
    """The name or number behind a colon, where nothing before it is one: "I found a good one: Dr Hale." announces Dr Hale."""
    before, _, behind = text.partition(": ")
    named = _EDGE.split(behind)[0].strip()
    plain = not _NAMES.search(f"x {before[:1].lower()}{before[1:]}")
    return named if plain and _NAMES.search(f"x {named}") else ""


_EDGE = re.compile(r"(?<!\bDr)(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bSt)[,;:.!?…—](?=\s|$)")
_NAMES = re.compile(r"(?<![.!?:] )(?<!^)\b(?!I\b)[A-Z][a-z]|\d")


def sentence_with(wanted: str, text: str) -> str:
    """The sentence of `text` that holds most of `wanted`, cut to a quotable length; the text itself if it is short."""
    if len(text.split()) <= LONGEST_QUOTE:
        return " ".join(text.split())
    sought = set(words(wanted))
    best = max(sentences(text), key=lambda part: len(sought & set(words(part))))
    return " ".join(best.split()[:LONGEST_QUOTE])


async def plan(model: ChatModel, task: str, settings: Settings, failed: Callable[[str], None]) -> tuple[str, ...]:
    """Questions the model would add to the task; only those grounded in the task's own words are kept."""
    schema = {
        "type": "object",
        "properties": {
            "questions": {
                "type": "array",
                "maxItems": settings.max_questions,
                "items": {"type": "string", "maxLength": 120},
            }
        },
        "required": ["questions"],
    }
    spec = ReplySpec(
        max_tokens=160, temperature=settings.temperature, seed=settings.seed, schema=schema, purpose="plan"
    )
    try:
        reply = await model.reply(prompt("plan", task=task, most=settings.max_questions), shaped(model.traits, spec))
    except (ContextOverflow, ReplyInvalid) as error:
        failed(str(error))
        return ()
    proposed: list[str] = json.loads(reply.text)["questions"]
    return grounded(task, proposed, capable=model.traits.capable)


def grounded(task: str, proposed: Sequence[str], *, capable: bool) -> tuple[str, ...]:
    """Keep the questions that split the task rather than repeat or invent it.

    A model that is not capable may use only the task's own content words; a capable one must share one.
    """
    asked = content_stems(task)
    kept: list[str] = []
    for question in (" ".join(q.split()) for q in proposed):
        stems = content_stems(question)
        within = bool(stems & asked) if capable else bool(stems) and stems <= asked
        seen = [asked, *(content_stems(other) for other in kept)]
        if question.endswith("?") and within and all(_jaccard(stems, other) < 0.75 for other in seen):
            kept.append(question)
    return tuple(kept)


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 1.0
