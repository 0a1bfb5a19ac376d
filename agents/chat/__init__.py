"""A chat between a person and an agent: in come messages, out go replies and the memories of the session."""
