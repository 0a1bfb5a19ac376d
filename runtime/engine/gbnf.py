"""From a JSON schema to a grammar: llama.cpp's converter, with bounds of integers and references anywhere in the schema."""

import functools
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from llama_cpp.llama_grammar import RESERVED_NAMES, SchemaConverter

from kithnet.runtime.errors import ConfigError

MOST_COUNTED = 256
"""Characters of a bounded string that a grammar counts; longer ones are bounded by max_tokens and by the check afterwards."""
DIGITS = 16
"""Of an integer that has no bound, as in llama.cpp's own rule."""
MOST_DIGITS = 32
"""Of a bound that the grammar keeps to; larger ones hold by the check afterwards."""
ELSEWHERE = ("$ref", "anyOf", "oneOf", "const", "enum")
"""Keywords that the converter looks at before the type."""


@functools.lru_cache(maxsize=256)
def schema_grammar(schema: str) -> str:
    """GBNF of a JSON schema given as JSON text. ConfigError when the schema cannot be turned into a grammar."""
    try:
        root = _countable(json.loads(schema))
        converter = _Converter(root)
        converter.visit(root, "")
        return str(converter.format_grammar())
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, IndexError, RecursionError) as error:
        raise ConfigError(
            f"the JSON schema cannot be made a grammar: {error or type(error).__name__}",
            "use type, properties, required, enum, const, items, anyOf, pattern, minLength, maxLength, $ref in the schema, "
            "minimum and maximum of integers",
        ) from error


def _countable(schema: Any) -> Any:
    """The schema without bounds that a grammar cannot count: each character of a bounded string is a rule of its own, and
    llama.cpp refuses too many. They hold all the same, since the whole reply is checked against its schema."""
    if isinstance(schema, dict):
        return {
            key: _countable(value)
            for key, value in schema.items()
            if not (key == "maxLength" and isinstance(value, int) and value > MOST_COUNTED)
        }
    return [_countable(one) for one in schema] if isinstance(schema, list) else schema


class _Converter(SchemaConverter):
    """The converter of llama-cpp-python, which knows neither bounds of integers nor references to what refers to itself."""

    def __init__(self, root: Any) -> None:
        super().__init__(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
        self._refs = dict(_references(root))
        self._places: dict[str, str] = {}

    def visit(self, schema: Any, name: str) -> str:
        """The name of the rule of a schema."""
        kind = schema.get("type")
        if any(key in schema for key in ELSEWHERE):
            return str(super().visit(schema, name))
        if isinstance(kind, list):
            alternatives = [{**schema, "type": one} for one in kind]
            return str(self._add_rule(_rule_name(name), self._generate_union_rule(name, alternatives)))
        if kind == "integer" and (least_most := _bounds(schema)) is not None:
            return str(self._add_rule(_rule_name(name), f"({integers(*least_most)}) space"))
        return str(super().visit(schema, name))

    def _resolve_ref(self, ref: str) -> str:
        """The rule of what a reference leads to. Its name is there before the rule is, so that the rule may hold it."""
        if ref not in self._places:
            number = len(self._places)
            while f"ref-{number}" in self._rules:
                number += 1
            place = self._places[ref] = f"ref-{number}"
            self._rules[place] = ""
            self._rules[place] = self.visit(self._refs[ref], f"{place}-is")
        return self._places[ref]


def _rule_name(name: str) -> str:
    return f"{name}-" if name in RESERVED_NAMES else name or "root"


def _references(root: Any) -> Iterator[tuple[str, Any]]:
    """(reference, what it leads to) of every reference within the schema that leads somewhere."""
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            waiting += one.values()
            ref = one.get("$ref")
            if isinstance(ref, str) and (ref == "#" or ref.startswith("#/")) and (target := _at(root, ref)) is not None:
                yield ref, target
        elif isinstance(one, list):
            waiting += one


def _at(root: Any, ref: str) -> Any:
    """What stands at a JSON pointer, None for nothing."""
    for step in ref.split("/")[1:]:
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(root, Mapping):
            root = root.get(name)
        elif isinstance(root, list) and name.isdecimal() and int(name) < len(root):
            root = root[int(name)]
        else:
            return None
    return root


def _bounds(schema: Mapping[str, Any]) -> tuple[int | None, int | None] | None:
    """(least, most) of an integer, None where it has no bounds that a grammar can keep to."""
    least = [math.ceil(value) for value in _numbers(schema, "minimum")]
    least += [math.floor(value) + 1 for value in _numbers(schema, "exclusiveMinimum")]
    most = [math.floor(value) for value in _numbers(schema, "maximum")]
    most += [math.ceil(value) - 1 for value in _numbers(schema, "exclusiveMaximum")]
    if not (least or most) or any(abs(bound) >= 10**MOST_DIGITS for bound in (*least, *most)):
        return None
    return max(least, default=None), min(most, default=None)


def _numbers(schema: Mapping[str, Any], key: str) -> list[float]:
    value = schema.get(key)
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def integers(least: int | None, most: int | None) -> str:
    """GBNF of the integers from `least` to `most`, None for no bound. ValueError where there are none."""
    widest = 10 ** max(DIGITS, *(len(str(abs(bound))) + 1 for bound in (least, most) if bound is not None)) - 1
    low = -widest if least is None else least
    high = widest if most is None else most
    if low > high:
        raise ValueError(f"no integer is at least {low} and at most {high}")
    found = [f'"-" ({" | ".join(_counted(max(1, -high), -low))})'] if low < 0 else []
    return " | ".join(found + (_counted(max(0, low), high) if high >= 0 else []))


def _counted(low: int, high: int) -> list[str]:
    """Alternatives for the numbers from `low` to `high`, neither below 0, by their count of digits."""
    found = []
    for digits in range(len(str(low)), len(str(high)) + 1):
        first = max(low, 10 ** (digits - 1) if digits > 1 else 0)
        found.append(_between(str(first), str(min(high, 10**digits - 1))))
    return found


def _between(low: str, high: str) -> str:
    """The texts of digits from `low` to `high`, which are equally long."""
    if low == high:
        return f'"{low}"'
    rest = len(low) - 1
    if not low[1:].strip("0") and not high[1:].strip("9"):
        return _digits(low[0], high[0]) + _any(rest)
    if low[0] == high[0]:
        return f'"{low[0]}" ({_between(low[1:], high[1:])})'
    found = [f'"{low[0]}" ({_between(low[1:], "9" * rest)})']
    if int(high[0]) - int(low[0]) > 1:
        found.append(_digits(str(int(low[0]) + 1), str(int(high[0]) - 1)) + _any(rest))
    found.append(f'"{high[0]}" ({_between("0" * rest, high[1:])})')
    return " | ".join(found)


def _digits(first: str, last: str) -> str:
    return f"[{first}-{last}]"


def _any(count: int) -> str:
    return f" [0-9]{{{count}}}" if count else ""
