"""Which questions are asked: lists that were fixed beforehand by seed, as ids only, or a file of one's own.

`data/friendsqa.json` holds what two readers said who saw only the question and the scene's title: whether it can be
understood by itself. Both have to say so. `data/locomo.json` holds five ids of each kind.
"""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from kithnet.bench.asking.question import Question, in_order
from kithnet.runtime.errors import InputError

LISTED, ALL = "listed", "all"


def questions(known: Sequence[Question], ids: str, source: str, seed: int, n: int | None) -> tuple[Question, ...]:
    """The chosen questions in the list's order; n: the first so many.

    ids: "listed" for the list of `source` (all, where there is none), "all", or the path of a JSON list of ids.
    Raises InputError for a list that cannot be read or names no question of these.
    """
    by_id = {one.id: one for one in known}
    listed = listed_ids(source) if ids == LISTED else None if ids == ALL else _of_file(Path(ids))
    if listed is None or (ids == LISTED and not by_id.keys() & set(listed)):
        listed = in_order(list(by_id), seed)
    found = [by_id[one] for one in listed if one in by_id]
    if not found:
        raise InputError(f"none of the ids of {ids} is a question of this file", "give ids of the file, or --ids all")
    return tuple(found[:n])


def listed_ids(source: str) -> list[str] | None:
    """The committed list of a data set, in its order; None where there is none."""
    path = files("kithnet.bench.asking") / "data" / f"{source}.json"
    if not path.is_file():
        return None
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if "votes" not in data:
        return [str(one) for one in data["ids"]]
    return [identity for identity, votes in data["votes"].items() if all(votes)]


def _of_file(path: Path) -> list[str]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read the ids of {path}: {error}", "give a JSON list of ids, or: listed, all"
        ) from error
    ids = data.get("ids") if isinstance(data, dict) else data
    if not isinstance(ids, list):
        raise InputError(f"{path} holds no list of ids", 'a JSON list, or an object with "ids"')
    return [str(one) for one in ids]
