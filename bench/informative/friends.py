"""FriendsTV-style questions over a generated network: who it is stands in one person's memory, the rest in another's.

Two facts about one person, each heard by people who never heard the other; the question names the first fact and
asks for the second. The askers are one from each of these private sets (iAgents, section 4).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from kithnet.bench.informative.item import Item, Resident, Said, Setting
from kithnet.bench.informative.scoring import named, short_right
from kithnet.bench.informative.wordings import Book, Wordings, read_book, sentence
from kithnet.network.generate import GenerateSpec
from kithnet.network.generate.facts import Fact
from kithnet.network.generate.world import Made, generate_with_facts
from kithnet.runtime.errors import InputError

PEOPLE, TIES, MESSAGES = 140, 582, 11_593
"""Of season 1 as it was released."""
FACTS = 640
ABOUT = (
    "new address", "employer", "book", "car", "dentist", "landlord", "thesis", "tattoo", "wedding venue", "instrument", "paint",
    "allergy",
)  # fmt: skip
"""What facts are about: few things, so that most people heard the same of several others, and the value alone tells nothing."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two facts of one person by number, who is to ask, and whom: neither heard the other's fact."""

    first: int
    second: int
    instructor: int
    assistant: int


def items(
    count: int, seed: int, wordings: Wordings, *, asymmetric: bool = False, size: tuple[int, int, int] | None = None
) -> list[Item]:
    """`count` questions over one world. size: people, ties, messages. Raises InputError when it holds too few.

    asymmetric: only where the assistant knows the same of other people too, so that the value alone answers nothing.
    """
    people, ties, messages = size or (PEOPLE, TIES, MESSAGES)
    made = _world(people, ties, messages, seed, wordings)
    book = read_book("friends", wordings)
    setting = _setting(f"friends-{seed}-{wordings}", made)
    rng = Random(f"kithnet friends {seed} {asymmetric}")
    found: list[Item] = []
    kinds: Counter[str] = Counter()
    for pair in _pairs(made, book, rng):
        item = _item(
            f"friends-{'asymmetric-' if asymmetric else ''}{len(found)}", pair, made, setting, book, rng, asymmetric
        )
        if item is None or kinds[item.kind] > len(found) / 2 + 1:
            continue
        kinds[item.kind] += 1
        found.append(item)
        if len(found) == count:
            return found
    raise InputError(f"this world holds {len(found)} such questions, not {count}", f"use --n {len(found)} or fewer")


@lru_cache(maxsize=4)
def _world(people: int, ties: int, messages: int, seed: int, wordings: Wordings) -> Made:
    phrases = "default" if wordings == "dev" else "held-out"
    spec = GenerateSpec(people=people, ties=ties, messages=messages, seed=seed, tasks=0, phrases=phrases)  # type: ignore[arg-type]
    return generate_with_facts(spec, most=min(FACTS, messages // 12), about=ABOUT)


def _setting(identity: str, made: Made) -> Setting:
    stated: defaultdict[int, list[str]] = defaultdict(list)
    for number, seqs in enumerate(made.evidence):
        for seq in seqs:
            stated[seq].append(f"fact {number}")
    world = made.world
    said = tuple(
        Said(m.seq, m.sender, m.receiver, m.text, m.at, tuple(stated[m.seq]), m.also)
        for m in world.messages
        if m.at is not None
    )
    residents = tuple(Resident(one.id, one.name) for one in world.people)
    return Setting(identity, residents, tuple((tie.a, tie.b) for tie in world.ties), said)


def _pairs(made: Made, book: Book, rng: Random) -> Iterator[Pair]:
    """All pairs of facts with private hearers, in an order drawn from the seed; tied askers where there are any."""
    by_person: defaultdict[int, list[int]] = defaultdict(list)
    for number, fact in enumerate(made.facts):
        if not fact.secret and not fact.attribute.sensitive and fact.old is None and made.evidence[number]:
            by_person[fact.subject].append(number)
    pairs = [(one, two) for numbers in by_person.values() for one in numbers for two in numbers if one != two]
    rng.shuffle(pairs)
    who, ask = book.sections["who"], book.sections["ask"]
    used: Counter[int] = Counter()
    for one, two in pairs:
        first, second = made.facts[one], made.facts[two]
        if first.attribute.key not in who or second.attribute.key not in ask or used[two] > 1:
            continue
        mine = [p for p in first.holders if p not in second.aware and p != first.subject]
        theirs = [p for p in second.holders if p not in first.aware and p != first.subject]
        if mine and theirs:
            tied = [(a, b) for a in mine for b in theirs if b in made.shape.contacts[a]]
            instructor, assistant = rng.choice(tied or [(a, b) for a in mine for b in theirs])
            used[two] += 1
            yield Pair(one, two, instructor, assistant)


def _item(
    identity: str, pair: Pair, made: Made, setting: Setting, book: Book, rng: Random, asymmetric: bool
) -> Item | None:
    first, second = made.facts[pair.first], made.facts[pair.second]
    about = book.say("who", first.attribute.key, rng, v=first.value.text, **first.value.parts)
    question = sentence(book.say("ask", second.attribute.key, rng, S=about, **second.value.parts))
    accepted = (second.value.text, *second.value.aliases)
    if named(question, accepted):
        return None
    same = _known(made.facts, second, pair.assistant)
    guess = rng.choice(same)
    if asymmetric and (len(same) < 2 or short_right(guess, accepted)):
        return None
    ids = [one.id for one in setting.people]
    evidence = tuple(sorted((*made.evidence[pair.first], *made.evidence[pair.second])))
    return Item(
        identity, "friends", setting, ids[pair.instructor], ids[pair.assistant], question, accepted[0], "short",
        aliases=accepted[1:], options=tuple(sorted(same)), evidence=evidence, alone=("", guess), oracle=accepted[0],
        kind=_kind(question),
    )  # fmt: skip


def _known(facts: Sequence[Fact], asked: Fact, person: int) -> list[str]:
    """Values of the attribute that a person heard, of anybody."""
    same = (one for one in facts if one.attribute.key == asked.attribute.key and person in one.holders)
    return [one.value.text for one in same]


def _kind(question: str) -> str:
    """who, where or what, from the interrogative."""
    words = question.casefold().replace("'", " ").split()
    where = {"where", "address", "town", "place"}
    if {"who", "whom", "whose"} & set(words[:2]):
        return "who"
    return "where" if where & set(words[:5]) else "what"
