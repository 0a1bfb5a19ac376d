"""The paths facts took in a task: who told whom what, and from whose evidence it came."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from kithnet.app.report_events import Said
from kithnet.app.report_story import TaskStory


@dataclass(frozen=True, slots=True)
class Passing:
    """One person told another one or more facts. step: when, counted from 1 over the task's passings.

    cited: it is a step of a chain. earlier: it was told before the task, and remembered.
    """

    step: int
    sender: str
    receiver: str
    cited: bool
    earlier: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """A value the answer holds, and the messages at its origin."""

    value: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """The way of cited facts: from the person whose message holds them to the one who has the task.

    earlier: the first step was told before the task. untold: it ends before the one who has the task, who holds the
    value from nowhere else; the answer gives away what nobody said.
    """

    people: tuple[str, ...]
    facts: tuple[Fact, ...]
    earlier: bool
    untold: bool


@dataclass(frozen=True, slots=True)
class Paths:
    """All ways of a task. fruitless: (asker, asked) of consultations that brought nothing.

    people: all who took part, the instructor first.
    """

    passings: tuple[Passing, ...]
    chains: tuple[Chain, ...]
    fruitless: tuple[tuple[str, str], ...]
    witnesses: tuple[str, ...]
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    """One claim as it crossed. earlier: before the task, as its teller's memory has it."""

    sender: str
    receiver: str
    sources: tuple[str, ...]
    value: str
    earlier: bool = False


def paths_of(task: TaskStory) -> Paths:
    """The paths of a task, from what was said in it and what its answer rests on."""
    told = _tellings(task.said)
    chains = _chains(task, told)
    steps = {step for chain in chains for step in pairwise(chain.people)}
    remembered = [_Told(chain.people[0], chain.people[1], (), "", earlier=True) for chain in chains if chain.earlier]
    passings = _passings([*told, *remembered], steps)
    useful = {(one.sender, one.receiver) for one in passings}
    fruitless = dict.fromkeys(talk.pair for talk in task.consultations if (talk.pair[1], talk.pair[0]) not in useful)
    people = dict.fromkeys((task.began.instructor, task.began.assistant))
    people |= dict.fromkeys(person for talk in task.consultations for person in talk.pair)
    people |= dict.fromkeys(person for one in passings for person in (one.sender, one.receiver))
    people |= dict.fromkeys(person for chain in chains for person in chain.people)
    witnesses = tuple(dict.fromkeys(chain.people[0] for chain in chains))
    return Paths(passings, chains, tuple(fruitless), witnesses, tuple(people))


def _tellings(said: Iterable[Said]) -> list[_Told]:
    """Every claim that was spoken; before one that the speaker had from someone outside the task, that telling."""
    told: list[_Told] = []
    reached: set[tuple[str, str]] = set()
    for utterance in said:
        speaker, listener = utterance.sender, utterance.receiver
        for claim in utterance.claims:
            heard_here = any((source, speaker) in reached for source in claim.sources)
            if claim.hops and claim.witness != speaker and not heard_here:
                told.append(_Told(claim.witness, speaker, claim.sources, claim.value, earlier=True))
            told.append(_Told(speaker, listener, claim.sources, claim.value))
            reached.update((source, listener) for source in claim.sources)
    return told


def _passings(told: Sequence[_Told], cited: set[tuple[str, str]]) -> tuple[Passing, ...]:
    """One passing for each pair and direction, at its first telling. cited: the steps of the chains."""
    merged: dict[tuple[str, str], Passing] = {}
    for one in told:
        pair = one.sender, one.receiver
        had = merged.get(pair) or Passing(len(merged) + 1, *pair, pair in cited, one.earlier)
        merged[pair] = replace(had, earlier=had.earlier and one.earlier)
    return tuple(merged.values())


def _chains(task: TaskStory, told: Sequence[_Told]) -> tuple[Chain, ...]:
    """The ways of all messages the answer cites; facts that came the same way share a chain."""
    ways: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}
    earlier = set()
    for source in task.citations:
        carrying = [one for one in told if source in one.sources]
        people, value, before = _way(carrying, task.began.instructor) if carrying else _kept(task, source)
        facts = ways.setdefault(people, {})
        facts[value] = (*facts.get(value, ()), source)
        if before:
            earlier.add(people)
    return tuple(
        Chain(
            people,
            tuple(Fact(value, sources) for value, sources in facts.items()),
            people in earlier,
            people[-1] != task.began.instructor and not all(_on_both_sides(task, facts[value]) for value in facts),
        )
        for people, facts in ways.items()
    )


def _on_both_sides(task: TaskStory, sources: Iterable[str]) -> bool:
    """Whether both ledgers hold the value that rests on `sources`."""
    wanted = set(sources)
    agreed = task.answer.agreed if task.answer else ()
    return any(one.both and wanted & {s for e in one.evidence for s in e.sources} for one in agreed)


def _way(carrying: Sequence[_Told], end: str) -> tuple[tuple[str, ...], str, bool]:
    """Walk back from the telling that reached `end`, or from the last one; what began with `end` went nowhere.

    Returns the people from first to last, the value as it arrived, and whether the first step was told earlier.
    """
    at = max((n for n, one in enumerate(carrying) if one.receiver == end), default=len(carrying) - 1)
    value, people = carrying[at].value, [carrying[at].receiver]
    while True:
        teller = carrying[at].sender
        people.append(teller)
        before = [n for n in range(at) if carrying[n].receiver == teller and carrying[n].sender not in people]
        if not before:
            return ((end,), value, False) if teller == end else (tuple(reversed(people)), value, carrying[at].earlier)
        at = before[-1]


def _kept(task: TaskStory, source: str) -> tuple[tuple[str, ...], str, bool]:
    """Evidence that nobody told in the task: with the person who found it in memory, the instructor if both sides did.

    What that person was told before the task comes from its teller.
    """
    for agreed in task.answer.agreed if task.answer else ():
        for evidence in agreed.evidence:
            if source in evidence.sources:
                finders = task.finders(evidence.id) or [evidence.witness]
                holder = task.began.instructor if task.began.instructor in finders else finders[0]
                earlier = evidence.witness != holder
                return ((evidence.witness, holder) if earlier else (holder,)), agreed.value or "", earlier
    return (task.began.instructor,), task.answer_text, False
