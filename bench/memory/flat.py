"""The baseline: EMMA's memory as its paper and code have it. A flat list of sentences, the nearest one by cosine.

No audience, no validity, no slots, no threshold; a link is drawn from every memory to the nearest earlier one. It is
given the statements that our own extraction finds, so that the difference is what is done with them.
"""

from dataclasses import dataclass, field

import numpy as np

from kithnet.memory.vectors import Embedder
from kithnet.memory.writing.extract import Statement


@dataclass
class FlatMemory:
    """statements: in the order of writing, with the vectors of their texts."""

    embedder: Embedder
    statements: list[Statement] = field(default_factory=list)
    vectors: list[np.ndarray] = field(default_factory=list)
    links: list[tuple[int, int]] = field(default_factory=list)

    def write(self, statements: list[Statement]) -> None:
        """Add the statements of a session to the list, each linked to the nearest before it."""
        if not statements:
            return
        for statement, vector in zip(statements, self.embedder.embed([s.text for s in statements]), strict=True):
            if self.vectors:
                nearest = int(np.argmax(np.stack(self.vectors) @ vector))
                self.links.append((len(self.statements), nearest))
            self.statements.append(statement)
            self.vectors.append(vector)

    def top(self, query: str) -> int | None:
        """The place of the memory nearest to a query."""
        if not self.vectors:
            return None
        return int(np.argmax(np.stack(self.vectors) @ self.embedder.embed([query])[0]))
