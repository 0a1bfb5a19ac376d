"""How a world's database came to its present shape: a list of steps, applied in order, and how many of them were.

A step is never edited after a release; a change of `schema` is a new step at the end. The same steps serve SQLite
and PostgreSQL: they are written in SQLite's words and `declare` says them in PostgreSQL's; only the full-text index
and the triggers have a form for each.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection
from sqlalchemy import text as sql

from kithnet.memory.conversation_tables import conversations
from kithnet.memory.dialects import declare, function, is_postgres
from kithnet.runtime.errors import StorageError

APPLICATION_ID = 0x6B697468  # "kith": SQLite's `application_id`, by which a database is known to be ours
STEPS = "schema"  # on PostgreSQL, the key in `meta` that counts the steps and shows that a schema is ours
_INDEXES = (("message_fts", "message", ("sender", "receiver")), ("memory_fts", "memory", ("owner",)))


def _first_tables(connection: Connection) -> None:
    for statement in _TABLES:
        declare(connection, statement)
    for statement in _POSTGRES_TRIGGERS if is_postgres(connection) else _TRIGGERS:
        connection.exec_driver_sql(statement)
    full_text = _postgres_full_text if is_postgres(connection) else _full_text
    for index, source, owners in _INDEXES:
        for statement in full_text(index, source, owners):
            connection.exec_driver_sql(statement)


def _full_text(index: str, source: str, owners: Sequence[str]) -> list[str]:
    """Statements for an FTS5 index over `source`'s text, with a `who` column of `p<person>` for each owner column.

    The index stores no text of its own: it reads a view, so it can be rebuilt and checked against the tables.
    Restricting to an owner inside the index was measured against joining `message` afterwards (73,723 messages, a
    word in 7,534 of them): 1.4 against 3.4 ms for an owner of 23,422 messages, 0.07 against 2.6 ms for one of 81.
    """

    def who(row: str) -> str:
        return " || ' ' || ".join(f"'p' || {row}.{owner}" for owner in owners)

    def change(row: str, command: str = "") -> str:
        columns, first = (f"{index}, ", f"'{command}', ") if command else ("", "")
        body = f"(SELECT body FROM text WHERE key = {row}.text)"
        return f"INSERT INTO {index}({columns}rowid, body, who) VALUES ({first}{row}.id, {body}, {who(row)});"

    return [
        f"CREATE VIEW {source}_document AS SELECT s.id AS id, t.body AS body, {who('s')} AS who"
        f" FROM {source} AS s JOIN text AS t ON t.key = s.text",
        f"CREATE VIRTUAL TABLE {index} USING fts5(body, who, content='{source}_document', content_rowid='id',"
        " tokenize='porter unicode61 remove_diacritics 2')",
        f"CREATE TRIGGER {index}_insert AFTER INSERT ON {source} BEGIN {change('new')} END",
        f"CREATE TRIGGER {index}_delete BEFORE DELETE ON {source} BEGIN {change('old', 'delete')} END",
        f"CREATE TRIGGER {index}_update AFTER UPDATE OF text, {', '.join(owners)} ON {source}"
        f" BEGIN {change('old', 'delete')} {change('new')} END",
    ]


def _postgres_full_text(index: str, source: str, owners: Sequence[str]) -> list[str]:
    """The same on PostgreSQL: an array of terms for each row of `source`, those of its text and "@<person>" for each
    owner column, under an inverted index (GIN). So, as in FTS5, the index itself restricts a query to an owner.

    An array and not a tsvector, which holds no more than 1 MB.
    """
    who = ", ".join(f"'@' || new.{owner}" for owner in owners)
    return [
        f"CREATE TABLE {index} (rowid BIGINT PRIMARY KEY REFERENCES {source}(id) ON DELETE CASCADE,"
        ' terms TEXT[] COLLATE "C" NOT NULL)',
        f"CREATE INDEX {index}_terms ON {index} USING gin (terms)",
        function(
            f"{index}_fill",
            "DECLARE said TEXT[] := (SELECT terms FROM text_terms WHERE text = new.text);"
            f" BEGIN INSERT INTO {index}(rowid, terms) VALUES (new.id, said || ARRAY[{who}])"
            " ON CONFLICT (rowid) DO UPDATE SET terms = excluded.terms; RETURN NULL; END",
        ),
        f"CREATE TRIGGER {index}_fill AFTER INSERT OR UPDATE OF text, {', '.join(owners)} ON {source}"
        f" FOR EACH ROW EXECUTE FUNCTION {index}_fill()",
    ]


_TABLES = [
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE person (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        persona TEXT NOT NULL,
        aliases TEXT NOT NULL,
        outside BOOLEAN NOT NULL)""",
    """CREATE TABLE tie (
        a INTEGER NOT NULL REFERENCES person(key),
        b INTEGER NOT NULL REFERENCES person(key),
        kind TEXT NOT NULL,
        PRIMARY KEY (a, b), CHECK (a <> b)) WITHOUT ROWID""",
    "CREATE TABLE session (key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE)",
    """CREATE TABLE text (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        digest BLOB NOT NULL UNIQUE,
        body TEXT NOT NULL,
        words INTEGER NOT NULL)""",
    """CREATE TABLE message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        seq INTEGER NOT NULL UNIQUE,
        sender INTEGER NOT NULL REFERENCES person(key),
        receiver INTEGER NOT NULL REFERENCES person(key),
        text INTEGER NOT NULL REFERENCES text(key),
        session INTEGER NOT NULL REFERENCES session(key),
        at DATETIME,
        CHECK (sender <> receiver))""",
    "CREATE INDEX message_by_sender ON message(sender)",
    "CREATE INDEX message_by_receiver ON message(receiver)",
    "CREATE INDEX message_by_session ON message(session)",
    "CREATE INDEX message_by_text ON message(text)",
    """CREATE TABLE memory (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner INTEGER NOT NULL REFERENCES person(key),
        about INTEGER NOT NULL REFERENCES person(key),
        told_by INTEGER NOT NULL REFERENCES person(key),
        restricted BOOLEAN NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('summary', 'fact', 'event', 'preference', 'plan')),
        slot TEXT,
        text INTEGER NOT NULL REFERENCES text(key),
        fingerprint BLOB NOT NULL,
        session INTEGER REFERENCES session(key),
        valid_from DATETIME,
        valid_to DATETIME,
        recorded_at DATETIME NOT NULL,
        superseded_by INTEGER REFERENCES memory(id) ON DELETE SET NULL,
        importance FLOAT NOT NULL,
        uses INTEGER NOT NULL,
        last_used DATETIME,
        rev INTEGER NOT NULL)""",
    "CREATE INDEX memory_by_owner ON memory(owner, about)",
    "CREATE INDEX memory_by_fingerprint ON memory(owner, fingerprint)",
    "CREATE INDEX memory_by_text ON memory(text)",
    "CREATE INDEX memory_by_successor ON memory(superseded_by)",
    """CREATE TABLE audience (
        memory INTEGER NOT NULL REFERENCES memory(id) ON DELETE CASCADE,
        person INTEGER NOT NULL REFERENCES person(key),
        PRIMARY KEY (memory, person)) WITHOUT ROWID""",
    """CREATE TABLE evidence (
        memory INTEGER NOT NULL REFERENCES memory(id) ON DELETE CASCADE,
        message INTEGER NOT NULL REFERENCES message(id) ON DELETE CASCADE,
        PRIMARY KEY (memory, message)) WITHOUT ROWID""",
    "CREATE INDEX evidence_by_message ON evidence(message)",
    """CREATE TABLE link (
        a INTEGER NOT NULL REFERENCES memory(id) ON DELETE CASCADE,
        b INTEGER NOT NULL REFERENCES memory(id) ON DELETE CASCADE,
        type TEXT NOT NULL CHECK (type IN ('same_topic', 'updates', 'contradicts', 'causes', 'part_of')),
        evidence INTEGER REFERENCES message(id) ON DELETE SET NULL,
        PRIMARY KEY (a, b, type)) WITHOUT ROWID""",
    "CREATE INDEX link_by_target ON link(b)",
    """CREATE TABLE usage (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        utterance TEXT NOT NULL,
        memory INTEGER NOT NULL REFERENCES memory(id) ON DELETE CASCADE,
        partner INTEGER NOT NULL REFERENCES person(key),
        at DATETIME NOT NULL)""",
    "CREATE INDEX usage_by_memory ON usage(memory)",
    """CREATE TABLE disclosure (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner INTEGER NOT NULL REFERENCES person(key),
        partner INTEGER NOT NULL REFERENCES person(key),
        task TEXT NOT NULL,
        rule TEXT NOT NULL,
        action TEXT NOT NULL CHECK (action IN ('tell', 'ask', 'refuse')),
        at DATETIME NOT NULL)""",
    "CREATE INDEX disclosure_by_owner ON disclosure(owner)",
    """CREATE TABLE disclosed (
        disclosure INTEGER NOT NULL REFERENCES disclosure(id) ON DELETE CASCADE,
        message INTEGER REFERENCES message(id) ON DELETE CASCADE,
        memory INTEGER REFERENCES memory(id) ON DELETE CASCADE,
        CHECK ((message IS NULL) <> (memory IS NULL)))""",
    "CREATE INDEX disclosed_by_disclosure ON disclosed(disclosure)",
    "CREATE INDEX disclosed_by_message ON disclosed(message)",
    "CREATE INDEX disclosed_by_memory ON disclosed(memory)",
    """CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        op TEXT NOT NULL CHECK (op IN ('upsert', 'delete')),
        text INTEGER NOT NULL UNIQUE ON CONFLICT REPLACE)""",
    "CREATE TABLE lease (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until FLOAT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE task (
        position INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        question TEXT NOT NULL,
        answer TEXT NOT NULL,
        aliases TEXT NOT NULL,
        instructor INTEGER NOT NULL REFERENCES person(key),
        assistant INTEGER NOT NULL REFERENCES person(key),
        holders TEXT NOT NULL,
        evidence TEXT NOT NULL,
        kind TEXT NOT NULL)""",
]

_TRIGGERS = [
    "CREATE TRIGGER text_insert AFTER INSERT ON text"
    " BEGIN INSERT INTO outbox(op, text) VALUES ('upsert', new.key); END",
    "CREATE TRIGGER text_delete AFTER DELETE ON text"
    " BEGIN INSERT INTO outbox(op, text) VALUES ('delete', old.key); END",
]

_POSTGRES_TRIGGERS = [
    "CREATE TABLE text_terms (text BIGINT PRIMARY KEY REFERENCES text(key) ON DELETE CASCADE,"
    ' terms TEXT[] COLLATE "C" NOT NULL)',
    function("text_insert", "BEGIN INSERT INTO outbox(op, text) VALUES ('upsert', new.key); RETURN NULL; END"),
    "CREATE TRIGGER text_insert AFTER INSERT ON text FOR EACH ROW EXECUTE FUNCTION text_insert()",
    function("text_delete", "BEGIN INSERT INTO outbox(op, text) VALUES ('delete', old.key); RETURN NULL; END"),
    "CREATE TRIGGER text_delete AFTER DELETE ON text FOR EACH ROW EXECUTE FUNCTION text_delete()",
    function("outbox_replace", "BEGIN DELETE FROM outbox WHERE text = new.text; RETURN new; END"),
    "CREATE TRIGGER outbox_replace BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION outbox_replace()",
]


def _handles_of_what_was_heard(connection: Connection) -> None:
    declare(connection, "ALTER TABLE memory ADD COLUMN handles TEXT NOT NULL DEFAULT '[]'")


def _times_of_events_and_recalled_turns(connection: Connection) -> None:
    for change in ("memory ADD COLUMN starts DATETIME", "memory ADD COLUMN ends DATETIME"):
        declare(connection, f"ALTER TABLE {change}")
    declare(connection, "ALTER TABLE message ADD COLUMN recalled BOOLEAN NOT NULL DEFAULT FALSE")


def _receipts_of_what_was_erased(connection: Connection) -> None:
    declare(
        connection,
        """CREATE TABLE erasure (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('message', 'memory', 'person')),
        begun DATETIME NOT NULL,
        finished DATETIME,
        removed TEXT NOT NULL,
        work TEXT NOT NULL)""",
    )


def _grants_of_owners(connection: Connection) -> None:
    for statement in (
        """CREATE TABLE disclosure_grant (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        owner INTEGER NOT NULL REFERENCES person(key),
        person INTEGER REFERENCES person(key),
        tie TEXT,
        message INTEGER REFERENCES message(id) ON DELETE CASCADE,
        memory INTEGER REFERENCES memory(id) ON DELETE CASCADE,
        topic TEXT NOT NULL,
        purpose TEXT NOT NULL,
        term TEXT NOT NULL CHECK (term IN ('once', 'always', 'until')),
        until DATETIME,
        given_at DATETIME NOT NULL,
        revoked_at DATETIME,
        uses INTEGER NOT NULL,
        CHECK ((person IS NULL) <> (tie IS NULL)),
        CHECK (message IS NULL OR memory IS NULL))""",
        "CREATE INDEX disclosure_grant_by_owner ON disclosure_grant(owner)",
        "CREATE INDEX disclosure_grant_by_message ON disclosure_grant(message)",
        "CREATE INDEX disclosure_grant_by_memory ON disclosure_grant(memory)",
        """CREATE TABLE grant_use (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        permit INTEGER NOT NULL REFERENCES disclosure_grant(id) ON DELETE CASCADE,
        partner INTEGER NOT NULL REFERENCES person(key),
        message INTEGER REFERENCES message(id) ON DELETE CASCADE,
        memory INTEGER REFERENCES memory(id) ON DELETE CASCADE,
        at DATETIME NOT NULL)""",
        "CREATE INDEX grant_use_by_permit ON grant_use(permit)",
        "CREATE INDEX grant_use_by_message ON grant_use(message)",
        "CREATE INDEX grant_use_by_memory ON grant_use(memory)",
    ):
        declare(connection, statement)


def _utterances_of_agents_and_private_messages(connection: Connection) -> None:
    declare(
        connection,
        """CREATE TABLE utterance (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        agent INTEGER NOT NULL REFERENCES person(key),
        partner INTEGER NOT NULL REFERENCES person(key),
        session INTEGER NOT NULL REFERENCES session(key),
        answers INTEGER REFERENCES message(id) ON DELETE CASCADE,
        body TEXT NOT NULL,
        at DATETIME)""",
    )
    for column in ("agent", "session", "answers"):
        declare(connection, f"CREATE INDEX utterance_by_{column} ON utterance({column})")
    declare(connection, "ALTER TABLE message ADD COLUMN private BOOLEAN NOT NULL DEFAULT FALSE")
    outside = "(SELECT key FROM person WHERE outside)"
    declare(connection, f"UPDATE message SET private = TRUE WHERE sender IN {outside} OR receiver IN {outside}")


def _who_read_what(connection: Connection) -> None:
    declare(connection, "ALTER TABLE memory ADD COLUMN read_by TEXT")


MIGRATIONS: list[Callable[[Connection], None]] = [
    _first_tables,
    _handles_of_what_was_heard,
    _times_of_events_and_recalled_turns,
    _receipts_of_what_was_erased,
    _grants_of_owners,
    _utterances_of_agents_and_private_messages,
    _who_read_what,
    conversations,
]


def version(connection: Connection) -> int:
    """The number of steps that have been applied to this database."""
    if not is_postgres(connection):
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if connection.scalar(sql("SELECT to_regclass('meta')")) is None:
        return 0
    counted = connection.scalar(sql("SELECT value FROM meta WHERE key = :key"), {"key": STEPS})
    return int(counted or 0)


def migrate(connection: Connection) -> int:
    """Bring the database up to date inside the caller's transaction; return how many steps were applied.

    Raises StorageError for a database that a newer Kithnet made, or that another program made.
    """
    found = version(connection)
    if found > len(MIGRATIONS):
        raise StorageError(
            f"this world has schema version {found}, and this Kithnet knows versions up to {len(MIGRATIONS)}",
            "open it with a newer Kithnet: pip install --upgrade kithnet",
        )
    _refuse_foreign(connection, found)
    for step in MIGRATIONS[found:]:
        step(connection)
    if found < len(MIGRATIONS):
        stamp(connection, len(MIGRATIONS))
    return len(MIGRATIONS) - found


def stamp(connection: Connection, steps: int) -> None:
    """Mark the database as ours, with this many steps applied."""
    if is_postgres(connection):
        counted = "INSERT INTO meta VALUES (:key, :n) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        connection.execute(sql(counted), {"key": STEPS, "n": str(steps)})
    else:
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version = {steps}")


def _refuse_foreign(connection: Connection, steps: int) -> None:
    if is_postgres(connection):
        held = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
        if not steps and connection.scalar(sql(held)):
            raise StorageError("this PostgreSQL schema was not made by Kithnet", "name another in database.url")
        return
    application = int(connection.exec_driver_sql("PRAGMA application_id").scalar_one())
    tables = int(connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one())
    if tables and application != APPLICATION_ID:
        raise StorageError(
            "this SQLite file was not made by Kithnet", "name the kith.db of a world, or import the data into one"
        )
