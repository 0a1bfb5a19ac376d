"""The times of a sentence put together: which of them speak of the same stretch of the day."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from kithnet.memory.language.time.clock import Mark, Token

_LEAVING = frozenset(
    """out off home leave leaving leaves gone away shuts closes free freedom finished back done over departure exit stop end ending
    lets""".split()
)
_LONGER = frozenset("longer extended extends lengthened prolonged lengthen extend prolong extra".split())
_SHORTER = frozenset("shorter shortened shorten shortens trimmed curtailed truncated less".split())


@dataclass
class Slot:
    """A time and the words around it. inner: words between its marks."""

    marks: list[Mark] = field(default_factory=list)

    @property
    def first(self) -> int:
        return self.marks[0].first

    @property
    def last(self) -> int:
        return self.marks[-1].last

    @property
    def kinds(self) -> set[str]:
        return {mark.kind for mark in self.marks}

    def has(self, *kinds: str) -> bool:
        return any(mark.kind in kinds for mark in self.marks)


def slots_of(marks: Sequence[Mark], words: Sequence[Token]) -> list[Slot]:
    """Marks that speak of the same stretch of time, put together."""
    slots: list[Slot] = []
    for mark in marks:
        slot = slots[-1] if slots else None
        if slot is not None and slot.kinds == {"start"} and mark.kind == "start" and _leaves(words, slot.last, mark):
            mark = replace(mark, kind="end", start=None, end=mark.start)
        if slot is not None and slot.kinds == {"start"} and mark.kind == "shift" and _done(words[mark.last :]):
            mark = replace(mark, kind="length")  # "and an hour later I'm done"
        if slot is not None and _joins(slot, mark):
            slot.marks.append(mark)
        else:
            slots.append(Slot([mark]))
    return slots


def _leaves(words: Sequence[Token], begin: int, mark: Mark) -> bool:
    """Whether a second time is when somebody goes again: "10:30 home", "and out at noon"."""
    if mark.start is None or mark.anchor or mark.first - begin > 7:
        return False
    near = [word.low for word in (*words[begin : mark.first], *words[mark.last : mark.last + 1])]
    return bool(set(near) & _LEAVING)


def _done(words: Sequence[Token]) -> bool:
    low = [word.low for word in words[:4]]
    return bool(low) and low[0][0] in "iwhs" and bool(set(low) & (_LEAVING | {"done", "through", "limp", "finish"}))


def growth(words: Sequence[Token]) -> int:
    """1 where words say that something gets longer, -1 shorter, 0 neither."""
    low = {word.low for word in words}
    return 1 if low & _LONGER else -1 if low & _SHORTER else 0


def _joins(slot: Slot, mark: Mark) -> bool:
    begun = slot.has("start", "range")
    if mark.kind == "shift":
        return True
    if mark.kind == "end":
        return not slot.has("end", "range") and (begun != slot.has("length"))
    if mark.kind == "length":
        return not slot.has("length", "range") and (begun != slot.has("end") or slot.kinds == {"shift"})
    if mark.kind == "start":
        return not begun
    return not begun and not slot.has("end", "length") and slot.has("shift")
