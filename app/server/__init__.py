"""`kith serve`: models and personal agents behind an OpenAI-compatible HTTP API."""
