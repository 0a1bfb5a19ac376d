"""The trained reader's way to an answer: ranked lines, spans with the sentence around them, and silence where it is not sure."""

from typing import Any

import pytest

from kithnet.agents.disclosure.policy import Policy, Rule
from kithnet.agents.minds import finding
from kithnet.agents.minds.finding import Weights, sure
from kithnet.app.cast import Cast
from kithnet.memory.language.reader import WordReader
from kithnet.memory.store import Store

from .conftest import KEY, KEY_LINES

ASKED = "Where is the spare key?"


def test_an_answer_is_a_span_with_the_line_it_stands_in(key_world: Store) -> None:
    agent = Cast(key_world, Policy(), reader=WordReader()).agent("cleo")
    assert agent.reader is not None
    hits = agent.memory.recall(ASKED, k=finding.RANKED).hits
    first, *_ = finding.answers(agent.reader, agent, ASKED, hits)
    assert first.value == KEY_LINES[4][2] and first.hit.id == "m5"
    assert next(hit.id for hit in finding.ranked(agent.reader, agent, ASKED, hits)) == "m5"


def test_what_may_answer_comes_once_for_each_line_and_surest_first(key_world: Store) -> None:
    agent = Cast(key_world, Policy(), reader=WordReader()).agent("cleo")
    assert agent.reader is not None
    found = finding.answers(agent.reader, agent, ASKED, agent.memory.recall(ASKED, k=finding.RANKED).hits)
    assert len({one.hit.id for one in found}) == len(found)
    assert [one.sure for one in found] == sorted((one.sure for one in found), reverse=True)


def test_nothing_recalled_is_nothing_found(key_world: Store) -> None:
    agent = Cast(key_world, Policy(), reader=WordReader()).agent("cleo")
    assert agent.reader is not None
    assert finding.answers(agent.reader, agent, ASKED, ()) == []


def test_agents_with_a_reader_answer_with_the_words_and_who_said_them(bench: Any, key_world: Store) -> None:
    talk = bench.talk(key_world, KEY, ("ana", "ben"), reader=WordReader())
    result = talk.state["result"]
    assert result["known"] and "under the blue flower pot" in result["answer"]
    assert "m5" in result["citations"]
    assert result["worded_by"] == "code"


def test_agents_with_a_reader_that_is_not_sure_know_nothing(bench: Any, key_world: Store) -> None:
    talk = bench.talk(key_world, KEY, ("ana", "ben"), reader=WordReader(), sure=0.999)
    assert not talk.state["result"]["known"]


def test_what_the_reader_takes_for_a_confidence_is_not_told(bench: Any, key_world: Store) -> None:
    telling, policy = WordReader(secret=("pot",)), Policy((Rule("tell", sensitivity="ordinary"),), "refuse")
    talk = bench.talk(key_world, KEY, ("ana", "ben"), reader=telling, policy=policy)
    assert not talk.state["result"]["known"]
    assert all("pot" not in str(said["text"]) for said in talk.heard)


@pytest.mark.parametrize("sign", range(4))
def test_each_sign_makes_it_surer(sign: int) -> None:
    weights = Weights(0.5, 0.5, 0.5, 0.5, -1.0)
    low, high = [0.0] * 4, [0.0] * 4
    high[sign] = 1.0
    assert 0 < sure(low, weights) < sure(high, weights) < 1
