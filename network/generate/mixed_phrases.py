"""The phrase files of mixed sessions: what is told, how it changes, how it is used later; two sets of wordings."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from kithnet.network.generate.grammar import Grammar
from kithnet.network.generate.spec import Phrases

Sort = Literal["trait", "liking", "plan", "event"]
Kind = Literal["fact", "event", "preference", "plan"]


@dataclass(frozen=True, slots=True)
class Thing:
    """One kind of thing that is told. value: a template for its value, or values to choose from.

    tell, update, because: one's own words. relay: a third person's. use: said later from memory. ask: a question.
    current: it has one value at a time.
    """

    sort: Sort
    kind: Kind
    topic: str
    value: str
    values: tuple[str, ...]
    tell: tuple[str, ...]
    update: tuple[str, ...]
    relay: tuple[str, ...]
    because: tuple[str, ...]
    use: tuple[str, ...]
    ask: tuple[str, ...]
    current: bool = False


@dataclass(frozen=True, slots=True)
class MixedBook:
    """things: all that may be told. hear, hear_relay, confide: the turns around it. grammar: words of the values."""

    things: tuple[Thing, ...]
    hear: tuple[str, ...]
    hear_relay: tuple[str, ...]
    confide: tuple[str, ...]
    grammar: Grammar


def read_mixed(phrases: Phrases) -> MixedBook:
    """Read the wordings that ship. "held-out" replaces every wording of tellings, changes, uses and confidences."""
    book, values = _load("mixed"), _load("values")
    spoken: dict[str, Any] = {**book}
    traits = {one["key"]: one for one in book["trait"]}
    singles = {sort: book[sort][0] for sort in ("liking", "plan", "event")}
    if phrases == "held-out":
        other = _load("mixed_held_out")
        traits = {one["key"]: {**traits[one["key"]], **one} for one in other["trait"]}
        singles = {sort: {**one, **other[sort][0]} for sort, one in singles.items()}
        spoken |= {name: other[name] for name in ("confide", "hear")}
    rules: dict[str, Sequence[str]] = {**values, "why": book["why"]["any"], "ago": book["ago"]["lower"]}
    return MixedBook(
        things=(
            *(_trait(one) for one in traits.values()),
            *_likings(singles["liking"]),
            _plan(singles["plan"]),
            _event(singles["event"]),
        ),
        hear=tuple(spoken["hear"]["any"]),
        hear_relay=tuple(spoken["hear"]["relay"]),
        confide=tuple(spoken["confide"]["any"]),
        grammar=Grammar(rules),
    )


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath(f"phrases/{name}.toml").read_text("utf-8"))


def _trait(one: Mapping[str, Any]) -> Thing:
    return _thing("trait", one["kind"], one["key"], one, value=one["value"], tell=one["tell"], update=one["update"])


def _likings(one: Mapping[str, Any]) -> list[Thing]:
    """Two things: what is liked and may be so no more, and what is disliked and stays so."""
    values = tuple(one["thing"])
    return [
        _thing("liking", "preference", "taste {v}", one, values=values, tell=one["like"], update=one["unlike"]),
        _thing("liking", "preference", "taste {v}", one, values=values, tell=one["dislike"], update=()),
    ]


def _plan(one: Mapping[str, Any]) -> Thing:
    return _thing("plan", "plan", "plan {v}", one, values=tuple(one["thing"]), tell=one["tell"], update=one["move"])


def _event(one: Mapping[str, Any]) -> Thing:
    return _thing("event", "event", "event {v}", one, values=tuple(one["thing"]), tell=one["tell"], update=())


def _thing(
    sort: Sort, kind: Kind, topic: str, one: Mapping[str, Any], *, tell: Sequence[str], update: Sequence[str],
    value: str = "", values: tuple[str, ...] = (),
) -> Thing:  # fmt: skip
    ways = {way: tuple(one.get(way, ())) for way in ("relay", "because", "use", "ask")}
    return Thing(sort, kind, topic, value, values, tuple(tell), tuple(update), **ways, current=bool(one.get("current")))
