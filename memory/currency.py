"""What holds now: whether the same person later took back what a message of theirs says, and what they put in its place.

People seldom repeat the question when they correct themselves; they name the old value and drop it ("Not Ghent after
all, we swapped it for Hobart"). So a value is followed forward in time: by the rare words of the message that states
it, through what its sender said later, as long as each step says that something changed.
"""

import re
from collections.abc import Collection

import numpy as np

from kithnet.memory import lexical, reading, schema
from kithnet.memory.recall import Hit
from kithnet.memory.search import Search
from kithnet.memory.writing import slots, speech, times

RARE, RARE_WORD = 12, 4
"""A name or number, and any other word, that more of the owner's utterances hold stands for no one value."""
STEPS = 4
"""Corrections of corrections that are followed."""
_CLAUSE = re.compile(r"(?<=[.!?;…])\s+|,\s+|\s+(?:but|so|and)\s+")


def successor(search: Search, hit: Hit, question: str) -> Hit | None:
    """The last message in which the sender of `hit` took back what it says; None while nothing did.

    Its text is cut down to the clauses that say what is new. question: its words name the thing, not its value.
    """
    thing = lexical.stems(question)
    current: Hit | None = None
    old = hit
    for _ in range(STEPS):
        later = _next(search, old, thing)
        if later is None:
            break
        current, old = later, later
    return current


def _next(search: Search, old: Hit, thing: Collection[str]) -> Hit | None:
    view, number = search.view, int(old.id[1:])
    place = view.positions([number])
    if not len(place):
        return None
    utterance = int(view.group[place[0]])
    terms = [term for term in lexical.terms(old.text) if term.stem not in thing and term.stem not in times.CALENDAR]
    held = search.held(terms, view)
    names = _values(old.text)
    most = np.array([RARE if term.stem in names else RARE_WORD for term in terms])
    rare = np.count_nonzero(held, axis=1) <= most
    sender = view.of_starts("sender")
    later = np.flatnonzero(held[rare].any(axis=0) & (sender == sender[utterance]))
    later = later[later > utterance]
    values = {term.stem for term, is_rare in zip(terms, rare, strict=True) if is_rare}
    query = search.scope.message_rows().where(schema.message.c.id.in_(view.ids[view.starts[later]].tolist()))
    for row in search.connection.execute(query.order_by(schema.message.c.id)):
        new = replaced(row.body, old.text, values)
        if new:
            return reading.message_hit(row, text=new)
    return None


def replaced(text: str, old: str, values: Collection[str]) -> str:
    """What a later text puts in the place of what an older one said, "" when it takes nothing back.

    values: stems by which the older one may be meant. It is taken back by a text that holds one of them and denies it,
    or speaks of a change, and says something new; a question says nothing.
    """
    told = " ".join(part for part in speech.sentences(text) if not speech.is_question(part))
    mentioned = lexical.stems(told) & set(values)
    if not mentioned or not _takes_back(told, mentioned, mentioned & _values(old)):
        return ""
    known = lexical.stems(old) | slots.WORDS_OF_CHANGE
    new = [part for part in _CLAUSE.split(told) if lexical.stems(part) - known]
    apart = [part for part in new if not lexical.stems(part) & mentioned]
    telling = [part for part in apart if _values(part) - known] or [part for part in new if _values(part) - known]
    return " ".join(telling or apart or new)


def _takes_back(text: str, mentioned: Collection[str], named: Collection[str]) -> bool:
    """Whether a text takes back what the mentioned stems stand for; `named` are those that can mean nothing else.

    A plain word may be there by chance: then the very sentence has to deny it or to speak of a change.
    """
    if named and slots.takes_back(text):
        return True
    for sentence in speech.sentences(text):
        here = lexical.stems(sentence) & set(mentioned)
        if here & slots.denied(sentence) or (here and slots.ends(sentence)):
            return True
    return False


def _values(text: str) -> frozenset[str]:
    """Stems of the words of a text that look like a value: numbers, and names inside a sentence; no days or months."""
    found: set[str] = set()
    for sentence in speech.sentences(text):
        for place, word in enumerate(sentence.split()):
            if any(letter.isdigit() for letter in word) or (place and word.lstrip("“\"'(")[:1].isupper()):
                found |= lexical.stems(word)
    return frozenset(found - times.CALENDAR)
