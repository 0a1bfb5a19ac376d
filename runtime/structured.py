"""JSON replies: is the schema sound, and does the text match it?"""

import json
from collections.abc import Mapping
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match
from jsonschema.validators import validator_for

from kithnet.runtime.errors import ConfigError, ReplyInvalid

_SHOWN = 200  # characters of a bad reply that go into the message


def check_schema(schema: Mapping[str, Any]) -> None:
    """ConfigError when `schema` is not itself a valid JSON schema."""
    try:
        validator_for(dict(schema), default=jsonschema.Draft202012Validator).check_schema(dict(schema))
    except jsonschema.SchemaError as error:
        raise ConfigError(f"invalid JSON schema: {error.message}", "correct the schema given to ReplySpec") from error


def parse_reply(text: str, schema: Mapping[str, Any]) -> Any:
    """The JSON value of a reply. ReplyInvalid when the text is not JSON or does not match the schema."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ReplyInvalid(
            f"the reply is not JSON ({error.msg} at character {error.pos}): {text[:_SHOWN]!r}",
            "raise max_tokens if it was cut off; otherwise the backend ignores the schema",
        ) from error
    validator = validator_for(dict(schema), default=jsonschema.Draft202012Validator)(dict(schema))
    problem = best_match(validator.iter_errors(value))
    if problem is not None:
        where = "/".join(map(str, problem.absolute_path)) or "the top"
        raise ReplyInvalid(
            f"the reply does not match its schema at {where}: {problem.message[:_SHOWN]}",
            "the backend ignores part of the schema: simplify it, or use a model with grammar support",
        )
    return value
