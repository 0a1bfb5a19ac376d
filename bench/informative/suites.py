"""Suites: which families with how many items each, from a seed or from a user's files."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from kithnet.bench.informative import (
    chatter,
    friends,
    friends_record,
    friendsqa,
    hiddenbench,
    needle,
    needle_record,
    schedule,
    schedule_record,
)
from kithnet.bench.informative.item import Item
from kithnet.bench.informative.schedule_tasks import Level
from kithnet.bench.informative.wordings import Wordings
from kithnet.runtime.errors import InputError

SIZES: Mapping[str, int] = {
    "schedule-easy": 30,
    "schedule-medium": 30,
    "schedule-hard": 30,
    "needle": 100,
    "friends": 100,
}
"""Items of each family in the suites `classic` and `asymmetric`: the paper's, and 100 for FriendsTV."""
FAMILIES = (*SIZES, "needle-1hop")
SUITES = ("classic", "asymmetric", *FAMILIES, hiddenbench.FAMILY)
ARMS: Mapping[str, Sequence[str]] = {hiddenbench.FAMILY: ("ours", "shared-only", "one-sided", "all-facts")}
"""Suite -> the arms that are played where none are named, if not the usual ones."""

Make = Callable[[int, int, Wordings], list[Item]]


def draw(suite: str, count: int | None, seed: int, wordings: Wordings, data: Sequence[Path] = ()) -> list[Item]:
    """The items of a suite. count: of each family; None: the paper's sizes, or all that a file holds.

    Raises InputError for an unknown suite, for files that do not suit it, and for a world with too few questions;
    RecordError for a file with a defect.
    """
    if suite not in SUITES:
        raise InputError(f"there is no suite {suite!r}", f"choose one of {', '.join(SUITES)}")
    if data:
        return _of_files(suite, count, seed, wordings, data)
    if suite == hiddenbench.FAMILY:
        raise InputError("hiddenbench is a file of others' tasks", "give it: --data benchmark.json")
    families = SIZES if suite in ("classic", "asymmetric") else {suite: SIZES.get(suite, 100)}
    makers = _ASYMMETRIC if suite == "asymmetric" else _CLASSIC
    return [item for name, size in families.items() for item in makers[name](count or size, seed, wordings)]


def _level(family: str) -> Level:
    return cast(Level, family.removeprefix("schedule-"))


def _classic(level: Level) -> Make:
    return lambda count, seed, wordings: schedule.classic(level, count, seed, wordings)


def _asymmetric(level: Level) -> Make:
    return lambda count, seed, wordings: schedule.asymmetric(level, count, seed, wordings)


_CLASSIC: Mapping[str, Make] = {
    "schedule-easy": _classic("easy"),
    "schedule-medium": _classic("medium"),
    "schedule-hard": _classic("hard"),
    "needle": needle.two_hop,
    "needle-1hop": needle.one_hop,
    "friends": friends.items,
}
_ASYMMETRIC: Mapping[str, Make] = {
    "schedule-easy": _asymmetric("easy"),
    "schedule-medium": _asymmetric("medium"),
    "schedule-hard": _asymmetric("hard"),
    "needle": lambda count, seed, wordings: needle.two_hop(count, seed, wordings, asymmetric=True),
    "friends": lambda count, seed, wordings: friends.items(count, seed, wordings, asymmetric=True),
}


def _of_files(suite: str, count: int | None, seed: int, wordings: Wordings, data: Sequence[Path]) -> list[Item]:
    kinds = sorted(path.suffix for path in data)
    if suite in ("needle", "needle-1hop") and kinds == [".csv"]:
        talks = chatter.read_personas(data[0])
        return (needle.two_hop if suite == "needle" else needle.one_hop)(count or 100, seed, wordings, talks)
    if suite == hiddenbench.FAMILY and len(data) == 1:
        return hiddenbench.items(data[0], count, seed)
    if suite == "friends" and kinds == [".csv", ".json"]:
        csv, questions = sorted(data, key=lambda path: path.suffix)
        return friendsqa.items(csv, questions, count or 100, seed, wordings)
    if len(data) == 1 and suite in FAMILIES and kinds != [".csv"]:
        items = _records(suite, data[0])
        if count is not None and count > len(items):
            raise InputError(
                f"{data[0].name} holds {len(items)} records, not {count}", f"use --n {len(items)} or fewer"
            )
        return items[:count]
    hint = "a JSONL file of records; for needle also a persona CSV; for friends also a CSV with a FriendsQA JSON"
    raise InputError(
        f"the suite {suite} cannot be made of {', '.join(path.name for path in data)}", f"--data takes {hint}"
    )


def _records(suite: str, path: Path) -> list[Item]:
    if suite.startswith("schedule-"):
        return schedule_record.read(path, _level(suite))
    return (
        friends_record.read(path)
        if suite == "friends"
        else needle_record.read(path, 1 if suite == "needle-1hop" else 2)
    )
