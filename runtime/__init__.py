"""Models and execution: chat models, embedder, model registry, executor, trace, configuration, errors."""
