"""What the owner states: what is kept of it, and how an older statement reads once it is corrected."""

import pytest

from kithnet.agents.chat import statements
from kithnet.agents.chat.chat_reader import errand
from kithnet.agents.chat.intents import intent_of
from kithnet.memory.owner import Hit


def noted(number: int, text: str) -> Hit:
    return Hit(
        f"k{number}",
        "fact",
        text,
        1.0,
        0.0,
        None,
        0.0,
        "nora",
        ("nora",),
        None,
        "",
        (),
        "nora",
        audience=(),
        about="nora",
    )


@pytest.mark.parametrize(
    ("old", "correction", "new"),
    [
        ("The recital is on Friday at 9.", "No, actually Saturday at 10", "The recital is on Saturday at 10."),
        ("The recital is on Friday at 9.", "sorry, I meant Saturday.", "The recital is on Saturday at 9."),
        ("The recital is on Friday.", "No, Saturday at 10", "The recital is on Saturday at 10."),
        ("The ladder is in the shed.", "No, in the garage.", "The ladder is in the garage."),
        ("My scarf is red.", "it's green now", "My scarf is green"),
        ("The vet is called Dr Voss.", "Wait, Dr Foss, not Dr Voss.", "The vet is called Dr Foss."),
        ("I sit in row twelve.", "Correction: row eleven.", "I sit in row eleven."),
        ("Rent is due on the 3rd.", "Nope, it's on the 5th of May.", "Rent is due on the 5th of May."),
        ("We meet at Anna's.", "No, we meet at Karim's place.", "We meet at Karim's place."),
    ],
)
def test_a_correction_is_put_in_the_place_of_what_it_corrects(old: str, correction: str, new: str) -> None:
    assert statements.corrected(old, correction) == new


def test_a_correction_that_fits_nowhere_stands_behind_what_it_corrects() -> None:
    read = statements.corrected("The cat gets two pills daily.", "no, only if it limps")
    assert read == "The cat gets two pills daily. No, only if it limps"


def test_the_same_thing_told_anew_is_found_and_another_thing_is_not() -> None:
    known = [noted(2, "My brother's birthday is on 5 June."), noted(1, "Our rent is 900 a month.")]
    found = statements.same_thing("Our rent is 950 a month.", known)
    assert found is not None and found.id == "k1"
    assert statements.same_thing("My sister's birthday is on 3 May.", known) is None
    assert statements.same_thing("Our rent is 900 a month.", known) is None


def test_what_is_kept_is_without_the_order_to_keep_it() -> None:
    assert statements.kept("Remember that my bus leaves at 7.") == "My bus leaves at 7."
    assert statements.kept("Remember to buy milk.") == "Remember to buy milk."


@pytest.mark.parametrize(
    ("order", "question"),
    [
        ("find out from Leah whether she comes", "Leah comes?"),
        ("Ask Leah when the train leaves.", "When the train leaves?"),
        ("Could you find out from Leah what time dinner is, please?", "What time dinner is?"),
        ("Can you find out whether she comes from Leah?", "Leah comes?"),
        ("Check with Leah about the party", "Leah: the party?"),
    ],
)
def test_an_errand_asks_without_the_order_to_ask(order: str, question: str) -> None:
    assert errand(order, ["Leah", "leah"]) == question


def test_without_an_embedder_the_form_of_a_line_tells_what_it_is_for() -> None:
    assert intent_of("Where is the key?", (), None) == "ask"
    assert intent_of("find out from Leah whether she comes", ("Leah",), None) == "errand"
    assert intent_of("The key is in the hall.", (), None) == "tell"
    assert intent_of("Oh well!", (), None) == "talk"
