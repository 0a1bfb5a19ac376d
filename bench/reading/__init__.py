"""How well messages about plans are read, by the tagger and by rules, and the fit of the tagger (docs/memory.md)."""
