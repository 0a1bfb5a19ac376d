"""Words that people of one talk put before or after whatever they do: learned from the talk, not from a list.

A word that stands at the same edge of three activities that have nothing else in common says nothing of any of them.
"""

from collections import defaultdict
from collections.abc import Iterable

_ENOUGH = 3
_KINDS = frozenset(
    """class classes lesson lessons course courses practice rehearsal rehearsals training club session sessions workshop
    workshops appointment meeting meetings game match team group tour trip walk lecture lectures""".split()
)
"""Words that say what kind of thing it is, and so belong to its name."""


def frames(names: Iterable[str]) -> frozenset[str]:
    """Those words of activity names that lead to or follow at least three different ones."""
    said = {tuple(name.split()) for name in names}
    found: set[str] = set()
    while True:
        rests: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        for name in said:
            if len(name) < 2:
                continue
            rests[name[0]].add(name[1:])
            if _may_be_verb(name[-1]):
                rests[name[-1]].add(name[:-1])
        fresh = {
            word for word, rest in rests.items() if len({one[-1] for one in rest}) >= _ENOUGH and word not in _KINDS
        }
        if not fresh - found:
            return frozenset(found)
        found |= fresh
        said = {_without(name, found) for name in said}


def _without(name: tuple[str, ...], found: set[str]) -> tuple[str, ...]:
    while len(name) > 1 and name[0] in found:
        name = name[1:]
    while len(name) > 1 and name[-1] in found:
        name = name[:-1]
    return name


def _may_be_verb(word: str) -> bool:
    return word.endswith(("s", "ed", "es")) and not word.endswith("ss")
