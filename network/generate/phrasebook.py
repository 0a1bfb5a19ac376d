"""The phrase files, read once for a world: what facts are about, how they are told, and small talk."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from kithnet.network.generate.grammar import Grammar
from kithnet.network.generate.spec import Phrases
from kithnet.runtime.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Attribute:
    """One kind of fact. parts: value parts by slot -> rule, drawn once for a fact; value, aliases: templates over them.

    tell, elicit, relay, update, ask: templates of the ways it is spoken of (phrases/facts.toml explains them).
    """

    key: str
    sensitive: bool
    parts: Mapping[str, str]
    value: str
    aliases: tuple[str, ...]
    tell: tuple[str, ...]
    elicit: tuple[str, ...]
    relay: tuple[str, ...]
    update: tuple[str, ...]
    ask: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    ask: tuple[str, ...]
    say: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    open: tuple[str, ...]
    turn: tuple[str, ...]
    back: tuple[str, ...]
    exchanges: tuple[Exchange, ...]


@dataclass(frozen=True, slots=True)
class Phrasebook:
    """frames: openings, confidences, replies by name. grammar: words of small talk and of values, people's words."""

    attributes: tuple[Attribute, ...]
    topics: tuple[Topic, ...]
    frames: Mapping[str, tuple[str, ...]]
    react: tuple[str, ...]
    aside: tuple[str, ...]
    people: Mapping[str, tuple[str, ...]]
    voice: Mapping[str, tuple[str, ...]]
    grammar: Grammar


def read_phrasebook(phrases: Phrases) -> Phrasebook:
    """Read the phrase files that ship with the package. "held-out" replaces every wording of facts and confidences."""
    facts, topics, frames, people, values = (_load(name) for name in ("facts", "topics", "frames", "people", "values"))
    wording = {entry["key"]: entry for entry in facts["attribute"]}
    spoken = dict(frames["default"])
    if phrases == "held-out":
        held_out = {entry["key"]: entry for entry in _load("held_out")["attribute"]}
        wording = {key: {**entry, "elicit": [], "update": [], **held_out[key]} for key, entry in wording.items()}
        spoken |= frames["held-out"]
    voice = people.pop("voice")
    return Phrasebook(
        attributes=tuple(_attribute(entry) for entry in wording.values()),
        topics=tuple(_topic(entry) for entry in topics["topic"]),
        frames=_tuples(spoken),
        react=tuple(topics["react"]["any"]),
        aside=tuple(topics["react"]["aside"]),
        people=_tuples(people),
        voice=_tuples(voice),
        grammar=Grammar(_merged(values, topics["words"], people)),
    )


def _merged(*rules: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    merged: dict[str, Sequence[str]] = {}
    for some in rules:
        if twice := sorted(merged.keys() & some.keys()):
            raise ConfigError(f"the phrase files define {', '.join(twice)} twice", "rename one of them")
        merged |= some
    return merged


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath(f"phrases/{name}.toml").read_text("utf-8"))


def _attribute(entry: Mapping[str, Any]) -> Attribute:
    ways = {way: tuple(entry.get(way, ())) for way in ("tell", "elicit", "relay", "update", "ask")}
    return Attribute(
        key=entry["key"],
        sensitive=entry.get("sensitive", False),
        parts=entry.get("parts", {}),
        value=entry["value"],
        aliases=tuple(entry.get("aliases", ())),
        **ways,
    )


def _topic(entry: Mapping[str, Any]) -> Topic:
    return Topic(
        name=entry["name"],
        open=tuple(entry["open"]),
        turn=tuple(entry["turn"]),
        back=tuple(entry["back"]),
        exchanges=tuple(Exchange(tuple(part["ask"]), tuple(part["say"])) for part in entry["exchange"]),
    )


def _tuples(lists: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(texts) for name, texts in lists.items()}
