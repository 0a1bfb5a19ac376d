"""The dialogue of two agents: in comes a task, out goes its last state with the answer; a checkpoint after each step."""
