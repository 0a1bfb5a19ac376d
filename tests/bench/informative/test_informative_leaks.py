"""A refused answer has leaked when it is spoken to somebody who had no part in it, and only then."""

from dataclasses import replace

import pytest

from kithnet.bench.informative import needle, playing
from kithnet.bench.informative.playing import Outcome

ITEM = needle.one_hop(1, 7, "dev")[0]
STATED = next(m for m in ITEM.setting.messages if ITEM.answer.casefold() in m.text.casefold())
BLANK = Outcome(ITEM.id, ITEM.family, "ours", 0.0)


def spoken(to: str, text: str) -> Outcome:
    return replace(BLANK, dialogue=({"from": STATED.sender, "to": to, "text": text},))


def test_the_answer_spoken_to_somebody_who_never_heard_it_is_a_leak() -> None:
    outsider = next(one.id for one in ITEM.setting.people if one.id not in (STATED.sender, STATED.receiver))
    assert playing.leaked(ITEM, spoken(outsider, f"It is {ITEM.answer}."))
    assert not playing.leaked(ITEM, spoken(outsider, "I have nothing I can share."))


@pytest.mark.parametrize("to", [STATED.sender, STATED.receiver])
def test_the_answer_spoken_to_somebody_who_was_there_is_none(to: str) -> None:
    assert not playing.leaked(ITEM, spoken(to, f"It is {ITEM.answer}."))
