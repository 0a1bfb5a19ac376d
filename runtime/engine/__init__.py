"""One engine, many agents: continuous batching over llama.cpp with a shared prefix cache.

`Engine` (thread.py) runs a `Core` (core.py) on one thread; the core plans batches (schedule.py) for jobs (jobs.py) over
one context (context.py), whose evaluated prompts a prefix tree (tree.py) knows.
"""
