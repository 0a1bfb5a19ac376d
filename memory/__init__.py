"""Egocentric mixed memory: SQL truth, lexical and vector indexes, recall bound to one owner."""
