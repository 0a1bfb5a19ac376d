"""A text as words, stems and sentences: the one reader of the house, pure and safe to call from any thread.

What is cut out stands in the text letter by letter, marks and white space included, so that it may be quoted.
"""

import functools
import re
import threading
import unicodedata
from collections.abc import Sequence

import snowballstemmer

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_FOLDED = re.compile(r"[^\W_]+")
_GAP = re.compile(r"\s+")
_LINE_BREAK = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_TITLE = re.compile(r"(?:^|\s)(?:Dr|Mr|Mrs|Ms|Prof|St|Sr|Jr|vs|etc|No|[A-Z])\.$")
_LONGEST_TITLE = 6
"""Characters of a title, with its full stop and what stands before it."""
LONGEST_QUOTE = 40
"""Words of what is quoted."""
_MARKS, _CLOSERS = ".!?…", "\"”’')]»"

_own = threading.local()
"""A stemmer keeps the word it works on in itself: every thread has one of its own."""


def words(text: str) -> list[str]:
    """Case-folded words with inner apostrophes kept, as people compare them: "Don’t" is "don't"."""
    return [word.replace("’", "'") for word in _WORD.findall(text.casefold())]


def index_words(text: str) -> list[str]:
    """The words as the full-text index folds them (case and accents, no apostrophes), not yet stemmed."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return _FOLDED.findall("".join(c for c in decomposed if not unicodedata.combining(c)))


def count(text: str) -> int:
    """How many words a text has, a contraction being two."""
    return len(_FOLDED.findall(text))


@functools.lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The English stem of one folded word (Snowball's "english"); a possessive 's is dropped first."""
    stemmer = getattr(_own, "stemmer", None)
    if stemmer is None:
        stemmer = _own.stemmer = snowballstemmer.stemmer("english")
    return str(stemmer.stemWord(word.removesuffix("'s")))


def place_of(name: Sequence[str], spoken: Sequence[str]) -> int | None:
    """Where a run of words first stands among others; None where it does not."""
    width, wanted = len(name), tuple(name)
    return next((at for at in range(len(spoken) - width + 1) if tuple(spoken[at : at + width]) == wanted), None)


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """(first, last) of each sentence in the text, the white space between them left out.

    A sentence ends before white space at its mark, with the quotation marks and brackets that close there, and at the
    end of a line. "Dr." and "J." end none.
    """
    spans: list[tuple[int, int]] = []
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    for gap in _GAP.finditer(text, start, end):
        if _ends(text, start, gap):
            spans.append((start, gap.start()))
            start = gap.end()
    return [*spans, (start, end)] if start < end else spans


def sentences(text: str) -> list[str]:
    """The sentences of a text, each as it stands there."""
    return [text[start:end] for start, end in sentence_spans(text)]


def sentence_with(wanted: str, text: str) -> str:
    """The sentence of `text` that holds most of `wanted`, cut to a quotable length; the text itself if it is short."""
    if len(text.split()) <= LONGEST_QUOTE:
        return text.strip()
    sought = set(words(wanted))
    best = max(sentences(text), key=lambda part: len(sought & set(words(part))))
    return best[: [word.end() for word in re.finditer(r"\S+", best)][:LONGEST_QUOTE][-1]]


def _ends(text: str, start: int, gap: re.Match[str]) -> bool:
    """Whether a sentence that began at `start` ends where this white space begins."""
    if _LINE_BREAK.search(gap[0]):
        return True
    last = gap.start()
    while last > start and text[last - 1] in _CLOSERS:
        last -= 1
    if last == start or text[last - 1] not in _MARKS:
        return False
    return not _TITLE.search(text[max(start, last - _LONGEST_TITLE) : last])
