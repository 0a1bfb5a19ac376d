"""Grammars of JSON schemas: what they let through, read by llama.cpp itself."""

import asyncio
import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.engine.gbnf import integers, schema_grammar
from kithnet.runtime.engine.sampling import Grammar
from kithnet.runtime.errors import ConfigError
from kithnet.runtime.local import LocalModel, LocalOptions

TREE: dict[str, Any] = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
            "required": ["v", "kids"],
            "additionalProperties": False,
        }
    },
}
CHAIN: dict[str, Any] = {
    "type": "object",
    "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}},
    "required": ["v", "next"],
    "additionalProperties": False,
}


def pattern(least: int | None, most: int | None) -> re.Pattern[str]:
    """The regular expression that the GBNF of a range amounts to."""
    return re.compile(integers(least, most).replace('"', "").replace(" ", ""))


def test_a_range_of_integers_lets_exactly_its_own_through() -> None:
    edges = (-1111, -120, -100, -99, -10, -9, -1, 0, 1, 9, 10, 42, 99, 100, 109, 1000, 1234)
    for least, most in itertools.combinations_with_replacement(edges, 2):
        allowed = pattern(least, most)
        for number in range(-1300, 1300):
            assert bool(allowed.fullmatch(str(number))) == (least <= number <= most), (least, most, number)
        assert not any(allowed.fullmatch(wrong) for wrong in ("", "-", "-0", "00", "01", "-01", "1.0"))


def test_a_range_may_be_open_and_must_hold_something() -> None:
    assert pattern(5, None).fullmatch("9" * 16) and not pattern(5, None).fullmatch("4")
    assert pattern(None, -5).fullmatch("-" + "9" * 16) and not pattern(None, -5).fullmatch("-4")
    assert pattern(None, 3).fullmatch("-7") and pattern(None, 3).fullmatch("0") and not pattern(None, 3).fullmatch("4")
    with pytest.raises(ConfigError, match="no integer is at least 4 and at most 3"):
        schema_grammar('{"type": "integer", "exclusiveMinimum": 3, "maximum": 3.5}')


@pytest.fixture(scope="module")
def model(chat_model_path: Path) -> Iterator[LocalModel]:
    loaded = LocalModel.load(chat_model_path, LocalOptions(context=256, threads=1))
    yield loaded
    asyncio.run(loaded.close())


@pytest.fixture
def accepts(model: LocalModel) -> Callable[[dict[str, Any], Any], bool]:
    """Whether the grammar of a schema lets a value through, token by token, to its end."""

    def check(schema: dict[str, Any], value: Any) -> bool:
        grammar = Grammar(model._model, schema_grammar(json.dumps(schema)))
        try:
            for token in model.tokens(json.dumps(value)):
                if not grammar.allows(np.array([token], np.int32))[0]:
                    return False
                grammar.accept(token)
            return bool(grammar.allows(grammar._end)[0])
        finally:
            grammar.free()

    return check


@pytest.mark.model
@pytest.mark.parametrize(
    ("schema", "fits", "not_"),
    [
        ({"type": "integer", "minimum": 18, "maximum": 120}, [18, 99, 120], [17, 121, -18, 1200, "18"]),
        ({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 3}, [1, 2], [0, 3, -1]),
        ({"type": "integer", "minimum": -3.5, "maximum": 2.5}, [-3, 0, 2], [-4, 3]),
        ({"type": ["integer", "null"], "minimum": 1}, [1, 77, None], [0, -1, "x"]),
        ({"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 6}}, [[], [1, 6]], [[0], [7], [1, 7]]),
        ({"enum": [3, 9], "minimum": 5}, [9], ["x"]),
        (TREE, [{"v": 1, "kids": []}, {"v": 1, "kids": [{"v": 2, "kids": []}]}], [{"v": 1}, {"v": 1, "kids": [2]}, 1]),
        (CHAIN, [{"v": 1, "next": {"v": 2, "next": None}}], [{"v": 1, "next": 3}, None]),
    ],
)
def test_bounds_and_recursion_hold_while_a_reply_is_made(
    accepts: Callable[[dict[str, Any], Any], bool], schema: dict[str, Any], fits: list[Any], not_: list[Any]
) -> None:
    assert [value for value in fits if not accepts(schema, value)] == []
    assert [value for value in not_ if accepts(schema, value)] == []


@pytest.mark.model
def test_references_of_one_last_name_lead_each_to_its_own_place(accepts: Callable[[dict[str, Any], Any], bool]) -> None:
    schema = {
        "type": "object",
        "properties": {
            "id": {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"]},
            "one": {"$ref": "#/$defs/x/id"},
            "two": {"$ref": "#/$defs/a~1b/id"},
        },
        "required": ["id", "one", "two"],
        "$defs": {"x": {"id": {"type": "integer", "minimum": 5}}, "a/b": {"id": {"type": "boolean"}}},
    }
    assert accepts(schema, {"id": {"a": None}, "one": 5, "two": True})
    assert not accepts(schema, {"id": {"a": None}, "one": 5, "two": 5})


@pytest.mark.model
def test_a_choice_that_begins_with_itself_is_refused(accepts: Callable[[dict[str, Any], Any], bool]) -> None:
    with pytest.raises(ConfigError, match="does not parse"):
        accepts({"anyOf": [{"type": "null"}, {"$ref": "#"}]}, None)


@pytest.mark.model
def test_a_model_keeps_to_bounds_that_it_would_not_choose(model: LocalModel) -> None:
    schema = {
        "type": "array",
        "items": {"type": "integer", "minimum": 700, "maximum": 705},
        "minItems": 3,
        "maxItems": 3,
    }
    spec = ReplySpec(max_tokens=60, schema=schema)
    reply = asyncio.run(model.reply([Message("user", "Say 1, 2, 3.")], spec))
    assert all(700 <= number <= 705 for number in json.loads(reply.text))
