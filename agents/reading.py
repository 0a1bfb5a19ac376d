"""Reading: from recalled memories to a value with evidence. Code carries the structure, the model fills it."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kithnet.agents.prompting import prompt, shaped
from kithnet.agents.settings import Settings
from kithnet.agents.wording import content_stems, normalise, sentences, words
from kithnet.memory.owner import Hit
from kithnet.runtime.chat import ChatModel, ReplySpec
from kithnet.runtime.errors import ContextOverflow, ReplyInvalid

LONGEST_VALUE = 24
LONGEST_QUOTE = 40
NONE = "none"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the owner's memory says to a question.

    value: words that stand in the memory. quote: the sentence around them. copied: False when the model's words were
    not in the memory, so that the sentence itself is the value.
    """

    hit: Hit
    value: str
    quote: str
    support: float
    copied: bool


async def read(
    model: ChatModel, question: str, hits: Sequence[Hit], settings: Settings, failed: Callable[[str], None]
) -> Finding | None:
    """The best supported answer among the hits, or None when no memory fits well enough.

    `failed` is told of a reply that could not be used; the evidence itself then stands as the value.
    """
    fitting = [hit for hit in hits if hit.score >= settings.support and content_words_beyond(hit, question)]
    if not fitting:
        return None
    hit = await choose(model, question, fitting) if model.traits.capable else fitting[0]
    if hit is None:
        return None
    try:
        said = await _copy(model, question, hit, settings)
    except (ContextOverflow, ReplyInvalid) as error:
        failed(str(error))
        said = ""
    value = snap(said, hit.text, question)
    quote = sentence_with(value or question, hit.text)
    return Finding(hit, value or quote, quote, hit.score, bool(value))


def content_words_beyond(hit: Hit, question: str) -> bool:
    """Whether a memory says anything that the question does not: a question asked again answers nothing."""
    return bool(content_stems(hit.text) - content_stems(question))


async def choose(model: ChatModel, question: str, hits: Sequence[Hit]) -> Hit | None:
    """Let a capable model pick the evidence among the ids shown, or none of them."""
    shown = [{"id": h.id, "speaker": h.sender, "listener": h.receiver, "text": h.text} for h in hits]
    ids = [*(hit.id for hit in hits), NONE]
    scores = await model.score(prompt("choose", question=question, candidates=shown), ids)
    picked = ids[scores.best]
    return next((hit for hit in hits if hit.id == picked), None)


async def _copy(model: ChatModel, question: str, hit: Hit, settings: Settings) -> str:
    messages = prompt(
        "copy",
        question=question,
        message=" ".join(hit.text.split()),
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

    A span is accepted when at least half of its words and of the words said are shared, and it must add something
    to the question.
    """
    wanted = [word for word in normalise(said).split() if word]
    if not wanted:
        return ""
    asked = content_stems(question)
    best, best_overlap = "", 0.0
    for span in _spans(memory.split(), len(wanted) + 3):
        overlap = _overlap(normalise(span).split(), wanted)
        if overlap > best_overlap and content_stems(span) - asked:
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
