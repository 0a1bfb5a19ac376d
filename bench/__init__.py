"""Benchmarks: each prints a table against its baselines in the same run."""
