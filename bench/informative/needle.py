"""Needle in the Persona: what one of two people let slip to a friend is worth something only with what the other did.

Alice talks with Bob, Dave with Charlie, Bob and Charlie with each other; Bob and Charlie ask, so that both halves are
second-hand. Two hops: what Alice and Dave share (even numbers) or see in opposite ways (odd ones), in the asymmetric
suite also a place of which one tells who runs it and the other where it is. One hop: something of Dave's alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from kithnet.bench.informative.chatter import Chatter, SmallTalk, Talk
from kithnet.bench.informative.item import Item, Resident, Said, Setting
from kithnet.bench.informative.scoring import named, normalised, short_right
from kithnet.bench.informative.wordings import Book, Pronouns, Wordings, draw_people, load, read_book, sentence
from kithnet.runtime.errors import LedgerError

START = datetime(2024, 4, 1, 18, 0)
OWN = 3
"""Things that each of the two speaks of and the other does not; there is one more that both do and is not asked for."""
_DRAWS = 20


@dataclass(frozen=True, slots=True)
class Half:
    """One thing that one of the two says. value: what it is about. needle: the question needs it."""

    text: str
    value: str
    needle: bool = False


@dataclass(frozen=True, slots=True)
class Needle:
    """What is hidden in a world. guesses: what each side takes for the answer that has only its own half."""

    kind: str
    halves: tuple[tuple[Half, ...], tuple[Half, ...]]
    question: str
    answer: str
    options: tuple[str, ...]
    guesses: tuple[str, str]


def two_hop(
    count: int, seed: int, wordings: Wordings, chatter: Chatter | None = None, *, asymmetric: bool = False
) -> list[Item]:
    """`count` items, the two kinds (three where asymmetric) in turns; in asymmetric ones no side guesses right."""
    kinds = ("same", "opposite", "bridge") if asymmetric else ("same", "opposite")
    family = "needle"
    return [_item(family, kinds[n % len(kinds)], n, seed, wordings, chatter, asymmetric) for n in range(count)]


def one_hop(count: int, seed: int, wordings: Wordings, chatter: Chatter | None = None) -> list[Item]:
    """`count` items whose answer one side was told."""
    kinds = tuple(load("needle_values")["about"])
    return [_item("needle-1hop", kinds[n % len(kinds)], n, seed, wordings, chatter, False) for n in range(count)]


def _item(
    family: str, kind: str, number: int, seed: int, wordings: Wordings, chatter: Chatter | None, asymmetric: bool
) -> Item:
    book = read_book("needle", wordings)
    for again in range(_DRAWS):
        rng = Random(f"kithnet {family} {asymmetric} {seed} {number} {again}")
        people = draw_people(4, rng)
        needle = _draw(kind, book, people, rng)
        if asymmetric and any(short_right(guess, (needle.answer,)) for guess in needle.guesses):
            continue
        names = [name for name, _ in people]
        setting, evidence = _hidden(f"{family}-{number}", names, needle, chatter or SmallTalk(), number, rng)
        if setting is None or named(needle.question, (needle.answer,)):
            continue
        bob, charlie = names[1].lower(), names[2].lower()
        return Item(
            f"{family}-{'asymmetric-' if asymmetric else ''}{number}", family, setting, bob, charlie, needle.question,
            needle.answer, "short", options=needle.options, evidence=evidence, alone=needle.guesses,
            oracle=needle.answer, kind=kind,
        )  # fmt: skip
    raise LedgerError(f"no needle of kind {kind} was found in {_DRAWS} draws")


def _draw(kind: str, book: Book, people: Sequence[tuple[str, Pronouns]], rng: Random) -> Needle:
    names = {"A": people[0][0], "D": people[3][0]}
    if kind == "bridge":
        return _bridge(book, names, rng)
    if kind in ("same", "opposite"):
        return _shared(kind, book, names, rng)
    pool = load("needle_values")["about"]
    mine, theirs = rng.sample(pool[kind], 2)
    asides = [(key, rng.sample(pool[key], 2)) for key in pool if key != kind]
    halves = tuple(
        (Half(book.say("tell", kind, rng, X=value), value, side == 1),
         *(Half(book.say("tell", key, rng, X=pair[side]), pair[side]) for key, pair in asides))
        for side, value in enumerate((mine, theirs))
    )  # fmt: skip
    options = tuple(pool[kind])
    return Needle(kind, (halves[0], halves[1]), book.say("ask", kind, rng, **names), theirs, options, ("", theirs))


def _shared(kind: str, book: Book, names: dict[str, str], rng: Random) -> Needle:
    """One thing that both love, and a decoy that they see in opposite ways; or the other way round."""
    things = rng.sample(load("needle_values")["thing"], 2 + 2 * OWN)
    needle, decoy, *others = things
    turn = rng.random() < 0.5  # who loves what the other hates
    views = [
        [(needle, kind == "same" or turn, True), (decoy, kind != "same" or turn, False)],
        [(needle, kind == "same" or not turn, True), (decoy, kind != "same" or not turn, False)],
    ]
    for side in (0, 1):
        views[side] += [(thing, rng.random() < 0.6, False) for thing in others[side::2]]
    halves = [
        tuple(Half(book.say("tell", "like" if likes else "dislike", rng, X=thing), thing, wanted) for thing, likes, wanted in view)
        for view in views
    ]  # fmt: skip
    pools = [[thing for thing, likes, _ in view if likes or kind == "opposite"] for view in views]
    guesses = (rng.choice(pools[0]), rng.choice(pools[1]))
    return Needle(
        kind, (halves[0], halves[1]), book.say("ask", kind, rng, **names), needle, tuple(sorted(things)), guesses
    )


def _bridge(book: Book, names: dict[str, str], rng: Random) -> Needle:
    """Three people who run places, three places in towns; the question names one of the people."""
    values = load("needle_values")
    roles, venues, towns = (rng.sample(values[name], 3) for name in ("role", "venue", "town"))
    runs = tuple(
        Half(book.say("tell", "runs", rng, role=role, venue=venue), venue, place == 0)
        for place, (role, venue) in enumerate(zip(roles, venues, strict=True))
    )
    lies = tuple(
        Half(book.say("tell", "lies", rng, venue=venue, town=town), town, place == 0)
        for place, (venue, town) in enumerate(zip(venues, towns, strict=True))
    )
    question = book.say("ask", "bridge", rng, role=roles[0], **names)
    return Needle("bridge", (runs, lies), question, towns[0], tuple(towns), ("", rng.choice(towns)))


def _hidden(
    identity: str, names: Sequence[str], needle: Needle, chatter: Chatter, number: int, rng: Random
) -> tuple[Setting | None, tuple[int, ...]]:
    """The world, and the messages of the needles; None where the talk itself speaks of what is hidden."""
    alice, bob, charlie, dave = names
    pairs = [(alice, bob), (dave, charlie), (bob, charlie)]
    talks = [chatter.talk(pair, 3 * number + place, rng) for place, pair in enumerate(pairs)]
    if any(named(text, needle.options) for talk in talks for _, text in talk):
        return None, ()
    messages: list[Said] = []
    evidence: list[int] = []
    for place, (pair, talk) in enumerate(zip(pairs, talks, strict=True)):
        halves = needle.halves[place] if place < 2 else ()
        at = START + timedelta(days=place)
        for speaker, text, half in _put_in(talk, halves, rng):
            if half and half.needle:
                evidence.append(len(messages))
            facts = (f"{pair[0]}/{half.value}",) if half else ()
            sender, receiver = pair[speaker].lower(), pair[1 - speaker].lower()
            messages.append(Said(len(messages), sender, receiver, text, at, facts))
            at += timedelta(seconds=50)
    people = tuple(Resident(name.lower(), name) for name in names)
    ids = [one.id for one in people]
    tied = ((0, 1), (2, 3), (1, 2), (0, 2), (1, 3))
    ties = tuple(sorted((min(ids[a], ids[b]), max(ids[a], ids[b])) for a, b in tied))
    return Setting(identity, people, ties, tuple(messages)), tuple(evidence)


def _put_in(talk: Talk, halves: Sequence[Half], rng: Random) -> list[tuple[int, str, Half | None]]:
    """The talk with the halves in it, in any order, each said by the first of the two."""
    lines: list[tuple[int, str, Half | None]] = [(speaker, text, None) for speaker, text in talk]
    for half in rng.sample(list(halves), len(halves)):
        if normalised(half.value) not in normalised(half.text):
            raise LedgerError(f"{half.text!r} does not state {half.value!r}")
        lines.insert(rng.randint(2, len(lines) - 1), (0, sentence(half.text), half))
    return lines
