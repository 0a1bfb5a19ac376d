"""What is taken for evidence: the fit is a fit, and the figures count what they say."""

from dataclasses import astuple

import numpy as np
import pytest

from kithnet.agents.minds.rules.fitness import LEXICAL, Weights
from kithnet.bench import evidence
from kithnet.bench.evidence import Asked

ANSWERS = (0.9, 0.8, 1.0, 0.7, 0.8, 0.0, 0.9, 0.0, 0.7, 0.0, 0.0, 1.0)
OTHER = (0.1, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.5, 0.0, 1.0, 1.0, 1.0)


def asked(*rows: tuple[tuple[float, ...], bool]) -> Asked:
    return Asked(np.array([row for row, _ in rows]).reshape(-1, 12), np.array([gold for _, gold in rows], dtype=bool))


def test_a_fit_tells_what_answers_from_what_does_not() -> None:
    weights = evidence.fit([asked((ANSWERS, True), (OTHER, False))] * 20, vectors=True)
    odds = np.array([ANSWERS, OTHER]) @ np.array(astuple(weights))
    assert odds[0] > 1
    assert odds[1] < -1


def test_without_vectors_nothing_is_learned_of_them() -> None:
    weights = evidence.fit([asked((ANSWERS, True), (OTHER, False))] * 20, vectors=False)
    assert [getattr(weights, name) for name in evidence.BY_VECTORS] == [0.0] * len(evidence.BY_VECTORS)
    assert weights.coverage > 0


def test_found_wrong_and_of_nothing_are_counted_apart() -> None:
    sure = Weights(0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, -4)  # takes whatever is near
    heard = [
        asked((ANSWERS, True), (OTHER, False)),  # found
        asked((ANSWERS, False), (OTHER, True)),  # another one was taken
        asked((ANSWERS, False)),  # taken by somebody who has no answer
        asked((OTHER, False)),
        asked(),
    ]
    rates = evidence.measured(heard, sure)
    assert rates == {
        "asked": 2, "found": 0.5, "wrong": 0.5, "asked others": 3, "of nothing": pytest.approx(1 / 3)
    }  # fmt: skip


def test_a_generated_world_is_put_to_those_who_know_and_to_those_who_do_not() -> None:
    heard = evidence.asked(5, "default", 1_200, None)
    rates = evidence.measured(heard, LEXICAL)
    assert rates["asked"] > 20
    assert rates["asked others"] > 20
    assert rates["found"] > rates["of nothing"]
