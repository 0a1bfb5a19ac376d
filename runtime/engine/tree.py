"""Which evaluated prompt can a new prompt build on? A tree of token prefixes over the sequences of one context.

Pure: nothing here touches llama.cpp. Cells of a common prefix are shared by all sequences that hold it, so every node's
tokens count once, and `PrefixTree.tokens` is exactly the number of cells that the tree's sequences take.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]


def shared_prefix(a: Tokens, b: Tokens) -> int:
    """Length of the longest common prefix."""
    n = min(len(a), len(b))
    differ = np.flatnonzero(a[:n] != b[:n])
    return int(differ[0]) if len(differ) else n


class Node:
    """A run of tokens below its parent's. `end` is the length of the path from the root to the run's last token.

    holders: sequences whose path ends here. A leaf has one or more; an inner node has only pinned ones, since any
    sequence below holds its tokens too.
    """

    __slots__ = ("children", "end", "holders", "parent", "tokens", "used")

    def __init__(self, tokens: Tokens, parent: "Node | None") -> None:
        self.tokens = tokens
        self.parent = parent
        self.children: dict[int, Node] = {}
        self.holders: set[int] = set()
        self.used = 0
        self.end: int = (parent.end if parent else 0) + len(tokens)

    def any_holder(self) -> int:
        """A sequence that holds this node's path: one of its own, or of a node below."""
        node = self
        while not node.holders:
            node = next(iter(node.children.values()))
        return min(node.holders)


@dataclass(frozen=True, slots=True)
class Match:
    """The longest held prefix of a prompt. source: a sequence that holds it; None when `length` is 0."""

    length: int
    source: int | None


@dataclass(frozen=True, slots=True)
class Cut:
    """Sequence `sequence` is to keep its first `keep` tokens only; at 0 its id is free again."""

    sequence: int
    keep: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """What `hold` found in the tree already: tokens up to `end`, in the cells of `source`.

    Where `source` is not None the caller drops its own copies up to `end` and shares those cells instead. freed: a
    sequence that is redundant now; its id is free once that is done.
    """

    end: int
    source: int | None
    freed: int | None


class PrefixTree:
    """Token paths of sequences, one root for each key (prompts evaluated under different adapters share nothing).

    Pinned sequences are in use; the others are kept for later prompts and may be evicted.
    """

    def __init__(self) -> None:
        self._roots: dict[str, Node] = {}
        self._ends: dict[int, Node] = {}
        self._pinned: set[int] = set()
        self._clock = 0
        self.tokens = 0

    def match(self, key: str, prompt: Tokens) -> Match:
        """The longest prefix of `prompt` that is held. The path counts as used now."""
        node, length = self._walk(key, prompt)
        self._touch(node)
        return Match(length, node.any_holder() if length else None)

    def peek(self, key: str, prompt: Tokens) -> tuple[int, int]:
        """(length of the longest held prefix, how much of it pinned sequences hold); leaves no trace."""
        node, length = self._walk(key, prompt)
        pinned = self._pinned_nodes()
        at: Node | None = node
        while at is not None and at not in pinned:
            at = at.parent
        return length, min(at.end, length) if at is not None else 0

    def hold(self, key: str, sequence: int, tokens: Tokens, shared: int) -> Overlap:
        """Record that `sequence`, pinned from now on, holds `tokens`; the first `shared` it had from the tree.

        A sequence that is known already moves to its longer path.
        """
        if (before := self._ends.pop(sequence, None)) is not None:
            before.holders.discard(sequence)
        node, length = self._walk(key, tokens)
        if length < node.end:
            node = self._split(node, length)
        source = node.any_holder() if length > shared and (node.holders or node.children) else None
        freed = self._release(node)
        if length < len(tokens):
            node = self._grow(node, tokens[length:])
        node.holders.add(sequence)
        self._ends[sequence] = node
        self._pinned.add(sequence)
        self._touch(node)
        return Overlap(length, source, freed)

    def unpin(self, sequence: int) -> bool:
        """The sequence is not in use any more. True: it is kept. False: others hold all it has, its id is free."""
        self._pinned.discard(sequence)
        node = self._ends[sequence]
        if node.children or len(node.holders) > 1:
            self.drop(sequence)
            return False
        return True

    def drop(self, sequence: int) -> None:
        """Forget a sequence; what only it held leaves the tree."""
        self._pinned.discard(sequence)
        if (node := self._ends.pop(sequence, None)) is not None:
            node.holders.discard(sequence)
            self._prune(node)

    def evict(self, cells: int) -> Cut | None:
        """Give up at most `cells` tokens of the least recently used path nobody uses; 0: all of it, for its id.

        Tokens go from the end of a path, so that what others may share stays longest. None: everything is in use.
        """
        idle = (node for sequence, node in self._ends.items() if sequence not in self._pinned)
        leaf = min(idle, key=lambda node: node.used, default=None)
        if leaf is None:
            return None
        sequence = leaf.any_holder()
        parent = leaf.parent
        if 0 < cells < len(leaf.tokens):
            leaf.tokens = leaf.tokens[:-cells].copy()
            leaf.end -= cells
            self.tokens -= cells
            return Cut(sequence, leaf.end)
        if cells == 0 or parent is None or parent.parent is None or parent.holders or len(parent.children) > 1:
            self.drop(sequence)
            return Cut(sequence, 0)
        self._remove(leaf)
        parent.holders.add(sequence)
        self._ends[sequence] = parent
        return Cut(sequence, parent.end)

    @property
    def idle(self) -> int:
        """Sequences that are kept but not in use."""
        return len(self._ends) - len(self._pinned)

    def pinned_tokens(self) -> int:
        """Cells that eviction cannot free."""
        return sum(len(node.tokens) for node in self._pinned_nodes())

    def sequences(self) -> Iterator[tuple[int, str, Tokens]]:
        """(sequence, key, tokens it holds) of every sequence."""
        keys = {id(root): key for key, root in self._roots.items()}
        for sequence, end in self._ends.items():
            runs: list[Tokens] = []
            node = end
            while node.parent is not None:
                runs.append(node.tokens)
                node = node.parent
            yield sequence, keys[id(node)], np.concatenate([np.empty(0, np.int32), *runs[::-1]])

    def _pinned_nodes(self) -> set[Node]:
        nodes: set[Node] = set()
        for sequence in self._pinned:
            at: Node | None = self._ends[sequence]
            while at is not None and at not in nodes:
                nodes.add(at)
                at = at.parent
        return nodes

    def _walk(self, key: str, tokens: Tokens) -> tuple[Node, int]:
        """The node in whose run, or at whose end, the longest held prefix ends, and its length."""
        node = self._roots.get(key)
        if node is None:
            node = self._roots[key] = Node(np.empty(0, np.int32), None)
        length = 0
        while length < len(tokens) and length == node.end:
            child = node.children.get(int(tokens[length]))
            if child is None:
                break
            length += shared_prefix(child.tokens, tokens[length:])
            node = child
        return node, length

    def _touch(self, node: Node) -> None:
        self._clock += 1
        at: Node | None = node
        while at is not None:
            at.used = self._clock
            at = at.parent

    def _split(self, node: Node, length: int) -> Node:
        """Cut a node's run in two, the upper of which ends the path of `length` tokens; returns that one."""
        parent = node.parent
        assert parent is not None
        at = length - parent.end
        upper = Node(node.tokens[:at].copy(), parent)
        upper.used = node.used
        parent.children[int(upper.tokens[0])] = upper
        node.tokens, node.parent = node.tokens[at:].copy(), upper
        upper.children[int(node.tokens[0])] = node
        return upper

    def _grow(self, node: Node, tokens: Tokens) -> Node:
        child = Node(np.array(tokens, np.int32), node)
        node.children[int(tokens[0])] = child
        self.tokens += len(tokens)
        return child

    def _release(self, node: Node) -> int | None:
        """Free the holder that is only kept there, since another sequence comes to hold the node's path."""
        idle = node.holders - self._pinned
        if not idle:
            return None
        sequence = idle.pop()
        node.holders.discard(sequence)
        del self._ends[sequence]
        return sequence

    def _prune(self, node: Node) -> None:
        """Remove nodes upward that no sequence holds any more."""
        while node.parent is not None and not node.children and not node.holders:
            self._remove(node)
            node = node.parent

    def _remove(self, node: Node) -> None:
        assert node.parent is not None
        del node.parent.children[int(node.tokens[0])]
        self.tokens -= len(node.tokens)
