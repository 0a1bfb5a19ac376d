"""What holds now: whether the same person later took back what a message of theirs says, and what they put in its place.

People seldom repeat the question when they correct themselves; they name the old value and drop it ("Not Ghent after
all, we swapped it for Hobart"). So a value is followed forward in time: by the rare words of the message that states
it, through what its sender said later, as long as each step says that something changed.
"""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import Row

from kithnet.memory import asking, lexical, reading, schema
from kithnet.memory.language.time import dates, days
from kithnet.memory.recall import Hit
from kithnet.memory.search import Search
from kithnet.memory.writing import slots, speech

RARE, RARE_WORD = 12, 4
"""A name or number, and any other word, that more of the owner's utterances hold stands for no one value."""
STEPS = 4
"""Corrections of corrections that are followed."""
_NUMBER = re.compile(r"\d+")
_CLAUSE = re.compile(r"(?<=[.!?;…])\s+|,\s+|\s+(?:but|so|and)\s+")


def successor(search: Search, hit: Hit, question: str) -> Hit | None:
    """The last message in which the sender of `hit` took back what it says; None while nothing did.

    Its text is cut down to the clauses that say what is new. question: its words name the thing, not its value.
    """
    current: Hit | None = None
    old = hit
    for _ in range(STEPS):
        later = _next(search, old, lexical.stems(question)) or _restated(search, old, question)
        if later is None:
            break
        current, old = later, later
    return current


def _next(search: Search, old: Hit, thing: Collection[str]) -> Hit | None:
    """The first later message of the same sender that takes back what the old one says."""
    terms = [term for term in lexical.terms(old.text) if term.stem not in thing and term.stem not in dates.CALENDAR]
    names = _values(old.text)
    values, rows = _later(search, old, terms, [RARE if term.stem in names else RARE_WORD for term in terms])
    for row in rows:
        if new := replaced(row.body, old.text, values):
            return reading.message_hit(row, text=new)
    return None


def _restated(search: Search, old: Hit, question: str) -> Hit | None:
    """The last message in which the same sender says of the same thing that it is at another time: that one holds.

    The thing is what the question and the old message have in common, some of it rare; all of it must be said again, or
    half of it with a word that something changed.
    """
    thing = (lexical.stems(question) & lexical.stems(old.text)) - dates.CALENDAR
    if len(thing) < 2 or not asking.wants_time(question) or not (told := _when(old.text, thing, 1.0, old.at)):
        return None
    terms = [term for term in lexical.terms(question) if term.stem in thing]
    _, rows = _later(search, old, terms, [RARE] * len(terms))
    for row in reversed(rows):
        share = 0.5 if slots.changes(row.body) else 1.0
        if (new := _when(row.body, thing, share, row.at)) and new[0] != told[0]:
            return reading.message_hit(row, text=new[1])
    return None


def _when(text: str, thing: Collection[str], share: float, at: datetime | None) -> tuple[str, str] | None:
    """(numbers or words of the time, sentence): the first sentence that tells of `share` of a thing at least when it is;
    what is past counts not."""
    for start, end in speech.spans(text):
        sentence = text[start:end]
        said = lexical.stems(sentence) & set(thing)
        if len(said) < share * len(thing) or speech.is_question(sentence) or days.is_past(sentence):
            continue
        if when := days.find(sentence, at or datetime(2000, 1, 1)):
            return " ".join(_NUMBER.findall(sentence)) or when.said.casefold(), sentence
    return None


def _later(
    search: Search, old: Hit, terms: Sequence[lexical.Term], most: Sequence[int]
) -> tuple[set[str], Sequence[Row[Any]]]:
    """The terms that no more than `most` utterances hold, by their stems; what the sender of `old` later said with them."""
    view = search.view
    place = view.positions([int(old.id[1:])])
    if not len(place) or not terms:
        return set(), ()
    utterance = int(view.group[place[0]])
    held = search.held(terms, view)
    rare = np.count_nonzero(held, axis=1) <= np.array(most)
    sender = view.of_starts("sender")
    later = np.flatnonzero(held[rare].any(axis=0) & (sender == sender[utterance]))
    order = view.of_starts("seq")
    later = later[order[later] > order[utterance]]
    query = search.scope.message_rows().where(schema.message.c.id.in_(view.ids[view.starts[later]].tolist()))
    rows = search.connection.execute(query.order_by(schema.message.c.seq)).all()
    return {term.stem for term, is_rare in zip(terms, rare, strict=True) if is_rare}, rows


def replaced(text: str, old: str, values: Collection[str]) -> str:
    """What a later text puts in the place of what an older one said, "" when it takes nothing back.

    values: stems by which the older one may be meant. It is taken back by a text that holds one of them and denies it,
    or speaks of a change, and says something new; a question says nothing. What is returned stands in `text` letter by
    letter: of the runs of clauses that are new, the one that names most that is.
    """
    telling = [(a, b) for a, b in speech.spans(text) if not speech.is_question(text[a:b])]
    told = " ".join(text[a:b] for a, b in telling)
    mentioned = lexical.stems(told) & set(values)
    if not mentioned or not _takes_back(told, mentioned, mentioned & _values(old)):
        return ""
    known = lexical.stems(old) | slots.WORDS_OF_CHANGE
    clauses = [span for a, b in telling for span in _clauses(text, a, b)]
    new = [bool(lexical.stems(text[a:b]) - known) for a, b in clauses]
    apart = [is_new and not lexical.stems(text[a:b]) & mentioned for is_new, (a, b) in zip(new, clauses, strict=True)]
    named = [len(_values(text[a:b]) - known) for a, b in clauses]
    for wanted in (apart, new):
        if any(is_wanted and count for is_wanted, count in zip(wanted, named, strict=True)):
            return _best_run(text, clauses, [w and bool(n) for w, n in zip(wanted, named, strict=True)], named)
    return _best_run(text, clauses, apart if any(apart) else new, named)


def _clauses(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """(first, last) of each clause of a sentence."""
    found: list[tuple[int, int]] = []
    for edge in _CLAUSE.finditer(text, start, end):
        found.append((start, edge.start()))
        start = edge.end()
    return [*found, (start, end)]


def _best_run(text: str, clauses: Sequence[tuple[int, int]], chosen: Sequence[bool], named: Sequence[int]) -> str:
    """Of the runs of chosen clauses that stand side by side, the one that names most, or is longest; "" for none."""
    runs = [
        [place for place, _ in run] for is_chosen, run in groupby(enumerate(chosen), lambda one: one[1]) if is_chosen
    ]
    spans = [(sum(named[place] for place in run), text[clauses[run[0]][0] : clauses[run[-1]][1]]) for run in runs]
    return max(spans, key=lambda one: (one[0], len(one[1])), default=(0, ""))[1]


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
    return frozenset(found - dates.CALENDAR)
