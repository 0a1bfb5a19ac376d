"""The terms of a text, for a database without SQLite's full-text index.

They are what SQLite itself makes of it: an FTS5 table in memory, with the tokeniser of the index on disk, is asked.
So the same words match on both, without a second tokeniser and stemmer that would differ from the first in a few.
"""

import functools
import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy import text as sql

from kithnet.memory import schema, scripts
from kithnet.memory.dialects import is_postgres

TOKENIZER = "porter unicode61 remove_diacritics 2"
PAGE = 5_000
LONGEST = 512  # characters of a term; PostgreSQL's index holds no entry of more than 2,700 bytes


def of(bodies: Sequence[str]) -> list[list[str]]:
    """The distinct terms of each text, in order, those of its scripts too."""
    bodies = [f"{body} {extra}" if (extra := scripts.extra(body)) else body for body in bodies]
    found: list[list[str]] = [[] for _ in bodies]
    with closing(sqlite3.connect(":memory:")) as memory:
        memory.execute(f"CREATE VIRTUAL TABLE spoken USING fts5(body, content='', tokenize='{TOKENIZER}')")
        memory.execute("CREATE VIRTUAL TABLE held USING fts5vocab(spoken, 'instance')")
        memory.executemany("INSERT INTO spoken(rowid, body) VALUES (?, ?)", enumerate(bodies))
        for place, term in memory.execute("SELECT DISTINCT doc, term FROM held ORDER BY doc, term"):
            found[place].append(_short(term))
    return found


@functools.lru_cache(maxsize=16_384)
def of_word(word: str) -> tuple[str, ...]:
    """The terms of one word of a query."""
    return tuple(of([word])[0])


def reader(person: int) -> str:
    """The term that marks a row as one that this person may read. No word of a text has its sign."""
    return f"@{person}"


def wanted(word: str, pairs: Sequence[str], owner: int) -> list[str]:
    """What a row must hold that `owner` may read and that holds `word`, or its pairs of characters; never only the first."""
    return [reader(owner), *(pairs or of_word(word) or ("",))]  # no text has an empty term


def keep(connection: Connection, texts: Sequence[tuple[int, str]]) -> None:
    """Keep the terms of new texts (key, body), before a message or memory refers to them. SQLite needs none of it."""
    if not texts or not is_postgres(connection):
        return
    rows = zip(texts, of([body for _, body in texts]), strict=True)
    connection.execute(insert(schema.text_terms), [{"text": key, "terms": terms} for (key, _), terms in rows])


def wrong(connection: Connection) -> list[int]:
    """On PostgreSQL, keys of texts whose terms are not theirs, or not in the index for all who may read them."""
    found: set[int] = set()
    key, body, terms = schema.text.c.key, schema.text.c.body, schema.text_terms.c.terms
    joined = select(key, body, terms).join(schema.text_terms, schema.text_terms.c.text == key, isouter=True)
    last = 0
    while rows := connection.execute(joined.where(key > last).order_by(key).limit(PAGE)).all():
        right = of([row.body for row in rows])
        found.update(
            row.key for row, own in zip(rows, right, strict=True) if row.terms is None or set(row.terms) != set(own)
        )
        last = rows[-1].key
    for index, source, reader in schema.READERS:
        members = "(SELECT array_agg('@' || person ORDER BY person) FROM circle_member WHERE circle = s.circle)"
        who = members if reader == "circle" else f"ARRAY['@' || s.{reader}]"
        unlike = (
            f"SELECT DISTINCT s.text FROM {source} AS s LEFT JOIN text_terms AS t ON t.text = s.text"
            f" LEFT JOIN {index} AS i ON i.rowid = s.id WHERE i.terms IS DISTINCT FROM t.terms || {who}"
        )
        found.update(connection.scalars(sql(unlike)))
    return sorted(found)


def mend(connection: Connection, keys: Sequence[int]) -> None:
    """Make the terms of these texts again, and of all that says them."""
    for start in range(0, len(keys), PAGE):
        some = keys[start : start + PAGE]
        connection.execute(delete(schema.text_terms).where(schema.text_terms.c.text.in_(some)))
        bodies = connection.execute(select(schema.text.c.key, schema.text.c.body).where(schema.text.c.key.in_(some)))
        keep(connection, [(row.key, row.body) for row in bodies])
        for table in (schema.message, schema.memory):  # their triggers write the index
            connection.execute(update(table).where(table.c.text.in_(some)).values(text=table.c.text))


def _short(term: str) -> str:
    return term if len(term) <= LONGEST else f"#{hashlib.blake2b(term.encode(), digest_size=16).hexdigest()}"
