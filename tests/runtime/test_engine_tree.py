"""The prefix tree: what it finds, what it counts, what it gives up."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.runtime.engine.tree import PrefixTree, Tokens


def row(*tokens: int) -> Tokens:
    return np.array(tokens, np.int32)


def test_a_prompt_finds_the_longest_held_prefix() -> None:
    tree = PrefixTree()
    tree.hold("", 0, row(1, 2, 3, 4), 0)
    tree.hold("", 1, row(1, 2, 9), 0)
    assert tree.match("", row(1, 2, 3, 7)).length == 3
    assert tree.match("", row(1, 2, 3, 7)).source == 0
    assert tree.match("", row(1, 2, 9, 9)).source == 1
    assert tree.match("", row(5)).length == 0
    assert tree.tokens == 5  # 1 2 are held once


def test_prompts_under_another_adapter_share_nothing() -> None:
    tree = PrefixTree()
    tree.hold("", 0, row(1, 2, 3), 0)
    assert tree.match("formal", row(1, 2, 3)).length == 0


def test_tokens_evaluated_twice_are_to_be_shared_and_count_once() -> None:
    tree = PrefixTree()
    tree.hold("", 0, row(1, 2, 3, 4), 0)
    overlap = tree.hold("", 1, row(1, 2, 3, 8), 0)
    assert (overlap.end, overlap.source, overlap.freed) == (3, 0, None)
    assert tree.tokens == 5


def test_a_kept_sequence_is_freed_when_another_holds_all_it_has() -> None:
    tree = PrefixTree()
    tree.hold("", 0, row(1, 2), 0)
    assert tree.unpin(0)
    assert tree.hold("", 1, row(1, 2, 3), 2).freed == 0
    assert tree.match("", row(1, 2)).source == 1


def test_a_sequence_in_use_is_never_freed_or_evicted() -> None:
    tree = PrefixTree()
    tree.hold("", 0, row(1, 2), 0)
    assert tree.hold("", 1, row(1, 2, 3), 2).freed is None
    assert tree.evict(0) is None
    assert not tree.unpin(0)  # 1 holds all of it
    assert tree.unpin(1)
    cut = tree.evict(0)
    assert cut is not None and (cut.sequence, cut.keep) == (1, 0)
    assert tree.tokens == 0


def test_eviction_takes_the_end_of_the_path_used_longest_ago() -> None:
    tree = PrefixTree()
    tree.hold("", 0, row(1, 2, 3, 4), 0)
    tree.hold("", 1, row(1, 2, 7, 8), 2)
    tree.unpin(0)
    tree.unpin(1)
    tree.match("", row(1, 2, 3))
    cuts = [tree.evict(1), tree.evict(8)]
    assert [(c.sequence, c.keep) for c in cuts if c] == [(1, 3), (1, 0)]
    cut = tree.evict(8)  # nobody else holds 1 2 now: its own end goes first
    assert cut is not None and (cut.sequence, cut.keep) == (0, 2)
    assert tree.match("", row(1, 2, 3)).length == 2


@dataclass
class Cells:
    """A model of llama.cpp's memory: which cell each position of a sequence lies in."""

    held: dict[int, list[int]] = field(default_factory=dict)
    made: int = 0

    def used(self) -> int:
        return len({cell for cells in self.held.values() for cell in cells})

    def new(self, count: int) -> list[int]:
        self.made += count
        return list(range(self.made - count, self.made))


class Simulated:
    """Drives a tree as the core does, beside the model of the cells."""

    def __init__(self) -> None:
        self.tree, self.cells = PrefixTree(), Cells()
        self.texts: dict[int, list[int]] = {}
        self.using: set[int] = set()
        self.next = 0

    def begin(self, key: str, prompt: list[int]) -> None:
        sequence = self.next
        self.next += 1
        match = self.tree.match(key, row(*prompt))
        self.cells.held[sequence] = self.cells.held[match.source][: match.length] if match.source is not None else []
        if match.length:
            self._free(self.tree.hold(key, sequence, row(*prompt[: match.length]), match.length).freed)
        self.extend(key, sequence, prompt, match.length)
        self.using.add(sequence)

    def extend(self, key: str, sequence: int, tokens: list[int], shared: int) -> None:
        cells = self.cells.held[sequence]
        cells.extend(self.cells.new(len(tokens) - len(cells)))
        overlap = self.tree.hold(key, sequence, row(*tokens), shared)
        if overlap.source is not None and overlap.end > shared:
            cells[shared : overlap.end] = self.cells.held[overlap.source][shared : overlap.end]
        self.texts[sequence] = tokens
        self._free(overlap.freed)

    def end(self, sequence: int) -> None:
        self.using.discard(sequence)
        if not self.tree.unpin(sequence):
            self._free(sequence)

    def evict(self, cells: int) -> None:
        cut = self.tree.evict(cells)
        if cut is None:
            assert set(self.texts) == self.using
        elif cut.keep:
            del self.cells.held[cut.sequence][cut.keep :], self.texts[cut.sequence][cut.keep :]
        else:
            self._free(cut.sequence)

    def _free(self, sequence: int | None) -> None:
        if sequence is not None:
            assert sequence not in self.using
            del self.cells.held[sequence], self.texts[sequence]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_tree_counts_exactly_the_cells_in_use_whatever_happens(data: st.DataObject) -> None:
    """Random prompts over three tokens, continued, ended and evicted in any order."""
    sim = Simulated()
    tokens = st.lists(st.integers(1, 3), min_size=1, max_size=8)
    for _ in range(data.draw(st.integers(1, 25))):
        action = data.draw(st.sampled_from(("begin", "extend", "end", "evict")))
        if action == "begin":
            sim.begin("", data.draw(tokens))
        elif action == "evict":
            sim.evict(data.draw(st.integers(0, 5)))
        elif sim.using:
            sequence = data.draw(st.sampled_from(sorted(sim.using)))
            if action == "extend":
                before = sim.texts[sequence]
                sim.extend("", sequence, before + data.draw(tokens), len(before))
            else:
                sim.end(sequence)
        assert sim.tree.tokens == sim.cells.used()
        known = {s: t.tolist() for s, _, t in sim.tree.sequences()}
        assert known == sim.texts == {s: t for s, t in sim.texts.items() if len(t) == len(sim.cells.held[s])}
        assert sim.tree.idle == len(sim.texts) - len(sim.using)
        pinned = {c for s in sim.using for c in sim.cells.held[s]}
        assert sim.tree.pinned_tokens() == len(pinned)


@pytest.mark.parametrize("length", [1, 3, 4, 6])
def test_peek_tells_how_much_of_a_prefix_is_in_use(length: int) -> None:
    tree = PrefixTree()
    tree.hold("", 0, row(1, 2, 3, 4, 5, 6), 0)
    tree.unpin(0)
    tree.hold("", 1, row(1, 2, 3), 3)
    prompt = row(1, 2, 3, 4, 5, 6)[:length]
    assert tree.peek("", prompt) == (length, min(length, 3))
