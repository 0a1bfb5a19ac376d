"""Which evaluated prompt can a new prompt build on? Bookkeeping for sequences ("slots") of one llama context.

Pure: nothing here touches llama.cpp. Several sequences may share the cells of a common prefix, so keeping many
conversations with the same system prompt and memory costs little more than keeping one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]
SHORT_TAIL = 32  # tokens cheaper to evaluate again than worth a slot of their own
REPLY_TAIL = 160  # what a slot may hold beyond the whole prompt and be taken for an earlier reply to it


@dataclass(slots=True)
class Slot:
    """One sequence: the tokens it has evaluated, in order, and when it was used last."""

    id: int
    tokens: Tokens = field(default_factory=lambda: np.empty(0, np.int32))
    used: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Evaluate the prompt in sequence `slot`, whose first `keep` tokens then need no evaluation.

    source: the sequence to copy those tokens from first; None when they are in `slot` already.
    """

    slot: int
    keep: int
    source: int | None


def shared_prefix(a: Tokens, b: Tokens) -> int:
    """Length of the longest common prefix."""
    n = min(len(a), len(b))
    differ = np.flatnonzero(a[:n] != b[:n])
    return int(differ[0]) if len(differ) else n


class PrefixTable:
    """What each slot holds.

    divisible: False for recurrent models, whose state can be continued but not cut back to a shorter prefix.
    """

    def __init__(self, slots: int, *, divisible: bool = True) -> None:
        self.slots = [Slot(i) for i in range(slots)]
        self._divisible = divisible
        self._clock = 0

    def plan(self, prompt: Tokens) -> Plan:
        """Choose where to evaluate `prompt`; at least its last token is always evaluated, for its logits."""
        most = len(prompt) - 1
        best = max(self.slots, key=lambda slot: (shared_prefix(slot.tokens, prompt), slot.used))
        keep = min(shared_prefix(best.tokens, prompt), most)
        if not self._divisible:
            whole = 0 < len(best.tokens) == keep
            return Plan(best.id, keep, None) if whole else Plan(self._least_recent().id, 0, None)
        spare = REPLY_TAIL if keep == most else SHORT_TAIL
        if keep and len(best.tokens) - keep <= spare:
            return Plan(best.id, keep, None)
        target = self._least_recent()
        if keep and target is not best:
            return Plan(target.id, keep, best.id)
        return Plan(target.id, keep, None)

    def _least_recent(self) -> Slot:
        return min(self.slots, key=lambda slot: (len(slot.tokens) > 0, slot.used))

    def store(self, slot: int, tokens: Sequence[int] | Tokens) -> None:
        """Record what a slot holds now, as its most recent use; no tokens: it is free again."""
        self._clock += 1
        self.slots[slot].tokens = np.asarray(tokens, dtype=np.int32)
        self.slots[slot].used = self._clock if len(tokens) else 0

    def victim(self, keeping: int) -> int | None:
        """The least recently used slot to give up when cells run short, never `keeping`; None when none is left."""
        held = [slot for slot in self.slots if len(slot.tokens) and slot.id != keeping]
        return min(held, key=lambda slot: slot.used).id if held else None
