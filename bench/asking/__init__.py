"""Questions about real talk, asked by one agent of another, with the parts of the way beside it."""
