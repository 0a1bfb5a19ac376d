"""Items come from a seed, state what they need, split it between two sides, and never hold their answer."""

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from kithnet.bench.informative import friends, needle, schedule
from kithnet.bench.informative.item import Item
from kithnet.bench.informative.scoring import named, score
from kithnet.bench.informative.wordings import Wordings, read_book
from kithnet.network.generate.grammar import compiled

SMALL = (40, 120, 4000)
WORDINGS: tuple[Wordings, ...] = ("dev", "test")
Maker = Callable[[int, Wordings], Sequence[Item]]
CLASSIC: dict[str, Maker] = {
    "schedule-easy": lambda seed, words: schedule.classic("easy", 8, seed, words),
    "schedule-medium": lambda seed, words: schedule.classic("medium", 8, seed, words),
    "schedule-hard": lambda seed, words: schedule.classic("hard", 8, seed, words),
    "needle": lambda seed, words: needle.two_hop(8, seed, words),
    "needle-1hop": lambda seed, words: needle.one_hop(8, seed, words),
    "friends": lambda seed, words: friends.items(8, seed, words, size=SMALL),
}
ASYMMETRIC: dict[str, Maker] = {
    "schedule-easy": lambda seed, words: schedule.asymmetric("easy", 12, seed, words),
    "schedule-medium": lambda seed, words: schedule.asymmetric("medium", 12, seed, words),
    "schedule-hard": lambda seed, words: schedule.asymmetric("hard", 12, seed, words),
    "needle": lambda seed, words: needle.two_hop(12, seed, words, asymmetric=True),
    "friends": lambda seed, words: friends.items(8, seed, words, asymmetric=True, size=SMALL),
}


@pytest.mark.parametrize("family", CLASSIC)
@pytest.mark.parametrize("wordings", WORDINGS)
def test_the_same_seed_gives_the_same_items_and_another_gives_others(family: str, wordings: Wordings) -> None:
    assert CLASSIC[family](3, wordings) == CLASSIC[family](3, wordings)
    assert [one.setting for one in CLASSIC[family](3, wordings)] != [
        one.setting for one in CLASSIC[family](4, wordings)
    ]


@pytest.mark.parametrize("family", CLASSIC)
@pytest.mark.parametrize("wordings", WORDINGS)
def test_all_facts_solve_an_item_and_its_question_does_not_hold_the_answer(family: str, wordings: Wordings) -> None:
    for one in CLASSIC[family](3, wordings):
        assert score(one, one.oracle) == 1.0
        assert one.evidence
        if one.scoring == "short":
            assert not named(one.question, (one.answer, *one.aliases)), one.question
        assert {one.instructor, one.assistant} <= {person.id for person in one.setting.people}
        assert [said.seq for said in one.setting.messages] == list(range(len(one.setting.messages)))
        heard = [{s.seq for s in one.setting.heard_by(p)} for p in (one.instructor, one.assistant)]
        assert set(one.evidence) & heard[1]
        assert family == "needle-1hop" or not set(one.evidence) <= heard[1]
        assert not set(one.evidence) <= heard[0]


@pytest.mark.parametrize("family", ASYMMETRIC)
@pytest.mark.parametrize("wordings", WORDINGS)
def test_no_side_alone_solves_an_asymmetric_item_and_no_answer_prevails(family: str, wordings: Wordings) -> None:
    items = ASYMMETRIC[family](3, wordings)
    for one in items:
        assert all(score(one, side) < 1.0 for side in one.alone), one
    assert max(Counter(one.answer for one in items).values()) <= len(items) / 3


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_the_usual_answer_of_classic_worlds_solves_no_asymmetric_one(level: schedule.Level) -> None:
    usual = schedule.usual_answer(level, 3)
    assert all(score(one, usual) < 1.0 for one in schedule.asymmetric(level, 10, 3, "dev"))


def test_the_two_sides_of_a_schedule_write_only_among_themselves() -> None:
    for one in schedule.classic("hard", 5, 1, "dev"):
        ids = [person.id for person in one.setting.people]
        sides = {frozenset(ids[:3]), frozenset(ids[3:])}
        assert all(any({s.sender, s.receiver} <= side for side in sides) for s in one.setting.messages)
        assert len(one.setting.ties) == 5


@pytest.mark.parametrize("family", ["schedule", "needle", "friends"])
def test_test_wordings_share_no_template_with_development_wordings(family: str) -> None:
    dev, test = (read_book(family, words).sections for words in WORDINGS)
    assert {name: set(section) for name, section in dev.items()} == {
        name: set(section) for name, section in test.items()
    }
    for section in dev:
        for name in dev[section]:
            assert not set(dev[section][name]) & set(test[section][name]), (section, name)
            assert all(compiled(text) for text in (*dev[section][name], *test[section][name]))


def test_every_construction_of_the_grammar_is_used() -> None:
    said = " | ".join(s.text for one in schedule.classic("hard", 60, 1, "dev") for s in one.setting.messages)
    for piece in (
        "half past",
        "noon",
        "until",
        "am",
        "22:",
        "right after",
        "told me",
        "with you",
        "isn't at",
        "cancelled",
        "90 minutes",
    ):
        assert piece in said, piece
