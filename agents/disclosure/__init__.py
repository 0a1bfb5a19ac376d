"""Disclosure: in come an item and a partner, out goes whether it may be told; enforced outside any model."""
