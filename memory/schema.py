"""The tables of one world, as `migrations` makes them.

Every distinct text is stored (and embedded) once; messages and memories point to it. Keys are integers inside
the database; people and sessions also have the ids that the command line uses. Deleted keys are never given
out again, so that evidence and vectors cannot come to mean something else.

Times are naive: `at` and `valid_*` in the world's own time, `recorded_at` and `last_used` in UTC.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy import (
    text as sql,
)

metadata = MetaData()

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

person = Table(
    "person",
    metadata,
    Column("key", BigInteger, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("persona", Text, nullable=False),
    Column("aliases", Text, nullable=False),  # JSON list
    Column("outside", Boolean, nullable=False),  # a chat partner who is not part of the network
)

tie = Table(
    "tie",
    metadata,
    Column("a", ForeignKey("person.key"), primary_key=True),
    Column("b", ForeignKey("person.key"), primary_key=True),
    Column("kind", Text, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("key", BigInteger, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
)

conversation = Table(
    "conversation",
    metadata,
    Column("key", BigInteger, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),  # dyad | group | channel | mail
    Column("title", Text, nullable=False),  # as its members see it; '' for most dyads
    Column("source", Text, nullable=False),  # the format that it was read from; '' for talk that was made here
    Column("source_key", Text, nullable=False),  # how the source calls it
)

membership = Table(
    "membership",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("conversation", ForeignKey("conversation.key"), nullable=False),
    Column("person", ForeignKey("person.key"), nullable=False),
    Column("since", DateTime),  # NULL: from the beginning
    Column("until", DateTime),  # NULL: still
)

contact = Table(
    "contact",
    metadata,
    Column("source", Text, primary_key=True),
    Column("key", Text, primary_key=True),  # how the source calls the person
    Column("person", ForeignKey("person.key"), nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),  # a telephone number or mail address, '' where none is known
)

merge = Table(
    "merge",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("kept", ForeignKey("person.key"), nullable=False),
    Column("name", Text, nullable=False),  # of the one who is nobody of their own any more
    Column("at", DateTime, nullable=False),  # UTC
    Column(
        "undo", Text, nullable=False
    ),  # JSON: the row of that person, and which rows were theirs; '' once it is too late
)

# The people who could read a message, its sender too. Each distinct set of them is stored once and never changed: a message
# whose audience changes points to another set, so that the full-text index follows.
circle = Table(
    "circle",
    metadata,
    Column("key", BigInteger, primary_key=True),
    Column("who", Text, nullable=False, unique=True),  # "p3 p17", by rising key
)

circle_member = Table(
    "circle_member",
    metadata,
    Column("circle", ForeignKey("circle.key"), primary_key=True),
    Column("person", ForeignKey("person.key"), primary_key=True),
)

text = Table(
    "text",
    metadata,
    Column("key", BigInteger, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),  # BLAKE2b, 16 bytes, of the UTF-8 body
    Column("body", Text, nullable=False),
    Column("words", BigInteger, nullable=False),
    Column("extra", Text),  # what the full-text index holds beside the words: `language.scripts`
)

message = Table(
    "message",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("seq", BigInteger, nullable=False, unique=True),
    Column("sender", ForeignKey("person.key"), nullable=False),
    Column("conversation", ForeignKey("conversation.key"), nullable=False),
    Column("circle", ForeignKey("circle.key"), nullable=False),  # its audience
    Column("text", ForeignKey("text.key"), nullable=False),
    Column("session", ForeignKey("session.key"), nullable=False),
    Column("at", DateTime),
    Column("zone", Text),  # the offset of the place where it was written ("+02:00"), where the source tells it
    Column("reply_to", ForeignKey("message.id")),
    Column("edited_at", DateTime),
    Column("source_id", Text),  # the source's number of it
    # An agent said it, in a world of before `utterance`: nobody's message; `agent_words` moves it.
    Column("recalled", Boolean, nullable=False, server_default=sql("false")),
    Column("private", Boolean, nullable=False, server_default=sql("false")),  # said by somebody to the own agent
)
OF_THE_WORLD = ~message.c.private & ~message.c.recalled
"""Of a message: whether one person of the network wrote it to another."""

utterance = Table(
    "utterance",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("agent", ForeignKey("person.key"), nullable=False),  # whose agent said it
    Column("partner", ForeignKey("person.key"), nullable=False),
    Column("session", ForeignKey("session.key"), nullable=False),
    Column("answers", ForeignKey("message.id")),
    Column("body", Text, nullable=False),  # not in `text`: it is neither indexed nor embedded
    Column("at", DateTime),  # in UTC; NULL for one that was a message before
)

memory = Table(
    "memory",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("owner", ForeignKey("person.key"), nullable=False),
    Column("about", ForeignKey("person.key"), nullable=False),
    Column("told_by", ForeignKey("person.key"), nullable=False),
    Column("restricted", Boolean, nullable=False),  # True: only the people in `audience` may be served with it
    Column("kind", Text, nullable=False),
    Column("slot", Text),
    Column("text", ForeignKey("text.key"), nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),  # of the normalised text
    Column("session", ForeignKey("session.key")),
    Column("valid_from", DateTime),
    Column("valid_to", DateTime),
    Column("recorded_at", DateTime, nullable=False),
    Column("superseded_by", ForeignKey("memory.id")),
    Column("importance", Float, nullable=False),
    Column("uses", BigInteger, nullable=False),
    Column("last_used", DateTime),
    Column("rev", BigInteger, nullable=False),
    Column("handles", Text, nullable=False, server_default=sql("'[]'")),  # JSON: what others cited; opens nothing
    Column("starts", DateTime),  # of an event or a plan: when it begins and ends
    Column("ends", DateTime),
    Column("read_by", Text),  # the reader that judged what its message says; NULL for what was noted otherwise
)

audience = Table(
    "audience",
    metadata,
    Column("memory", ForeignKey("memory.id"), primary_key=True),
    Column("person", ForeignKey("person.key"), primary_key=True),
)

evidence = Table(
    "evidence",
    metadata,
    Column("memory", ForeignKey("memory.id"), primary_key=True),
    Column("message", ForeignKey("message.id"), primary_key=True),
)

link = Table(
    "link",
    metadata,
    Column("a", ForeignKey("memory.id"), primary_key=True),
    Column("b", ForeignKey("memory.id"), primary_key=True),
    Column("type", Text, primary_key=True),
    Column("evidence", ForeignKey("message.id")),
)

usage = Table(
    "usage",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("utterance", Text, nullable=False),
    Column("memory", ForeignKey("memory.id"), nullable=False),
    Column("partner", ForeignKey("person.key"), nullable=False),
    Column("at", DateTime, nullable=False),
)

disclosure = Table(
    "disclosure",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("owner", ForeignKey("person.key"), nullable=False),
    Column("partner", ForeignKey("person.key"), nullable=False),
    Column("task", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("at", DateTime, nullable=False),
)

disclosed = Table(
    "disclosed",
    metadata,
    Column("disclosure", ForeignKey("disclosure.id"), nullable=False),
    Column("message", ForeignKey("message.id")),
    Column("memory", ForeignKey("memory.id")),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("op", Text, nullable=False),  # upsert | delete
    Column("text", BigInteger, nullable=False, unique=True),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Float, nullable=False),  # seconds since the epoch
)

task = Table(
    "task",
    metadata,
    Column("position", BigInteger, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("aliases", Text, nullable=False),  # JSON lists
    Column("instructor", ForeignKey("person.key"), nullable=False),
    Column("assistant", ForeignKey("person.key"), nullable=False),
    Column("holders", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("kind", Text, nullable=False),
)

disclosure_grant = Table(
    "disclosure_grant",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("owner", ForeignKey("person.key"), nullable=False),
    Column("person", ForeignKey("person.key")),  # to whom; else to those with a tie of kind `tie`
    Column("tie", Text),
    Column("message", ForeignKey("message.id")),  # of what; neither: of anything
    Column("memory", ForeignKey("memory.id")),
    Column("topic", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("term", Text, nullable=False),  # once | always | until
    Column("until", DateTime),  # UTC, like the next two
    Column("given_at", DateTime, nullable=False),
    Column("revoked_at", DateTime),
    Column("uses", BigInteger, nullable=False),
)

grant_use = Table(
    "grant_use",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("permit", ForeignKey("disclosure_grant.id"), nullable=False),
    Column("partner", ForeignKey("person.key"), nullable=False),
    Column("message", ForeignKey("message.id")),
    Column("memory", ForeignKey("memory.id")),
    Column("at", DateTime, nullable=False),
)

erasure = Table(
    "erasure",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False),  # message | memory | person
    Column("begun", DateTime, nullable=False),
    Column("finished", DateTime),
    Column("removed", Text, nullable=False),  # JSON: what -> how many
    Column("work", Text, nullable=False),  # JSON: what is still to be looked for in files; '' once that is done
)

# Full-text indexes. `who` holds the people who may read the row ("p12 p34"), so that the index itself restricts
# a query to one owner. Their content is a view over the tables above; triggers keep them in the same transaction.
# PostgreSQL has tables of the same names with one indexed array in place of both columns: `terms`, with "@12" for who.
message_index = Table(
    "message_fts",
    MetaData(),
    Column("rowid", BigInteger, primary_key=True),
    Column("body", Text),
    Column("who", Text),
    Column("terms", ARRAY(Text)),
    Column("message_fts", Text),  # FTS5's name for "the whole row" in MATCH
)
memory_index = Table(
    "memory_fts",
    MetaData(),
    Column("rowid", BigInteger, primary_key=True),
    Column("body", Text),
    Column("who", Text),
    Column("terms", ARRAY(Text)),
    Column("memory_fts", Text),
)

READERS = (("message_fts", "message", "circle"), ("memory_fts", "memory", "owner"))
"""Each index, the table that it is of, and the column that says who may read a row: a circle, or one person."""

# Only on PostgreSQL: the terms of each text, from which triggers make those of messages and memories.
text_terms = Table(
    "text_terms",
    MetaData(),
    Column("text", BigInteger, primary_key=True, autoincrement=False),
    Column("terms", ARRAY(Text), nullable=False),
)
