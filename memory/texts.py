"""Distinct texts: each is stored, indexed and embedded once, whoever said it."""

import hashlib
from typing import Any

from sqlalchemy import Connection, insert, select

from kithnet.memory import schema, scripts, terms
from kithnet.memory.language.text import count, index_words


def clean(body: str) -> str:
    """`body` as every database can store it: lone surrogates, which have no UTF-8 form, become question marks, and
    NUL characters, which PostgreSQL does not hold, replacement characters (U+FFFD).
    """
    return body.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def digest(body: str) -> bytes:
    """16 bytes that identify a text."""
    return hashlib.blake2b(body.encode(), digest_size=16).digest()


def fingerprint(body: str) -> bytes:
    """16 bytes that identify a statement: the same for texts that differ in case, accents, spaces or punctuation."""
    return digest(" ".join(index_words(body)) or body)


def row(body: str) -> dict[str, Any]:
    """The row of table `text` for a cleaned `body`."""
    return {"digest": digest(body), "body": body, "words": count(body), "extra": scripts.extra(body)}


def keep(connection: Connection, body: str) -> int:
    """The key of `body` in table `text`, which is added if it is new."""
    values = row(clean(body))
    found = connection.scalar(select(schema.text.c.key).where(schema.text.c.digest == values["digest"]))
    if found is not None:
        return int(found)
    added = connection.execute(insert(schema.text).values(values)).inserted_primary_key
    assert added is not None
    terms.keep(connection, [(int(added[0]), values["body"])])
    return int(added[0])
