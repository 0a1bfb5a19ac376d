"""What is remembered of mixed sessions, what leaks, what is stale, and what a crash or an erasure leaves behind."""
