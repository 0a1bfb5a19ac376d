"""What a text adds to its evidence: names, numbers, dates, quotations."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.agents.infonav.groundedness import names_in, numbers, quotations, ungrounded

TOLD = ["Ilse told Bram: I get 50 million at half past seven, for two hours, on 5 March. She said “no way!”"]


@pytest.mark.parametrize(
    "text",
    [
        "50 million", "fifty million", "Ilse", "Ilse's money", "7:30", "7.30 am", "19:30", "March 5th", "2021-03-05", "“no way”",
        "no, it is not", "yes", "the money of Bram",
    ],
)  # fmt: skip
def test_what_the_evidence_holds_in_whatever_form_is_grounded(text: str) -> None:
    assert ungrounded(text, TOLD) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Zoltan", "name"), ("she met Zoltan there", "name"), ("51 million", "number"), ("8:30", "number"), ("6 March", "date"),
        ("“no idea”", "quotation"), ("9:30", "number"), ("three of them", "number"),
    ],
)  # fmt: skip
def test_what_it_does_not_hold_was_invented(text: str, what: str) -> None:
    assert [one.what for one in ungrounded(text, TOLD)] == [what]


def test_a_conclusion_may_add_a_length_to_a_time_and_count_days_from_the_day_of_a_message() -> None:
    day = [date(2021, 3, 1)]
    assert ungrounded("9:30", TOLD, near=35) == [] and ungrounded("8:45", TOLD, near=35)
    assert ungrounded("28 February 2021", [], days=day, near=35) == [] and ungrounded("28 February 2021", [], days=day)
    assert ungrounded("on Monday 1 March", [], days=day) == [] and ungrounded("1 June", [], days=day, near=35)


def test_names_of_people_count_wherever_they_stand_and_what_was_asked_may_be_repeated() -> None:
    assert [one.text for one in ungrounded("bram has it", ["here"], names=["Bram"])] == []
    assert [one.text for one in ungrounded("Bram has the key to it all", ["here"], names=["Bram"])] == ["Bram"]
    assert ungrounded("Bram has the key to it all", ["here"], names=["Bram"], known="Does Bram have it?") == []


@given(st.text(max_size=80))
def test_every_text_is_grounded_in_itself(text: str) -> None:
    assert ungrounded(text, [text]) == []


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    names_in(text), numbers(text), quotations(text)
