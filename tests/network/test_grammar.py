"""The phrase grammar."""

from random import Random

import pytest

from kithnet.network.generate.grammar import Grammar
from kithnet.runtime.errors import ConfigError


def test_slots_take_bound_values_first_then_rules() -> None:
    grammar = Grammar({"fruit": ["pear"], "dish": ["{fruit} pie"]})
    assert grammar.expand("{dish} for {who}", {"who": "Ann"}, Random(1)) == "pear pie for Ann"
    assert grammar.expand("{dish}", {"fruit": "plum"}, Random(1)) == "plum pie"


def test_alternatives_nest_and_numbers_stay_in_their_span() -> None:
    grammar = Grammar({})
    said = {grammar.expand("[a|b [{3..4}|c]|]!", {}, Random(seed)) for seed in range(200)}
    assert said == {"a!", "b 3!", "b 4!", "b c!", "!"}


@pytest.mark.parametrize("text", ["[a|b", "a|b", "a]", "{a", "a}", "{1..}"])
def test_malformed_templates_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="phrase"):
        Grammar({"rule": [text]})


def test_a_slot_without_rule_or_value_is_a_defect_of_the_phrases() -> None:
    with pytest.raises(KeyError, match="nobody"):
        Grammar({}).expand("{nobody}", {}, Random(1))
