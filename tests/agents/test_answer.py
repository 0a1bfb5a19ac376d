"""The answer of the reader's mind: the words that answer, the sentence they stand in, and the day that they mean."""

from kithnet.agents.infonav.consensus import Agreed
from kithnet.agents.infonav.ledger import Evidence
from kithnet.agents.minds.rules.answer import answer


def agreed(value: str, quote: str, kind: str = "event", at: str = "2023-05-08T13:00:00") -> Agreed:
    evidence = Evidence("m1", ("m1",), "ana", 0, 0.9, quote, author="Ana", at=at)
    return Agreed("When was the race?", kind, value, (evidence,), False, (), "")


def test_a_day_that_was_said_from_another_day_is_told_with_its_date() -> None:
    told = answer([agreed("yesterday", "I ran the race yesterday.")])
    assert told.text == "yesterday, 2023-05-07 (Ana: “I ran the race yesterday.”)"
    assert answer([agreed("last week", "I ran it last week.")]).text.startswith("last week, 2023-05-01 to 2023-05-07 (")


def test_what_names_no_day_or_was_said_on_none_is_told_as_it_is() -> None:
    assert (
        answer([agreed("before the rain", "We ran before the rain.")]).text
        == "before the rain (Ana: “We ran before the rain.”)"
    )
    assert answer([agreed("yesterday", "I ran it yesterday.", at="")]).text == "yesterday (Ana: “I ran it yesterday.”)"
    assert "2023" not in answer([agreed("yesterday", "I ran it yesterday.", kind="text")]).text


def test_a_value_that_is_the_whole_line_goes_with_its_author() -> None:
    assert (
        answer([agreed("I ran it yesterday.", "I ran it yesterday.")]).text == "Ana: “I ran it yesterday.”, 2023-05-07"
    )
