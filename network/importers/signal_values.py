"""Values as the exports of Signal write them. Nothing here raises: a value of another kind counts as none."""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

from kithnet.network.importers.items import plain_text

SELF = "self"
"""The key of the device's owner."""
NEWS = "11111111-1111-4111-8111-111111111111"
"""The account from which Signal tells its news."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = 4_102_444_800_000
"""The year 2100 in milliseconds."""
OBJECT = "\ufffc"
"""Stands in a text where somebody is mentioned."""
MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))


def a_map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def a_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def a_number(value: object) -> int:
    """A whole number, also one that is written as a string; 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0
    try:
        return int(value)
    except (ValueError, OverflowError):
        return 0


def moment(value: object) -> datetime | None:
    """Milliseconds since 1970."""
    sent = a_number(value)
    return EPOCH + timedelta(milliseconds=sent) if 0 < sent < LATEST else None


def uuid_of(value: object) -> str:
    """A UUID in one form, another id as it is. Ids that go with a telephone number have a mark before them."""
    text = plain_text(value).casefold().removeprefix("pni:")
    try:
        return str(UUID(text[-32:] if len(text) == 34 else text))
    except ValueError:
        return text


def fingerprint(value: object) -> str:
    """Names a group without its key, which would open it."""
    return blake2b(str(value).encode("utf-8", "replace"), digest_size=12).hexdigest()


def unmarked(text: str) -> str:
    """A name without the marks of direction that Signal puts around it."""
    return text.translate(MARKS)


def with_mentions(text: str, names: list[str]) -> str:
    """The text with "@name" where somebody is mentioned."""
    for shown in names:
        text = text.replace(OBJECT, f"@{shown}", 1)
    return plain_text(text.replace(OBJECT, ""))
