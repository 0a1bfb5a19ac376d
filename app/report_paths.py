"""The paths facts took in a task: who told whom what, and from whose evidence it came."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kithnet.agents.infonav import Evidence
from kithnet.app.report_events import Said
from kithnet.app.report_story import TaskStory


@dataclass(frozen=True, slots=True)
class Passing:
    """One person told another one or more facts. step: when, counted from 1 over the task's passings.

    cited: the answer rests on one of the facts. earlier: it was told before the task, and remembered.
    """

    step: int
    sender: str
    receiver: str
    sources: tuple[str, ...]
    cited: bool
    earlier: bool = False


@dataclass(frozen=True, slots=True)
class Chain:
    """The way of one cited value: from the person whose message holds it to the one who has the task.

    earlier: the first step was told before the task. value: the last wording of it.
    """

    people: tuple[str, ...]
    sources: tuple[str, ...]
    value: str
    earlier: bool


@dataclass(frozen=True, slots=True)
class Paths:
    """All ways of a task. fruitless: (asker, asked) of consultations that brought nothing. people: all who took part."""

    passings: tuple[Passing, ...]
    chains: tuple[Chain, ...]
    fruitless: tuple[tuple[str, str], ...]
    witnesses: tuple[str, ...]
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    """One claim as it crossed."""

    sender: str
    receiver: str
    sources: tuple[str, ...]
    witness: str
    hops: int
    value: str


def paths_of(task: TaskStory) -> Paths:
    """The paths of a task, from what was said in it and what its answer rests on."""
    told = _with_earlier(task.said)
    cited = frozenset(task.citations)
    passings = _passings(told, cited)
    chains = _chains(task, [one for one, _ in told], cited)
    useful = {(one.sender, one.receiver) for one in passings}
    fruitless = dict.fromkeys(
        talk.pair for talk in task.consultations if (talk.pair[1], talk.pair[0]) not in useful
    )
    people = dict.fromkeys((task.began.instructor, task.began.assistant))
    people |= dict.fromkeys(person for talk in task.consultations for person in talk.pair)
    people |= dict.fromkeys(person for one in passings for person in (one.sender, one.receiver))
    people |= dict.fromkeys(person for chain in chains for person in chain.people)
    witnesses = tuple(dict.fromkeys(chain.people[0] for chain in chains))
    return Paths(passings, chains, tuple(fruitless), witnesses, tuple(people))


def _with_earlier(said: Iterable[Said]) -> list[tuple[_Told, bool]]:
    """Every claim that was spoken; before one that the speaker had from someone outside the task, that telling."""
    told: list[tuple[_Told, bool]] = []
    reached: set[tuple[str, str]] = set()
    for utterance in said:
        for claim in utterance.claims:
            speaker = utterance.sender
            known = any((source, speaker) in reached for source in claim.sources)
            if claim.hops and claim.witness != speaker and not known:
                told.append((_Told(claim.witness, speaker, claim.sources, claim.witness, 0, claim.value), True))
            one = _Told(speaker, utterance.receiver, claim.sources, claim.witness, claim.hops, claim.value)
            told.append((one, False))
            reached.update((source, utterance.receiver) for source in claim.sources)
    return told


def _passings(told: Sequence[tuple[_Told, bool]], cited: frozenset[str]) -> tuple[Passing, ...]:
    """One passing for each pair and direction, at its first telling."""
    merged: dict[tuple[str, str], Passing] = {}
    for one, earlier in told:
        pair = one.sender, one.receiver
        rests = bool(cited & set(one.sources))
        if pair not in merged:
            merged[pair] = Passing(len(merged) + 1, *pair, one.sources, rests, earlier)
        else:
            had = merged[pair]
            sources = tuple(dict.fromkeys((*had.sources, *one.sources)))
            merged[pair] = Passing(had.step, *pair, sources, had.cited or rests, had.earlier and earlier)
    return tuple(merged.values())


def _chains(task: TaskStory, told: Sequence[_Told], cited: frozenset[str]) -> tuple[Chain, ...]:
    """A chain for each message the answer cites; messages that came the same way share one."""
    found: dict[tuple[str, ...], Chain] = {}
    for source in task.citations:
        carrying = [one for one in told if source in one.sources]
        if carrying:
            people, value, earlier = _way(carrying, task.began.instructor)
        else:
            people, value, earlier = _kept(task, source)
        had = found.get(people)
        sources = (*had.sources, source) if had else (source,)
        found[people] = Chain(people, sources, had.value if had else value, earlier)
    return tuple(chain for chain in found.values() if chain.people)


def _way(carrying: Sequence[_Told], end: str) -> tuple[tuple[str, ...], str, bool]:
    """Walk back from the telling that reached `end`, or from the last one."""
    at = max((n for n, one in enumerate(carrying) if one.receiver == end), default=len(carrying) - 1)
    value, people = carrying[at].value, [carrying[at].receiver]
    while True:
        one = carrying[at]
        people.append(one.sender)
        before = [n for n in range(at) if carrying[n].receiver == one.sender and carrying[n].sender not in people]
        if not before:
            break
        at = before[-1]
    return tuple(reversed(people)), value, False


def _kept(task: TaskStory, source: str) -> tuple[tuple[str, ...], str, bool]:
    """Evidence that nobody had to tell: the person who holds it, as the agreed value has it."""
    for agreed in task.answer.agreed if task.answer else ():
        for evidence in agreed.evidence:
            if source in evidence.sources:
                return _holder(evidence, task), agreed.value or "", False
    return (), "", False


def _holder(evidence: Evidence, task: TaskStory) -> tuple[str, ...]:
    return (evidence.witness,) if evidence.witness else (task.began.instructor,)
