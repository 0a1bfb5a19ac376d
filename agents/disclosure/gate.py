"""What may leave: no text that repeats a refused item, and no fact that completes one out of others.

A gate on every outgoing text stops whatever repeats a refused message, whoever wrote the text. Composition is weighed before:
answers that each may be told can together give away what may not, in one talk or over many.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from kithnet.agents.disclosure.sensitivity import Item
from kithnet.agents.wording import content_stems, content_words
from kithnet.memory.language.text import stem, words

MOST = 0.7
"""The share of a refused item's content words that facts may not reach together."""
RELATED = 2
"""Content words that a fact shares with a refused item before it counts towards it; half of them for a short one."""


@dataclass(frozen=True, slots=True)
class Past:
    """Between an owner and one partner, over all runs: texts by id of what was told, and of what was last refused."""

    told: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


NOTHING = Past()
PIECE = 2
"""Characters that a piece of a word has at least, where told pieces spell a refused word."""
_stems = lru_cache(maxsize=4096)(content_stems)


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(content_words(text))


def given_away(item: Item, past: Past, task: str) -> str | None:
    """The id of the refused item that `item` would complete, out of what the partner was told and asks itself; or None.

    Facts that share hardly anything with a refused item do not count towards it: nobody can put them together. A word of it
    counts as known, too, once words that were told spell it whole, one after the other: a code told by its halves.
    """
    if not past.refused:
        return None
    fresh, asked = _stems(f"{item.text} {item.value}"), _stems(task)
    told = [_stems(text) for text in past.told.values()]
    had = _words(task).union(*map(_words, past.told.values()))
    pieces = had | _words(f"{item.text} {item.value}")
    for name, text in past.refused.items():
        if name == item.id or name in item.messages:
            continue
        secret = _stems(text)
        need = min(RELATED, max(1, len(secret) // 2))
        known = asked.union(*(fact for fact in told if len(fact & secret) >= need))
        spelled = _spelled(text, pieces)
        known |= spelled and _spelled(text, had)
        spelled -= known
        added = ((fresh & secret) - known) | spelled
        related = spelled or len(fresh & secret) >= need
        if added and related and len((known | fresh | spelled) & secret) >= MOST * len(secret):
            return name
    return None


def _spelled(secret: str, pieces: frozenset[str]) -> frozenset[str]:
    """The stems of the secret's words that several of `pieces` are, put one after the other."""
    return frozenset(stem(word) for word in _words(secret) if _in_pieces(word, pieces))


def _in_pieces(word: str, pieces: frozenset[str]) -> bool:
    for cut in range(PIECE, len(word) - PIECE + 1):
        if word[:cut] in pieces and (word[cut:] in pieces or _in_pieces(word[cut:], pieces)):
            return True
    return False


def leak(text: str, refused: Iterable[Item], known: str = "") -> Item | None:
    """The first refused item that `text` repeats, by a rare n-gram or by its value; None when it is clean.

    known: words the partner has said itself, which repeat nothing. An n-gram is rare when it is four words long with
    at least two content words among them that are not in `known`.
    """
    spoken = words(text)
    heard = {stem(word) for word in words(known)}
    for item in refused:
        if _repeats_run(spoken, words(item.text), heard) or _repeats_value(spoken, item.value, heard):
            return item
    return None


def _repeats_run(spoken: Sequence[str], secret: Sequence[str], heard: set[str], width: int = 4) -> bool:
    runs = {tuple(secret[at : at + width]) for at in range(max(1, len(secret) - width + 1))}
    for at in range(max(1, len(spoken) - width + 1)):
        run = tuple(spoken[at : at + width])
        fresh = [word for word in content_words(" ".join(run)) if stem(word) not in heard]
        if run in runs and len(fresh) >= min(2, len(run)):
            return True
    return False


def _repeats_value(spoken: Sequence[str], value: str, heard: set[str]) -> bool:
    wanted = {stem(word) for word in content_words(value)} - heard
    return bool(wanted) and wanted <= {stem(word) for word in spoken}
