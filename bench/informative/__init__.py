"""InformativeBench, offline: tasks whose facts are split between two people who have to talk (docs/bench-informative.md)."""
