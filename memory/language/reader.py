"""What the house needs of a trained reader of talk: which line answers a question, which words of it, what a message is.

The shipped one is `kithnet.runtime.reader.LlamaReader`; `WordReader` is the floor where its file is missing, exact and without a
model.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from kithnet.memory import lexical
from kithnet.memory.language.text import sentence_spans, stem, words
from kithnet.memory.vectors import Vectors

Line = tuple[str, str]
"""(name of who says it, what is said)."""
SHARED = 40.0
"""Log-odds that all of a question's words against none of them are worth to `WordReader`."""
KINDS = ("fact", "preference", "plan", "event", "none")
"""What a line tells: what is so, what somebody likes, what is intended, what happened, or nothing of the kind."""
STANCES = ("holds", "ended", "denied", "asked", "wished", "quoted")
"""How a line tells it: it is so, it was so, it is not so, it is only asked, only wished or supposed, somebody else's words."""
SECRECY = ("ordinary", "delicate", "confidence")
"""Whether a line may be passed on: freely; not without thought (health, money, quarrels); told in confidence."""
RELATIONS = ("replaces", "same", "adds", "unrelated")
"""What a new line does to an older one: puts something else in its place, says it again, adds to it, has nothing to do with it."""
TOOLS = (
    "none", "give_up", "together", "longest", "shortest", "free", "clashes", "total", "count", "first", "last", "busiest",
    "alike", "apart",
)  # fmt: skip


class Span(Protocol):
    """Words that answer. line: number of the line in its window. start, end: characters of its text, both -1 for the name of
    who says it. odds: log-odds that they answer against that nothing in the window does."""

    @property
    def line(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def odds(self) -> float: ...


class Judged(Protocol):
    """What a message is: how likely each of KINDS, STANCES and SECRECY, in their order."""

    @property
    def kind(self) -> Vectors: ...
    @property
    def stance(self) -> Vectors: ...
    @property
    def secrecy(self) -> Vectors: ...


class Reader(Protocol):
    """Implementations are safe to share between threads."""

    @property
    def name(self) -> str:
        """Identifies the model and its weights."""
        ...

    def relevance(self, question: str, lines: Sequence[tuple[Line | None, Line]]) -> Vectors:
        """(N,) log-odds that each line answers the question. lines: (the line before it, None for none; the line)."""
        ...

    def spans(self, question: str, windows: Sequence[Sequence[Line]]) -> Sequence[Span | None]:
        """The best span of each window of lines; None where there is no word to take."""
        ...

    def judged(self, messages: Sequence[tuple[Line | None, Line]]) -> Sequence[Judged]:
        """What each message is. messages: (the line before it, None for none; the message)."""
        ...

    def relations(self, pairs: Sequence[tuple[Line, Line]]) -> Vectors:
        """(N, RELATIONS): what the newer of two messages likely does to the older. pairs: (older, newer)."""
        ...

    def tools(self, tasks: Sequence[str]) -> Vectors:
        """(N, TOOLS): which tool each task likely wants, or none."""
        ...


class _Words:
    """A span of `WordReader`."""

    def __init__(self, line: int, start: int, end: int, odds: float) -> None:
        self.line, self.start, self.end, self.odds = line, start, end, odds


class _Sure:
    """What `WordReader` takes a message for."""

    def __init__(self, kind: str, stance: str, secrecy: str) -> None:
        self.kind = _one_of(kind, KINDS)
        self.stance = _one_of(stance, STANCES)
        self.secrecy = _one_of(secrecy, SECRECY)


def _one_of(label: str, labels: Sequence[str]) -> Vectors:
    odds = np.zeros(len(labels), np.float32)
    odds[labels.index(label)] = 1
    return odds


class WordReader:
    """Goes by shared words alone. A line answers when it shares half of the question's content words, all that it tells being the
    answer; a reply also has those of the question before it, and what only asks answers nothing. Who is asked for is who says
    "I". A message that holds one of `secret` is a confidence; one that begins with "actually" replaces."""

    name = "words"

    def __init__(self, secret: Sequence[str] = ("secret",)) -> None:
        self._secret = frozenset(secret)

    def relevance(self, question: str, lines: Sequence[tuple[Line | None, Line]]) -> Vectors:
        return np.array([_fit(question, before, line) for before, line in lines], np.float32)

    def spans(self, question: str, windows: Sequence[Sequence[Line]]) -> list[_Words | None]:
        found: list[_Words | None] = []
        for lines in windows:
            fits = [_fit(question, before, line) for before, line in zip((None, *lines), lines, strict=False)]
            best = max(range(len(lines)), key=fits.__getitem__, default=0)
            told = _told(lines[best][1]) if lines else None
            says_it = told and _asks_who(question) and _says_i(lines[best][1])
            found.append(_Words(best, *((-1, -1) if says_it else told), fits[best]) if told else None)
        return found

    def judged(self, messages: Sequence[tuple[Line | None, Line]]) -> list[_Sure]:
        return [
            _Sure(
                "fact" if _told(text) else "none",
                "holds" if _told(text) else "asked",
                "confidence" if self._secret & set(words(text)) else "ordinary",
            )
            for _, (_, text) in messages
        ]

    def relations(self, pairs: Sequence[tuple[Line, Line]]) -> Vectors:
        kinds = ["replaces" if words(new)[:1] == ["actually"] else "unrelated" for _, (_, new) in pairs]
        return np.stack([_one_of(kind, RELATIONS) for kind in kinds]) if pairs else np.zeros((0, 4), np.float32)

    def tools(self, tasks: Sequence[str]) -> Vectors:
        """The tool all of whose words a task has."""
        said = [{stem(word) for word in words(task)} for task in tasks]
        found = [next((tool for tool in TOOLS[1:] if {*map(stem, tool.split("_"))} <= some), "none") for some in said]
        return np.stack([_one_of(tool, TOOLS) for tool in found]) if found else np.zeros((0, len(TOOLS)), np.float32)


def _fit(question: str, before: Line | None, line: Line) -> float:
    """Log-odds of the share of the question's content words that a line has, or the question that it replies to."""
    wanted, (by, text) = lexical.stems(question), line
    replied = before[1] if before and before[0] != by and not _told(before[1]) else ""
    share = len(wanted & lexical.stems(f"{by} {replied} {text}")) / max(1, len(wanted))
    return SHARED * (share - 0.5) if _told(text) else -SHARED


def _asks_who(question: str) -> bool:
    return words(question)[:1] in (["who"], ["whose"]) or words(question)[:2] == ["which", "person"]


def _says_i(text: str) -> bool:
    return any(word.partition("'")[0] in ("i", "my") for word in words(text))


def _told(text: str) -> tuple[int, int] | None:
    """Where a text begins and ends to tell something; None where it only asks."""
    telling = [(start, end) for start, end in sentence_spans(text) if not text[start:end].endswith("?")]
    return (telling[0][0], telling[-1][1]) if telling else None
