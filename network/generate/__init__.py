"""Worlds made from a seed: people, ties and a year of talk that hides facts, with questions about them."""
