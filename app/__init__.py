"""What a person touches: the command line, simulation runs, reports."""
