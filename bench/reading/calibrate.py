"""How sure the reader may be: the weights of `agents/minds/finding.py`, fitted on what recall itself finds in two kinds of worlds.

    python -m kithnet.bench.reading.calibrate --friendsqa FILE --friendstv FILE --home FOLDER

Over ten seasons: questions of watched scenes, but none of the list that `kith bench asking` asks, so that its figures stay clean.
In a generated world: its tasks, each put to people who know the answer and to some who do not. Another one, in the wordings that
are held out, is reported on and fitted to by nothing.
"""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from kithnet.agents.disclosure.policy import Policy
from kithnet.agents.minds import finding
from kithnet.agents.minds.finding import Answer
from kithnet.agents.personal import PersonalAgent
from kithnet.app import collaborate, engines
from kithnet.app.cast import Cast
from kithnet.app.runs import Run
from kithnet.bench.asking import chosen, friendsqa, worlds
from kithnet.bench.asking.parts import Place
from kithnet.bench.asking.question import Question
from kithnet.bench.asking.scoring import right
from kithnet.bench.reading.examples import friendsqa as talks_of
from kithnet.memory.indexer import Indexer
from kithnet.memory.language.text import sentence_with
from kithnet.memory.store import Store
from kithnet.memory.vectors import ArrayIndex
from kithnet.network.generate import GenerateSpec, generate
from kithnet.network.generate.spec import Phrases
from kithnet.runtime.config import Config
from kithnet.runtime.scripted import ScriptedModel

SEED = 13
GENERATED: tuple[int, Phrases] = (31, "default")
HELD_OUT: tuple[int, Phrases] = (33, "held-out")
"""Seeds of the generated worlds; that of `kith demo` is neither."""
MESSAGES, HOLDERS = 8_000, 2
"""Of a generated world; people who know the answer that a task is put to."""
LIMITS = (0.0, 0.2, 0.3, 0.36, 0.4, 0.5, 0.6, 0.7)
STRENGTH = 1.0
"""Of the ridge that holds weights of few questions small."""


@dataclass(frozen=True)
class Case:
    """What was found for one question: what may answer it, surest first, and whether each does.

    recalled, reranked: places of the first line that answers, from 1, 0 for none, before and after the reader ranked them.
    """

    answers: Sequence[Answer]
    right: Sequence[bool]
    recalled: int
    reranked: int


async def case(
    agent: PersonalAgent, question: str, partner: str | None, gold: set[str], fits: Callable[[str], bool]
) -> Case:
    """A question looked up in one person's memory. gold: lines that answer. fits: whether a text says what is asked."""
    found = await agent.recall(question, partner=partner, k=finding.RANKED, budget=finding.BUDGET)
    hits, answers = found.hits, finding.answers(agent, question, found.hits)
    good = [one.hit.id in gold and fits(f"{one.value} {sentence_with(one.value, one.hit.text)}") for one in answers]
    order = finding.ranked(agent, question, hits)
    return Case(answers, good, _first([hit.id for hit in hits], gold), _first([hit.id for hit in order], gold))


def _first(ids: Sequence[str], gold: set[str]) -> int:
    return next((place for place, one in enumerate(ids, 1) if one in gold), 0)


async def of_seasons(world: Path, models: Path, config: Config, questions: Sequence[Question]) -> list[Case]:
    """Every question put to whoever is asked it."""
    found = []
    with TemporaryDirectory() as folder:
        run = Run("calibrate", Path(folder))
        async with collaborate.scene(world, models, config, run, model=ScriptedModel([]), journal=False) as scene:
            place = Place.of(scene)
            for one in questions:

                def fits(said: str, one: Question = one) -> bool:
                    return right(said, one.gold)

                agent = scene.cast.agent(one.to)
                found.append(await case(agent, one.text, one.asker, place.gold(one), fits))
    return found


async def generated(seed: int, phrases: Phrases, models: Path, config: Config) -> list[Case]:
    """Every task of a generated world, put to some who have the answer, to who asks it, and to somebody else."""
    world, rng = generate(GenerateSpec(messages=MESSAGES, seed=seed, phrases=phrases)), Random(seed)
    found = []
    with (
        TemporaryDirectory() as folder,
        engines.embedder(config, models) as embedder,
        engines.reader(config, models) as reader,
    ):
        assert embedder is not None and reader is not None, "fetch the models first"
        with Store.create(Path(folder) / "kith.db") as store:
            store.ingest(world.people, world.ties, world.messages, world.tasks)
            index = ArrayIndex(embedder.name, embedder.dim)
            Indexer(store, index, embedder).run()
            cast = Cast(store, Policy(()), embedder=embedder, index=index, reader=reader)
            texts = {message.id: message.text for message in store.messages()}
            people = [person.id for person in store.people()]
            for task in store.tasks():
                told = {texts[str(one)] for one in task.evidence if str(one) in texts}
                gold = {identity for identity, text in texts.items() if text in told}  # as each who heard it has it
                answers = [one.casefold() for one in (task.answer, *task.aliases)]

                def fits(said: str, answers: Sequence[str] = answers) -> bool:
                    return any(one in said.casefold() for one in answers)

                for person in dict.fromkeys((*task.holders[:HOLDERS], task.instructor, rng.choice(people))):
                    found.append(await case(cast.agent(person), task.question, None, gold, fits))
    return found


def fit(kinds: Sequence[Sequence[Case]]) -> finding.Weights:
    """What the signs of a span weigh, then what its merit and its lead do. Each kind of world weighs alike."""
    share = [len(kinds[0]) / len(cases) for cases in kinds for case in cases for _ in case.answers]
    right = [one for cases in kinds for case in cases for one in case.right]
    signs = [answer.signs for cases in kinds for case in cases for answer in case.answers]
    first = finding.Weights(*[*_logistic(signs, right, share)[:-1], 0.0, 0.0, 0.0])
    both = [
        (finding.merit(answer.signs, first), finding.lead(answer, case.answers, first))
        for cases in kinds for case in cases for answer in case.answers
    ]  # fmt: skip
    merit, lead, base = _logistic(both, right, share)
    return replace(first, merit=merit, lead=lead, base=base)


def _logistic(rows: Sequence[Sequence[float]], right: Sequence[bool], share: Sequence[float]) -> list[float]:
    """A ridge logistic regression by Newton's method: weights of the columns, then the base. share: what each row counts."""
    table = np.array([[*row, 1.0] for row in rows])
    wanted, counts = np.array(right, float), np.array(share)
    weights: npt.NDArray[np.float64] = np.zeros(table.shape[1])
    hold = STRENGTH * np.diag([1.0] * (table.shape[1] - 1) + [0.0])
    for _ in range(50):
        odds = 1 / (1 + np.exp(-table @ weights))
        slope = table.T @ (counts * (odds - wanted)) + hold @ weights
        curve = (table * (counts * odds * (1 - odds))[:, None]).T @ table + hold
        weights -= np.linalg.solve(curve, slope)
    return [round(float(one), 3) for one in weights]


def surest(cases: Sequence[Case], weights: finding.Weights) -> list[tuple[float, bool]]:
    """For each question how sure its surest answer is, and whether that is right."""
    found = []
    for case in cases:
        sure = [finding.sure(one, case.answers, weights) for one in case.answers]
        best = max(range(len(sure)), key=sure.__getitem__, default=None)
        found.append((0.0, False) if best is None else (sure[best], case.right[best]))
    return found


def figures(found: Sequence[Case], weights: finding.Weights) -> list[str]:
    """Recall before and after ranking; what is right and wrong at each threshold."""
    lines = []
    for name in ("recalled", "reranked"):
        places = [getattr(case, name) for case in found]
        shares = [sum(0 < place <= cut for place in places) / len(places) for cut in (1, 5, 12, 50)]
        lines.append(f"{name:>10} @1 {shares[0]:.3f}  @5 {shares[1]:.3f}  @12 {shares[2]:.3f}  @50 {shares[3]:.3f}")
    best = surest(found, weights)
    for limit in LIMITS:
        told = [one for one in best if one[0] >= limit]
        good = sum(one[1] for one in told)
        lines.append(f"sure {limit:.2f}: right {good / len(best):.3f}, wrong {(len(told) - good) / len(best):.3f}")
    return lines


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--friendsqa", type=Path, required=True)
    options.add_argument("--friendstv", type=Path, required=True)
    options.add_argument("--home", type=Path, required=True)
    given = options.parse_args()
    config, models = Config(), given.home / "models"
    subject = friendsqa.load(given.friendsqa, given.friendstv, SEED)
    listed = set(chosen.listed_ids("friendsqa") or ())
    watched = {one.id for one in talks_of(given.friendsqa, watched=True)}
    wanted = [question for question in subject.questions if question.id in watched - listed]
    key = worlds.key_of([given.friendsqa, given.friendstv], None)
    world = worlds.made(given.home / "bench" / "asking" / "worlds", subject, key, models, config, print)
    found = {
        "ten seasons": asyncio.run(of_seasons(world, models, config, wanted)),
        "generated": asyncio.run(generated(*GENERATED, models, config)),
        "generated, held-out wordings": asyncio.run(generated(*HELD_OUT, models, config)),
    }
    weights = fit([found["ten seasons"], found["generated"]])
    print("fitted", weights, "shipped", finding.WEIGHTS)
    for name, cases in found.items():
        there = sum(any(one.right) for one in cases)
        print(f"{name}: {len(cases)} questions, {there} with a right span among those read")
        print("\n".join(figures(cases, weights)))
    print("as likely as it says? (what it says: how often it was right, of how many)")
    print("\n".join(reliability([one for cases in found.values() for one in surest(cases, weights)])))


def reliability(told: Sequence[tuple[float, bool]]) -> list[str]:
    """For each fifth of the scale, how often the surest answer was right."""
    rows = []
    for low in np.arange(0, 1, 0.2):
        inside = [good for sure, good in told if low <= sure < low + 0.2]
        if inside:
            rows.append(f"{low:.1f} to {low + 0.2:.1f}: {np.mean(inside):.2f} of {len(inside)}")
    return rows


if __name__ == "__main__":
    main()
