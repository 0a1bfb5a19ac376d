"""From what was said in a session to what is remembered of it: statements, their times and slots, and their links."""
