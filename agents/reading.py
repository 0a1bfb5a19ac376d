"""Reading: from recalled memories to a value with evidence. Code carries the structure, the model fills it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kithnet.agents.personal import CHAT
from kithnet.agents.prompting import prompt, shaped
from kithnet.agents.settings import Settings
from kithnet.agents.wording import content_stems, named_people, normalise, sentences, speaker_in, words
from kithnet.memory.owner import Hit, OwnerMemory
from kithnet.runtime.chat import ChatModel, ReplySpec
from kithnet.runtime.errors import ContextOverflow, ReplyInvalid

LONGEST_VALUE = 24
LONGEST_QUOTE = 40
NONE = "none"


@dataclass(frozen=True, slots=True)
class Passage:
    """A memory that may answer: `hit` holds the words, `asked` the question it replies to, if it is a reply."""

    hit: Hit
    score: float
    asked: Hit | None = None

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
    memory: OwnerMemory, hits: Sequence[Hit], question: str, named: Mapping[str, Sequence[str]]
) -> list[Passage]:
    """What to read of the hits, best first: where one is a question, the reply that the other side gave to it.

    named: people the question is about, with their names. A memory that neither passed between them nor speaks of
    them is about someone else, however well its other words fit: its score counts for the share it is about.
    """
    found: list[Passage] = []
    for hit in hits:
        if hit.sender == memory.owner and hit.session.startswith(CHAT):
            continue  # what an agent said in a chat came from memory: it is no evidence of its own
        passage = Passage(hit, hit.score)
        if hit.kind == "message" and _asks(hit.text):
            after = memory.neighbours(hit.id, before=0, after=1)
            if not after or after[0].sender == hit.sender or _asks(after[0].text):
                continue
            passage = Passage(after[0], hit.score, hit)
        if all(passage.hit.id != other.hit.id for other in found):
            found.append(replace(passage, score=passage.score * _about(passage, named, speaker_in(question, named))))
    return sorted(found, key=lambda passage: -passage.score)


def _about(passage: Passage, named: Mapping[str, Sequence[str]], speaker: str | None) -> float:
    """Share of the people a question names who speak in a passage or are spoken of in it; 1 for nobody named.

    Someone who only hears it counts half, where nobody named speaks: people mostly talk of themselves. Where the
    question asks for the words of `speaker`, what others say counts little, unless they speak of the speaker.
    """
    hit = passage.hit
    text = f"{passage.asked.text} {hit.text}" if passage.asked else hit.text
    if speaker and hit.sender != speaker:
        return 0.5 if speaker in named_people(text, named) else 0.2
    spoken_of = {hit.sender, hit.about, *named_people(text, named)} & named.keys()
    heard = ({hit.receiver} & named.keys()) - spoken_of
    return (len(spoken_of) + (1.0 if spoken_of else 0.5) * len(heard)) / len(named) if named else 1.0


def _asks(text: str) -> bool:
    """Whether a message ends in a question."""
    return text.rstrip(" \"'”)").endswith("?")


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
    try:
        said = await _copy(model, question, passage, settings)
    except (ContextOverflow, ReplyInvalid) as error:
        failed(str(error))
        said = ""
    text = passage.hit.text
    span = snap(said, text, question)
    quote = sentence_with(span or question, text)
    value = span if model.traits.capable else clause_with(span, quote)
    return Finding(passage, value or quote, quote, bool(span))


def _adds(passage: Passage, question: str) -> bool:
    """Whether a memory says anything that the question does not: a question asked again answers nothing."""
    return bool(content_stems(passage.hit.text) - content_stems(question))


def whom(hit: Hit, names: Mapping[str, Sequence[str]]) -> str:
    """The name of the one a memory is about: its speaker, where it says "I" or "my", else whom it names; "" for nobody."""
    said = set(words(hit.text))
    if said & {"i", "i'm", "i've", "my", "me", "i'll", "i'd", "mine"} or not hit.sender:
        person = hit.sender or hit.about
    else:
        others = [one for one in named_people(hit.text, names) if one != hit.receiver]
        person = others[0] if others else hit.sender
    return names.get(person or "", (person or "",))[0]


def latest(fitting: Sequence[Passage]) -> Passage:
    """The best passage, or a later one of the same speaker that fits nearly as well: what was said last holds."""
    best = fitting[0]
    near = [p for p in fitting if p.score >= 0.9 * best.score and p.hit.sender == best.hit.sender and p.hit.at]
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


async def _copy(model: ChatModel, question: str, passage: Passage, settings: Settings) -> str:
    hit = passage.hit
    messages = prompt(
        "copy",
        question=question,
        message=" ".join(hit.text.split()),
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
    clauses = (part.strip(" \"'“”()[]-") for part in re.split(r"[,;:.!?…—](?=\s|$)", sentence))
    return next((clause for clause in clauses if span and span in clause), span)


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
