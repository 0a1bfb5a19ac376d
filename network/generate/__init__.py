"""Worlds made from a seed: people, ties and a year of talk that hides facts, with questions about them."""

from kithnet.network.generate.spec import GenerateSpec
from kithnet.network.generate.world import generate

__all__ = ["GenerateSpec", "generate"]
