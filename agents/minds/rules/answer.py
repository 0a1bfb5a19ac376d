"""The answer of a task: reasoned from what both sides agreed on, citing the messages it rests on."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kithnet.agents.infonav.consensus import UNKNOWN, Agreed, plain
from kithnet.agents.prompting import prompt, shaped
from kithnet.agents.settings import Settings
from kithnet.agents.wording import attributed, content_words, normalise
from kithnet.memory.language.text import stem
from kithnet.runtime.chat import ChatModel, ReplySpec
from kithnet.runtime.errors import ContextOverflow, LimitExceeded, ReplyInvalid

MOST_FACTS = 3
"""Facts that a model which is not capable can hold in one sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """text: the answer. citations: message handles. known: whether anything was found. worded_by: "model", "code" or "tool"."""

    text: str
    citations: tuple[str, ...]
    known: bool
    worded_by: str


async def answer(
    model: ChatModel, task: str, agreed: Sequence[Agreed], settings: Settings, failed: Callable[[str], None],
    *, quoting: bool = False,
) -> Answer:  # fmt: skip
    """Put the agreed values into a sentence. The model's wording is kept only if it holds every value and adds none.

    quoting: each value with the words it was read from and who said them, worded by no model.
    """
    found = [one for one in agreed if one.value]
    if not found:
        return Answer(UNKNOWN, (), False, "code")
    citations = tuple(dict.fromkeys(source for one in found for source in one.sources))
    if quoting:
        return Answer(plain([_quoted(one) for one in agreed]), citations, True, "code")
    agreed = [_passed_on(one) for one in agreed]
    found = [one for one in agreed if one.value]
    if len(found) > MOST_FACTS and not model.traits.capable:
        return Answer(plain(agreed), citations, True, "code")
    spec = ReplySpec(
        max_tokens=24 + 24 * len(found),
        temperature=settings.temperature,
        seed=settings.seed,
        stop=("\n",),
        purpose="answer",
    )
    facts = [{"question": one.question, "value": one.value} for one in found]
    try:
        reply = await model.reply(prompt("answer", task=task, facts=facts), shaped(model.traits, spec))
    except (ContextOverflow, ReplyInvalid, LimitExceeded) as error:
        failed(str(error))
        return Answer(plain(agreed), citations, True, "code")
    text = reply.text.strip()
    if reply.finish == "stop" and supported(text, task, found) and len(found) == len(agreed):
        return Answer(text, citations, True, "model")
    return Answer(plain(agreed), citations, True, "code")


def _quoted(one: Agreed) -> Agreed:
    """What was agreed, its value with the sentence it stands in: a span says little without it."""
    first = one.evidence[0] if one.evidence and not one.entries else None
    if not one.value or first is None or not first.quote or normalise(first.quote) == normalise(one.value):
        return _passed_on(one)
    said = f"{first.author}: “{first.quote}”" if first.author else f"“{first.quote}”"
    return replace(one, value=f"{one.value} ({said})")


def _passed_on(one: Agreed) -> Agreed:
    """What was agreed, its value with its author where it is said in the first person."""
    author = one.evidence[0].author if one.evidence and not one.entries else ""
    return replace(one, value=attributed(one.value, author)) if one.value else one


def computed(text: str, citations: tuple[str, ...], missing: Sequence[str], endless: Sequence[str] = ()) -> Answer:
    """What a tool came to, with what it may lack.

    missing: people of whom nobody told anything; endless: activities of whose end nobody told. Without them the answer holds
    only as far as things are known, and says so.
    """
    who = ", ".join(missing)
    if not text:
        return Answer(f"I could not find this out: nobody in reach told me what is on for {who}.", (), False, "code")
    lacks = [f"what is on for {who}"] * bool(missing) + [f"when {one} ends" for one in endless]
    if lacks:
        lacking = " or ".join(lacks)
        return Answer(f"{text} (as far as I know: nobody in reach told me {lacking})", citations, True, "tool")
    return Answer(text, citations, True, "tool")


def supported(text: str, task: str, found: Sequence[Agreed]) -> bool:
    """Whether a wording holds every agreed value, adds nothing, repeats nothing, and is not the question again."""
    said = normalise(text)
    given = Counter(stem(word) for one in found for word in content_words(f"{one.question} {one.value}"))
    given |= Counter(stem(word) for word in content_words(task))
    used = Counter(stem(word) for word in content_words(text))
    if any(normalise(one.question) in said for one in found):
        return False
    return all(normalise(one.value or "") in said for one in found) and used <= given
