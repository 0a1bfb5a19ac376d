"""How sure the reader may be: the weights of `agents/minds/finding.py`, fitted on what recall itself finds over ten seasons.

    python -m kithnet.bench.reading.calibrate --friendsqa FILE --friendstv FILE --home FOLDER

Questions of watched scenes, but none of the list that `kith bench asking` asks, so that its figures stay clean.
"""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from kithnet.agents.minds import finding
from kithnet.agents.minds.finding import Answer
from kithnet.app import collaborate
from kithnet.app.runs import Run
from kithnet.bench.asking import chosen, friendsqa, worlds
from kithnet.bench.asking.parts import Place
from kithnet.bench.asking.question import Question, Subject
from kithnet.bench.asking.scoring import right
from kithnet.bench.reading.examples import friendsqa as talks_of
from kithnet.memory.language.text import sentences
from kithnet.runtime.config import Config
from kithnet.runtime.scripted import ScriptedModel

SEED = 13
STRENGTH = 1.0
"""Of the ridge that holds weights of few questions small."""


@dataclass(frozen=True)
class Case:
    """A question with what may answer it, surest first, and whether each does. gold: the line that does was among the hits."""

    question: Question
    answers: Sequence[Answer]
    right: Sequence[bool]
    recalled: int
    reranked: int
    """Places of the first line that answers, from 1, 0 for none."""


async def cases(world: Path, models: Path, config: Config, questions: Sequence[Question]) -> list[Case]:
    """Every question looked up in the memory of who is asked it."""
    found = []
    with TemporaryDirectory() as folder:
        run = Run("calibrate", Path(folder))
        async with collaborate.scene(world, models, config, run, model=ScriptedModel([]), journal=False) as scene:
            assert scene.reader is not None, "there is nothing to calibrate without a reader"
            place = Place.of(scene)
            for one in questions:
                agent, gold = scene.cast.agent(one.to), place.gold(one)
                recalled = await agent.recall(one.text, k=finding.RANKED, budget=finding.BUDGET, partner=one.asker)
                ids = [hit.id for hit in recalled.hits]
                answers = await asyncio.to_thread(finding.answers, agent, one.text, recalled.hits)
                fits = [_fits(answer, one, gold) for answer in answers]
                order = await asyncio.to_thread(finding.ranked, agent, one.text, recalled.hits)
                found.append(Case(one, answers, fits, _first(ids, gold), _first([hit.id for hit in order], gold)))
    return found


def _fits(answer: Answer, question: Question, gold: set[str]) -> bool:
    """Whether an answer is right: its line is one that answers, and the sentence it stands in says so."""
    said = next((part for part in sentences(answer.hit.text) if answer.value in part), answer.hit.text)
    return answer.hit.id in gold and right(f"{answer.value} {said}", question.gold)


def _first(ids: Sequence[str], gold: set[str]) -> int:
    return next((place for place, one in enumerate(ids, 1) if one in gold), 0)


def fit(found: Sequence[Case]) -> npt.NDArray[np.float64]:
    """Weights of the signs and the base: a logistic regression over all that may answer."""
    rows = np.array([answer.signs for case in found for answer in case.answers])
    right = np.array([one for case in found for one in case.right], float)
    table = np.hstack([rows, np.ones((len(rows), 1))])
    weights = np.zeros(table.shape[1])
    for _ in range(50):  # Newton's method
        odds = 1 / (1 + np.exp(-table @ weights))
        ridge = STRENGTH * np.diag([1.0] * rows.shape[1] + [0.0])
        slope = table.T @ (odds - right) + ridge @ weights
        curve = (table * (odds * (1 - odds))[:, None]).T @ table + ridge
        weights -= np.linalg.solve(curve, slope)
    return weights


def figures(found: Sequence[Case], weights: Sequence[float] | None = None) -> list[str]:
    """Recall before and after ranking; what is right and wrong at each threshold."""
    lines = []
    for name in ("recalled", "reranked"):
        places = [getattr(case, name) for case in found]
        shares = [sum(0 < place <= cut for place in places) / len(places) for cut in (1, 5, 12, 50)]
        lines.append(f"{name:>10} @1 {shares[0]:.3f}  @5 {shares[1]:.3f}  @12 {shares[2]:.3f}  @50 {shares[3]:.3f}")
    used = finding.Weights(*weights) if weights is not None else finding.WEIGHTS
    best = []
    for case in found:
        sure = [finding.sure(answer.signs, used) for answer in case.answers]
        at = int(np.argmax(sure)) if sure else -1
        best.append((sure[at], case.right[at]) if sure else (0.0, False))
    for limit in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        told = [one for one in best if one[0] >= limit]
        good = sum(one[1] for one in told)
        lines.append(f"sure {limit:.1f}: right {good / len(best):.3f}, wrong {(len(told) - good) / len(best):.3f}")
    return lines


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--friendsqa", type=Path, required=True)
    options.add_argument("--friendstv", type=Path, required=True)
    options.add_argument("--home", type=Path, required=True)
    options.add_argument("--listed", action="store_true", help="report on the list of `kith bench asking`, fit nothing")
    given = options.parse_args()
    config, models = Config(), given.home / "models"
    subject: Subject = friendsqa.load(given.friendsqa, given.friendstv, SEED)
    listed = set(chosen.listed_ids("friendsqa") or ())
    watched = {one.id for one in talks_of(given.friendsqa, watched=True)}
    wanted = [q for q in subject.questions if (q.id in listed if given.listed else q.id in watched - listed)]
    files = [given.friendsqa, given.friendstv]
    world = worlds.made(
        given.home / "bench" / "asking" / "worlds", subject, worlds.key_of(files, None), models, config, print
    )
    found = asyncio.run(cases(world, models, config, wanted))
    print(len(found), "questions,", sum(any(case.right) for case in found), "with a right span among those read")
    print("\n".join(figures(found)))
    if not given.listed:
        weights = fit(found)
        print("fitted", np.round(weights, 3).tolist(), "shipped", astuple(finding.WEIGHTS))
        print("\n".join(figures(found, weights.tolist())))


if __name__ == "__main__":
    main()
