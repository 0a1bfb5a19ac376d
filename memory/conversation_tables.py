"""The step of `migrations` that gave messages a conversation and an audience in the place of one receiver."""

from sqlalchemy import Connection
from sqlalchemy import text as sql

from kithnet.memory import scripts
from kithnet.memory.dialects import declare, function, is_postgres

_CONVERSATIONS = (
    """CREATE TABLE conversation (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL CHECK (kind IN ('dyad', 'group', 'channel', 'mail')),
        title TEXT NOT NULL,
        source TEXT NOT NULL,
        source_key TEXT NOT NULL)""",
    "CREATE INDEX conversation_by_source ON conversation(source, source_key)",
    """CREATE TABLE membership (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation INTEGER NOT NULL REFERENCES conversation(key) ON DELETE CASCADE,
        person INTEGER NOT NULL REFERENCES person(key) ON DELETE CASCADE,
        since DATETIME,
        until DATETIME)""",
    "CREATE INDEX membership_by_conversation ON membership(conversation)",
    "CREATE INDEX membership_by_person ON membership(person)",
    """CREATE TABLE contact (
        source TEXT NOT NULL,
        key TEXT NOT NULL,
        person INTEGER NOT NULL REFERENCES person(key) ON DELETE CASCADE,
        name TEXT NOT NULL,
        address TEXT NOT NULL,
        PRIMARY KEY (source, key)) WITHOUT ROWID""",
    "CREATE INDEX contact_by_person ON contact(person)",
    """CREATE TABLE merge (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kept INTEGER NOT NULL REFERENCES person(key) ON DELETE CASCADE,
        name TEXT NOT NULL,
        at DATETIME NOT NULL,
        undo TEXT NOT NULL)""",
    "CREATE TABLE circle (key INTEGER PRIMARY KEY AUTOINCREMENT, who TEXT NOT NULL UNIQUE)",
    """CREATE TABLE circle_member (
        circle INTEGER NOT NULL REFERENCES circle(key) ON DELETE CASCADE,
        person INTEGER NOT NULL REFERENCES person(key),
        PRIMARY KEY (circle, person)) WITHOUT ROWID""",
    "CREATE INDEX circle_member_by_person ON circle_member(person, circle)",
    # A message of before had one receiver: its conversation is that of the two, its audience both.
    """INSERT INTO circle(who) SELECT DISTINCT 'p' || min_(sender, receiver) || ' p' || max_(sender, receiver) FROM message""",
    """INSERT INTO circle_member(circle, person)
        SELECT DISTINCT c.key, m.sender FROM message AS m
        JOIN circle AS c ON c.who = 'p' || min_(m.sender, m.receiver) || ' p' || max_(m.sender, m.receiver)
        UNION SELECT DISTINCT c.key, m.receiver FROM message AS m
        JOIN circle AS c ON c.who = 'p' || min_(m.sender, m.receiver) || ' p' || max_(m.sender, m.receiver)""",
    """INSERT INTO conversation(key, id, kind, title, source, source_key)
        SELECT key, CASE n WHEN 1 THEN id ELSE id || ' (' || n || ')' END, 'dyad', '', '', '' FROM (
            SELECT key, id, row_number() OVER (PARTITION BY id ORDER BY key) AS n FROM (
                SELECT c.key AS key, min(plain_(p.id)) || ' & ' || max(plain_(p.id)) AS id FROM circle AS c
                JOIN circle_member AS o ON o.circle = c.key JOIN person AS p ON p.key = o.person GROUP BY c.key
            ) AS pair
        ) AS named""",
    "INSERT INTO membership(conversation, person) SELECT circle, person FROM circle_member",
)
_MESSAGES_OF_CONVERSATIONS = (
    """CREATE TABLE said (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        seq INTEGER NOT NULL UNIQUE,
        sender INTEGER NOT NULL REFERENCES person(key),
        conversation INTEGER NOT NULL REFERENCES conversation(key),
        circle INTEGER NOT NULL REFERENCES circle(key),
        text INTEGER NOT NULL REFERENCES text(key),
        session INTEGER NOT NULL REFERENCES session(key),
        at DATETIME,
        zone TEXT,
        reply_to INTEGER REFERENCES message(id) ON DELETE SET NULL,
        edited_at DATETIME,
        source_id TEXT,
        recalled BOOLEAN NOT NULL DEFAULT FALSE,
        private BOOLEAN NOT NULL DEFAULT FALSE)""",
    """INSERT INTO said(id, seq, sender, conversation, circle, text, session, at, recalled, private)
        SELECT m.id, m.seq, m.sender, c.key, c.key, m.text, m.session, m.at, m.recalled, m.private FROM message AS m
        JOIN circle AS c ON c.who = 'p' || min_(m.sender, m.receiver) || ' p' || max_(m.sender, m.receiver)""",
    "UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'message')"
    " WHERE name = 'said' AND EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'message')",
    "DROP TABLE message",
    "ALTER TABLE said RENAME TO message",
    "CREATE INDEX message_by_text ON message(text)",
)
_MESSAGES_ON_POSTGRES = (
    "DROP TRIGGER message_fts_fill ON message",
    "DROP FUNCTION message_fts_fill()",
    "ALTER TABLE message ADD COLUMN conversation INTEGER REFERENCES conversation(key)",
    "ALTER TABLE message ADD COLUMN circle INTEGER REFERENCES circle(key)",
    "ALTER TABLE message ADD COLUMN zone TEXT",
    "ALTER TABLE message ADD COLUMN reply_to INTEGER REFERENCES message(id) ON DELETE SET NULL",
    "ALTER TABLE message ADD COLUMN edited_at DATETIME",
    "ALTER TABLE message ADD COLUMN source_id TEXT",
    """UPDATE message AS m SET conversation = c.key, circle = c.key FROM circle AS c
        WHERE c.who = 'p' || min_(m.sender, m.receiver) || ' p' || max_(m.sender, m.receiver)""",
    "ALTER TABLE message ALTER COLUMN conversation SET NOT NULL",
    "ALTER TABLE message ALTER COLUMN circle SET NOT NULL",
    "ALTER TABLE message DROP COLUMN receiver",
    "DROP INDEX message_by_sender",
    "DROP INDEX message_by_session",
    "SELECT setval(pg_get_serial_sequence('conversation', 'key'), (SELECT max(key) FROM conversation) + 1)",
)
_MESSAGE_INDEXES = (
    "CREATE INDEX message_by_sender ON message(sender)",
    "CREATE INDEX message_by_circle ON message(circle)",
    "CREATE INDEX message_by_session ON message(session)",
    "CREATE INDEX message_by_conversation ON message(conversation, source_id)",
    "CREATE INDEX message_by_answered ON message(reply_to)",
)
_READERS = (
    (
        "message_fts",
        "message",
        "circle",
        "c.who",
        "JOIN circle AS c ON c.key = s.circle",
        "(SELECT who FROM circle WHERE key = {row}.circle)",
    ),
    ("memory_fts", "memory", "owner", "'p' || s.owner", "", "'p' || {row}.owner"),
)
"""Of each index: its table, the column that says who may read a row, and what `who` is in a view and in a trigger."""


def conversations(connection: Connection) -> None:
    """A message gets a conversation and an audience in the place of its receiver. On SQLite its table is made anew, with the
    triggers and the index that hang on it; foreign keys are not enforced meanwhile (`Database`)."""
    postgres = is_postgres(connection)
    smaller, larger = ("least", "greatest") if postgres else ("min", "max")
    if not postgres:
        for index, source, *_ in _READERS:
            for trigger in ("insert", "delete", "update"):
                connection.exec_driver_sql(f"DROP TRIGGER {index}_{trigger}")
            connection.exec_driver_sql(f"DROP TABLE {index}")
            connection.exec_driver_sql(f"DROP VIEW {source}_document")
    moved = _MESSAGES_ON_POSTGRES if postgres else _MESSAGES_OF_CONVERSATIONS
    for statement in (*_CONVERSATIONS, *moved, *_MESSAGE_INDEXES):
        spelt = statement.replace("plain_(p.id)", 'p.id COLLATE "C"' if postgres else "p.id")
        declare(connection, spelt.replace("min_(", f"{smaller}(").replace("max_(", f"{larger}("))
    declare(connection, "ALTER TABLE text ADD COLUMN extra TEXT")
    _say_more(connection, postgres)
    full_text = _circle_on_postgres() if postgres else [one for row in _READERS for one in _full_text(*row)]
    for statement in full_text:
        connection.exec_driver_sql(statement)


def _say_more(connection: Connection, postgres: bool) -> None:
    """Keep what the index holds of texts in scripts that have no words apart."""
    rows = connection.exec_driver_sql("SELECT key, body FROM text").all()
    more = [{"key": key, "extra": extra} for key, body in rows if (extra := scripts.extra(body)) is not None]
    if more:
        connection.execute(sql("UPDATE text SET extra = :extra WHERE key = :key"), more)
    for row in more if postgres else ():
        tokens = sql("UPDATE text_terms SET terms = terms || CAST(:tokens AS TEXT[]) WHERE text = :key")
        connection.execute(tokens, {"key": row["key"], "tokens": str(row["extra"]).split()})


def _full_text(index: str, source: str, reader: str, who: str, join: str, of_row: str) -> list[str]:
    """A full-text index over a table's texts and what is said of them in `extra`; see `migrations._full_text`."""
    said = "body || coalesce(' ' || extra, '')"

    def change(row: str, command: str = "") -> str:
        columns, first = (f"{index}, ", f"'{command}', ") if command else ("", "")
        body = f"(SELECT {said} FROM text WHERE key = {row}.text)"
        return f"INSERT INTO {index}({columns}rowid, body, who) VALUES ({first}{row}.id, {body}, {of_row.format(row=row)});"

    return [
        f"CREATE VIEW {source}_document AS SELECT s.id AS id, t.body || coalesce(' ' || t.extra, '') AS body, {who} AS who"
        f" FROM {source} AS s JOIN text AS t ON t.key = s.text {join}",
        f"CREATE VIRTUAL TABLE {index} USING fts5(body, who, content='{source}_document', content_rowid='id',"
        " tokenize='porter unicode61 remove_diacritics 2')",
        f"CREATE TRIGGER {index}_insert AFTER INSERT ON {source} BEGIN {change('new')} END",
        f"CREATE TRIGGER {index}_delete BEFORE DELETE ON {source} BEGIN {change('old', 'delete')} END",
        f"CREATE TRIGGER {index}_update AFTER UPDATE OF text, {reader} ON {source}"
        f" BEGIN {change('old', 'delete')} {change('new')} END",
        f"INSERT INTO {index}({index}) VALUES ('rebuild')",
    ]


def _circle_on_postgres() -> list[str]:
    """The same on PostgreSQL; see `_postgres_full_text`."""
    index = "message_fts"
    return [
        function(
            f"{index}_fill",
            "DECLARE said TEXT[] := (SELECT terms FROM text_terms WHERE text = new.text);"
            " heard TEXT[] := (SELECT array_agg('@' || person ORDER BY person) FROM circle_member WHERE circle = new.circle);"
            f" BEGIN INSERT INTO {index}(rowid, terms) VALUES (new.id, said || heard)"
            " ON CONFLICT (rowid) DO UPDATE SET terms = excluded.terms; RETURN NULL; END",
        ),
        f"CREATE TRIGGER {index}_fill AFTER INSERT OR UPDATE OF text, circle ON message"
        f" FOR EACH ROW EXECUTE FUNCTION {index}_fill()",
        "UPDATE message SET circle = circle",
    ]
