"""Independent solutions of the Schedule tasks, half hour by half hour and subset by subset."""

from collections.abc import Sequence
from itertools import combinations

from kithnet.bench.informative.day import Day, Doing


def slots(doing: Doing) -> frozenset[int]:
    """The half hours an activity takes, walked one by one from its start."""
    found, slot = set(), doing.time.start
    while True:
        found.add(slot % 48)
        slot += 1
        if slot % 48 == doing.time.end % 48:
            return frozenset(found)


def easy(day: Day, askers: Sequence[str]) -> str:
    """The least number of entries to remove, tried from none upwards."""
    entries = [slots(doing) for person in askers for doing in day[person] if doing.activity != "Sleep"]
    for removed in range(len(entries) + 1):
        for kept in combinations(entries, len(entries) - removed):
            if sum(map(len, kept)) == len(frozenset().union(*kept)):
                return str(removed)
    raise AssertionError("removing everything always helps")


def medium(day: Day) -> set[str]:
    best: dict[str, int] = {}
    for doings in day.values():
        for doing in doings:
            if doing.activity != "Sleep":
                best[doing.activity] = max(best.get(doing.activity, 0), len(slots(doing)))
    return {name for name, length in best.items() if length == max(best.values())}


def hard(day: Day) -> set[int]:
    """The half hours in which nobody does anything."""
    return set(range(48)) - {slot for doings in day.values() for doing in doings for slot in slots(doing)}
