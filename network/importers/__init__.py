"""Readers of other people's files: each gives a `World`, or a `RecordError` with the row."""

from kithnet.network.importers.friendstv import read_friendstv
from kithnet.network.importers.generic import read_generic
from kithnet.network.importers.iagents_sql import read_iagents_sql
from kithnet.network.importers.misc import read_misc

__all__ = ["read_friendstv", "read_generic", "read_iagents_sql", "read_misc"]
