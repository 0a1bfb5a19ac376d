"""Minds: in comes a view of a dialogue, out goes one move."""
