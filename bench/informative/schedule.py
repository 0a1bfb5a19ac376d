"""Schedule: what six people (four for easy) do tomorrow, told inside two groups; the askers lead one group each.

Dialogues are A-B, A-C, D-E and D-F, in easy A-B and D-E; A and D ask. So A was told all of its group and nothing of
the other, but for what people of both do together.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from kithnet.bench.informative import schedule_tasks as tasks
from kithnet.bench.informative.day import SLEEP, Day, Doing, Habits, doings, draw_day
from kithnet.bench.informative.item import Item, Resident, Said, Setting
from kithnet.bench.informative.schedule_tasks import Level
from kithnet.bench.informative.scoring import best_constant, score
from kithnet.bench.informative.telling import PASSED_ON, Line, Teller
from kithnet.bench.informative.wordings import Book, Pronouns, Wordings, draw_people, listed, load, read_book
from kithnet.runtime.errors import LedgerError

Habit = tuple[tuple[int, int], tuple[int, int]]
Shape = Literal["classic", "wide"]
EVENING = datetime(2024, 5, 13, 19, 0)
"""When the people write about the next day."""
GROUPS = {"easy": (2, 2), "medium": (3, 3), "hard": (3, 3)}
CLASSIC: dict[Level, Habit] = {"easy": ((1, 3), (0, 1)), "medium": ((1, 3), (0, 2)), "hard": ((0, 2), (0, 1))}
WIDE: dict[Level, Habit] = {"easy": ((2, 4), (0, 2)), "medium": ((1, 3), (0, 3)), "hard": ((1, 3), (0, 3))}
"""Least and most activities of one person alone, and of all pairs together."""
ENOUGH: dict[Level, float] = {"easy": 0.0, "medium": 0.8, "hard": 0.75}
"""The most that one side alone may score in an asymmetric item."""
_DRAWS = 4000


def classic(level: Level, count: int, seed: int, wordings: Wordings) -> list[Item]:
    """`count` items as the worlds fall out."""
    return [item for item, _ in classic_with_days(level, count, seed, wordings)]


def classic_with_days(level: Level, count: int, seed: int, wordings: Wordings) -> list[tuple[Item, Day]]:
    """The same with the day behind each, as a record holds it."""
    return [_item(level, "classic", f"schedule-{level}-{number}", seed, number, wordings) for number in range(count)]


def asymmetric(level: Level, count: int, seed: int, wordings: Wordings) -> list[Item]:
    """`count` items that neither a side alone nor the best constant of classic worlds solves, their answers balanced."""
    constant = usual_answer(level, seed)
    taken: Counter[str] = Counter()
    found: list[Item] = []
    for number in range(_DRAWS):
        if len(found) == count:
            break
        day, people, _ = _drawn(level, "wide", seed, number)
        askers = _askers(people, level)
        answer = tasks.solve(level, day, askers)
        group = _answer_class(level, answer)
        if taken[group] > len(found) / 4:
            continue
        item, _ = _item(level, "wide", f"schedule-{level}-wide-{number}", seed, number, wordings)
        if score(item, constant) >= 1 or any(score(item, side) > ENOUGH[level] for side in item.alone):
            continue
        taken[group] += 1
        found.append(item)
    if len(found) < count:
        raise LedgerError(f"only {len(found)} of {count} asymmetric worlds were found in {_DRAWS}")
    return found


def usual_answer(level: Level, seed: int, worlds: int = 100) -> str:
    """The answer that is worth most as a constant in classic worlds."""
    drawn = [_drawn(level, "classic", -seed - 1, number)[:2] for number in range(worlds)]
    answers = [tasks.solve(level, day, _askers(people, level)) for day, people in drawn]
    return best_constant(tasks.SCORING[level], answers)


def _answer_class(level: Level, answer: str) -> str:
    return answer if level != "hard" else str(answer.count("-"))


def habits(level: Level, shape: Shape) -> Habits:
    """How the days of a level are drawn: with a usual longest activity, or so that any may be it."""
    table = load("names")["usual" if shape == "classic" else "activities"]
    lengths = {name: (low, high) for name, (low, high) in table.items()}
    if shape == "wide":
        return Habits(lengths, *WIDE[level])
    return Habits(lengths, *CLASSIC[level], usual=("Work", 0.09 if level == "medium" else 0.0))


def _drawn(level: Level, shape: Shape, seed: object, number: int) -> tuple[Day, list[tuple[str, Pronouns]], Random]:
    rng = Random(f"kithnet schedule {level} {shape} {seed} {number}")
    people = draw_people(sum(GROUPS[level]), rng)
    ids = [name.lower() for name, _ in people]
    day = draw_day(ids, habits(level, shape), rng)
    while not tasks.solve(level, day, _askers(people, level)):  # nobody is ever free
        day = draw_day(ids, habits(level, shape), rng)
    return day, people, rng


def _askers(people: Sequence[tuple[str, Pronouns]], level: Level) -> tuple[str, str]:
    return people[0][0].lower(), people[GROUPS[level][0]][0].lower()


def _item(level: Level, shape: Shape, identity: str, seed: int, number: int, wordings: Wordings) -> tuple[Item, Day]:
    return told_day(level, shape, identity, seed, number, read_book("schedule", wordings))


def told_day(level: Level, shape: Shape, identity: str, seed: int, number: int, book: Book) -> tuple[Item, Day]:
    """An item and the day behind it, told in the words of a book. Raises LedgerError where a phrase leaves something out."""
    day, people, rng = _drawn(level, shape, seed, number)
    names = {name.lower(): (name, they) for name, they in people}
    ids = list(names)
    first = GROUPS[level][0]
    groups = (ids[:first], ids[first:])
    teller = Teller(book, names, list(load("names")["activities"]), rng)
    talks = [talk for group in groups for talk in _group_talks(group, day, teller, rng)]
    setting = _setting(identity, names, groups, talks)
    askers = (groups[0][0], groups[1][0])
    question = _question(book, level, [name for name, _ in names.values()], [names[one][0] for one in askers], rng)
    return assemble(identity, level, setting, day, groups, question), day


def assemble(
    identity: str, level: Level, setting: Setting, day: Day, groups: Sequence[Sequence[str]], question: str
) -> Item:
    """An item from a day that is known and told. groups: people of the instructor's and of the assistant's side."""
    askers = (groups[0][0], groups[1][0])
    answer = tasks.solve(level, day, askers)
    one, other = (tasks.alone(level, day, askers, side) for side in groups)
    wanted = {doing.fact for doing in (doings(day, askers) if level == "easy" else doings(day))}
    evidence = tuple(said.seq for said in setting.messages if wanted.intersection(said.facts))
    options = tuple(sorted({doing.activity for doing in doings(day)} - {SLEEP}))
    return Item(
        identity, f"schedule-{level}", setting, *askers, question, answer, tasks.SCORING[level],
        options=options if level == "medium" else (), evidence=evidence, alone=(one, other), oracle=answer, kind=level,
    )  # fmt: skip


def _question(book: Book, level: Level, everyone: Sequence[str], askers: Sequence[str], rng: Random) -> str:
    return book.say("ask", level, rng, A=askers[0], D=askers[1], all=listed(everyone))


def _group_talks(group: Sequence[str], day: Day, teller: Teller, rng: Random) -> list[tuple[str, str, list[Line]]]:
    """The leader talks with each of the group; all that the group does is told to or by the leader."""
    leader, *others = group
    facts: dict[str, list[Doing]] = {other: [] for other in others}
    for person in group:
        for doing in day[person]:
            with_leader = doing.partner == leader and person != leader
            between = doing.partner in group and doing.partner < person and leader not in (person, doing.partner)
            if with_leader or between:  # told from the other's side
                continue
            hearers = others if person == leader else [person]
            if person != leader and rng.random() < PASSED_ON:
                hearers = others
            hearer = doing.partner if doing.partner in others and person == leader else rng.choice(hearers)
            facts[hearer].append(doing)
    talks = []
    for other in others:
        lines = teller.talk(leader, other, facts[other], day)
        _recoverable(lines, facts[other])
        talks.append((leader, other, lines))
    return talks


def _recoverable(lines: Sequence[Line], facts: Sequence[Doing]) -> None:
    stated = {line.fact for line in lines if line.fact and line.states}
    if missing := [doing.fact for doing in facts if doing.fact not in stated]:
        raise LedgerError(f"no message states {missing}: a phrase leaves something out")


def _setting(
    identity: str, names: dict[str, tuple[str, Pronouns]], groups: Sequence[Sequence[str]],
    talks: Sequence[tuple[str, str, list[Line]]],
) -> Setting:  # fmt: skip
    """The messages of all talks in order; people who share an activity hold each other's fact under both names."""
    messages: list[Said] = []
    ties = {tuple(sorted((groups[0][0], groups[1][0])))}
    for place, (a, b, lines) in enumerate(talks):
        at = EVENING + timedelta(minutes=40 * place)
        ties.add(tuple(sorted((a, b))))
        for line in lines:
            receiver = b if line.speaker == a else a
            facts = (line.fact,) if line.fact else ()
            messages.append(Said(len(messages), line.speaker, receiver, line.text, at, facts))
            at += timedelta(seconds=45)
    people = tuple(Resident(one, name) for one, (name, _) in names.items())
    return Setting(identity, people, tuple((a, b) for a, b in sorted(ties)), tuple(messages))
