"""JSON schemas that clients send: checked before anything works with them, and joined into one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from kithnet.app.server.failures import Refused
from kithnet.runtime.errors import ConfigError
from kithnet.runtime.structured import check_schema

NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
FOREIGN = ("$schema", "$id", "id", "$anchor", "$dynamicAnchor")
"""Keywords that would give references another meaning, or make a validator look for schemas elsewhere."""


def checked(schema: Mapping[str, Any], param: str) -> dict[str, Any]:
    """The schema without foreign names. Refused (400) where it is no schema, refers to another document, to nothing
    or to itself without end, or has a pattern that is no regular expression."""
    own = {key: value for key, value in schema.items() if key not in FOREIGN}
    try:
        check_schema(own)
    except (ConfigError, RecursionError) as error:
        raise _wrong(str(error), param) from error
    for key, value in _keywords(own):
        if key in REFERENCES and isinstance(value, str):
            _follow(own, value, param)
        if key == "pattern" and isinstance(value, str):
            _compile(value, param)
        if key == "patternProperties" and isinstance(value, Mapping):
            for pattern in value:
                _compile(pattern, param)
    return own


def call_schema(tools: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """What a call looks like: one of the tools, given as (name, checked parameters), with its arguments.

    Parameters that refer to parts of themselves are put under `$defs`, where their references are made to lead.
    """
    definitions: dict[str, Any] = {}
    calls = []
    for number, (name, parameters) in enumerate(tools):
        arguments: Any = parameters
        if any(key in REFERENCES for key, _ in _keywords(parameters)):
            place = f"tool{number}"
            definitions[place] = _moved(parameters, f"#/$defs/{place}")
            arguments = {"$ref": f"#/$defs/{place}"}
        calls.append(
            {
                "type": "object",
                "properties": {"name": {"const": name}, "arguments": arguments},
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
        )
    whole = calls[0] if len(calls) == 1 else {"anyOf": calls}
    return {**whole, "$defs": definitions} if definitions else whole


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every key of every object in a schema, with its value."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            yield from one.items()
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _follow(schema: Mapping[str, Any], reference: str, param: str) -> None:
    """Go where a reference leads, and on while nothing but another reference stands there."""
    seen: set[str] = set()
    while True:
        if not reference.startswith("#") or reference in seen:
            raise _wrong(
                f"the reference {reference!r} leads {'out of' if '#' not in reference else 'nowhere in'} the schema",
                param,
            )
        seen.add(reference)
        target = _at(schema, reference, param)
        if not (isinstance(target, Mapping) and isinstance(target.get("$ref"), str)):
            return
        reference = target["$ref"]


def _at(schema: Mapping[str, Any], reference: str, param: str) -> Any:
    """What stands at a JSON pointer."""
    target: Any = schema
    for step in reference[1:].split("/")[1:]:
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(target, Mapping) and name in target:
            target = target[name]
        elif isinstance(target, list) and name.isdecimal() and int(name) < len(target):
            target = target[int(name)]
        else:
            raise _wrong(f"the reference {reference!r} leads nowhere in the schema", param)
    if reference != "#" and not reference.startswith("#/"):
        raise _wrong(f"the reference {reference!r} is no JSON pointer such as #/$defs/name", param)
    return target


def _moved(schema: Any, place: str) -> Any:
    """The same schema with its references made to start at `place`."""
    if isinstance(schema, Mapping):
        return {
            key: place + value[1:] if key in REFERENCES and isinstance(value, str) else _moved(value, place)
            for key, value in schema.items()
        }
    return [_moved(one, place) for one in schema] if isinstance(schema, list) else schema


def _compile(pattern: str, param: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise _wrong(f"the pattern {pattern!r} is no regular expression: {error}", param) from error


def _wrong(message: str, param: str) -> Refused:
    return Refused(400, message, "invalid_schema", param)
