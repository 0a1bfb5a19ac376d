"""Readers of other people's files: each gives a `World` or a `RecordError` with the row."""

from kithnet.network.importers.friendstv import read_friendstv

__all__ = ["read_friendstv"]
