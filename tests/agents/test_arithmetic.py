"""Tools that a mind calls by name: what they compute, over what, and what they do not take."""

import pytest

from kithnet.agents.minds.mind import Part
from kithnet.agents.tools.arithmetic import TOOLS, ToolError, compute, entries_of, joined

DAY = "hiking, 6:30 to 10:00 (Ingrid); sleep, 22:00 to 6:00 (Ingrid); choir, 8:00 to 9:00 (Sunita)"


@pytest.mark.parametrize(
    ("tool", "items", "window", "text"),
    [
        ("free_time", entries_of(DAY), "0:00-24:00", "06:00-06:30, 10:00-22:00"),
        ("free_time", entries_of(DAY), "9:00 to 12:00", "10:00-12:00"),
        ("largest_compatible", entries_of(DAY), "", "2 of 3 (sleep, choir); left out: 1 (hiking)"),
        ("overlaps", entries_of(DAY), "", "hiking and choir"),
        ("longest", entries_of(DAY), "", "sleep (8 h)"),
        ("shortest", entries_of(DAY), "", "choir (1 h)"),
        ("sum", [Part("a", number="2"), Part("b", number="1,200")], "", "1202"),
        ("sum", entries_of("a, 9:00 to 10:00; b, 9:30 to 10:15"), "", "1 h 45 min"),
        ("count", [Part("cake"), Part("salad"), Part("cake")], "", "2 (cake, salad)"),
        ("order", [Part("b", "2024-05-02"), Part("a", "2024-04-30")], "", "a (2024-04-30) < b (2024-05-02)"),
        (
            "longest",
            [Part("a", "half past seven", number="2h"), Part("b", end="noon", number="90 minutes")],
            "",
            "a (2 h)",
        ),
    ],
)
def test_a_tool_computes_over_items_in_digits_or_words(tool: str, items: list[Part], window: str, text: str) -> None:
    assert compute(tool, items, window).text == text


@pytest.mark.parametrize(
    ("tool", "items", "window"),
    [
        ("abacus", [Part("a")], ""), ("count", [], ""), ("longest", [Part("a")], ""), ("longest", [Part("a", "soon", "later")], ""),
        ("sum", [Part("a", number="many")], ""), ("free_time", entries_of(DAY), "some day"), ("order", [Part("a", "25:99")], ""),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_says_what_to_change(tool: str, items: list[Part], window: str) -> None:
    with pytest.raises(ToolError) as refused:
        compute(tool, items, window)
    assert refused.value.hint


def test_an_entry_that_cannot_be_read_is_not_left_out_in_silence() -> None:
    with pytest.raises(ToolError, match="lunch at noon"):
        entries_of(f"{DAY}; lunch at noon")


def test_lists_of_two_people_are_joined_by_who_takes_part() -> None:
    lunch, theirs = "lunch, 11:30 to 12:00 (Omar)", "Lunch, 11:30 to 12:00 (Hugo)"
    together = ("chess, 07:00 to 8:00 (Omar, Hugo)", "Chess, 7:00 to 8:00 (Hugo, Omar)")
    both = [entries_of(f"{lunch}; {together[0]}; {lunch}"), entries_of(f"{theirs}; {together[1]}")]
    assert [one.label for one in joined("largest_compatible", both)] == ["lunch", "chess", "Lunch"]


def test_an_entry_of_two_lists_that_names_nobody_is_asked_for_where_it_changes_the_result() -> None:
    unnamed = [entries_of("lunch, 11:30 to 12:00"), entries_of("lunch, 11:30 to 12:00 (Hugo)")]
    with pytest.raises(ToolError, match="lunch, 11:30 to 12:00"):
        joined("largest_compatible", unnamed)
    assert compute("free_time", joined("free_time", unnamed), "11:00-13:00").text == "11:00-11:30, 12:00-13:00"


def test_every_tool_says_what_it_gives() -> None:
    assert all(TOOLS.values())
