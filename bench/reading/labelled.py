"""Messages with the label of every word, made of the templates of several writers.

A template says by its slots which words are the activity, which time begins and which ends it. Each writer wrote in an own
voice and saw nobody else's, so that a classifier can be fitted to some and measured on others.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from random import Random

from kithnet.memory.language.time import clock
from kithnet.memory.writing.tagging import Act, Label, Subject
from kithnet.memory.writing.units import CLOCK, LENGTH, PERSON, Kind, Unit, units_of

Phrases = Mapping[str, Mapping[str, Sequence[str]]]
_SLOT = re.compile(r"\{(\w+)\}")
_ACTS: Mapping[str, Act] = {
    "own": "tell", "relay": "tell", "joint": "tell", "yours": "tell", "pair": "tell", "others": "tell", "found": "tell",
    "talk": "none", "no": "none", "question": "ask", "fix.moved": "change",
    "fix.first": "tell", "fix.then": "change", "fix.move": "change", "fix.shift": "change", "fix.end": "change",
    "off.first": "tell", "off.then": "cancel", "off.never": "cancel",
}  # fmt: skip
_SUBJECTS: Mapping[str, Subject] = {
    "own": "speaker", "pair": "speaker", "found": "speaker", "fix": "speaker", "off": "speaker", "joint": "both",
    "yours": "listener", "relay": "others", "others": "others",
}  # fmt: skip
_ASLEEP = frozenset(
    "sleep sleeping asleep sleeps slept bed bedtime kip slumber slumbering snooze snoozing doze pillow shuteye".split()
)
_ARTICLES = frozenset("a an the my".split())
_PRONOUNS = (("she", "her", "her"), ("he", "him", "his"))
_WHENS = ("range",) * 3 + ("length",) * 3 + ("until",) * 2 + ("after", "later", "before")
ACCOMPANIED, SHARED_BOOK, BESIDE = 0.3, 0.4, 0.4
"""How often somebody comes along; how often the time is told in another writer's words; how often one message is two."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message. labels: of its units. subject: None where it is about nobody's plans.

    template: where it is from, "writer section.name".
    """

    units: tuple[Unit, ...]
    labels: tuple[Label, ...]
    act: Act
    subject: Subject | None
    writer: str
    template: str


Part = tuple[Unit, Label]


@lru_cache(maxsize=4)
def activities() -> tuple[str, ...]:
    """Names of activities, with their articles."""
    folder = files(__package__).joinpath("phrases")
    found = [
        tomllib.loads(one.read_text("utf-8")).get("activities", ())
        for one in folder.iterdir()
        if one.name.endswith(".toml")
    ]
    return tuple(dict.fromkeys(name for names in found for name in names))


def writers(kind: str = "writer") -> dict[str, Phrases]:
    """The templates of each writer by name, "writer_01" and so on. kind: "held_out": of those that nothing is fitted to."""
    folder = files(__package__).joinpath("phrases")
    found = sorted(one.name for one in folder.iterdir() if one.name.startswith(f"{kind}_"))
    return {name.removesuffix(".toml"): tomllib.loads(folder.joinpath(name).read_text("utf-8")) for name in found}


class Labeller:
    """Makes labelled messages. books: writer -> templates; those of one may tell times in the words of another."""

    def __init__(self, books: Mapping[str, Phrases], seed: int) -> None:
        self._books = books
        self._rng = Random(f"kithnet labelled {seed}")
        self._with = [
            text for book in books.values() for text in book.get("people", {}).get("with", ())
        ] or ["{act} with {partner}"]  # fmt: skip

    def messages(self, times: int) -> Iterator[Labelled]:
        """Every template `times` times, with other activities, people and phrases for the time; some beside small talk,
        and plans two in one message.
        """
        last: dict[Act, Labelled] = {}
        for one in self._single(times):
            other = last.get(self._rng.choice(("none", "tell")))
            if other is not None and self._rng.random() < BESIDE and _go_together(one, other):
                yield _joined(*self._rng.sample((one, other), 2))
            last[one.act] = one
            yield one

    def _single(self, times: int) -> Iterator[Labelled]:
        for writer, book in self._books.items():
            for section, named in book.items():
                for name, templates in named.items() if isinstance(named, Mapping) else ():
                    act = _ACTS.get(f"{section}.{name}") or _ACTS.get(section)
                    for template in templates if act else ():
                        for _ in range(times):
                            yield self._message(writer, book, f"{section}.{name}", template, act or "none")

    def _message(self, writer: str, book: Phrases, name: str, template: str, act: Act) -> Labelled:
        parts = self._filled(template, self._bound(book, name, template))
        if name.endswith(".sleep"):
            act = "sleep"
            parts = [(unit, "activity" if unit.text.casefold() in _ASLEEP else label) for unit, label in parts]
        elif name.endswith(".lunch"):
            act = "lunch"
            parts = [(unit, "activity" if unit.text.casefold() == "lunch" else label) for unit, label in parts]
        elif name.startswith(("joint", "yours")):
            mine = (
                ("we", "us", "our", "ours", "you", "your", "yours")
                if name.startswith("joint")
                else ("you", "your", "yours")
            )
            parts = [(unit, "who" if _pronoun(unit) in mine and not label else label) for unit, label in parts]
        subject = _SUBJECTS.get(name.partition(".")[0])
        units, labels = tuple(unit for unit, _ in parts), tuple(label for _, label in parts)
        return Labelled(units, labels, act, subject, writer, f"{writer} {name}")

    def _bound(self, book: Phrases, name: str, template: str) -> dict[str, list[Part]]:
        """What stands in each slot of a template."""
        he, him, his = self._rng.choice(_PRONOUNS)
        none = name.startswith(("no.", "question."))
        bound = {
            slot: [_part("clock", CLOCK, "" if none else "start")] for slot in ("start", "start1", "start2", "start3")
        }
        bound |= {slot: [_part("clock", CLOCK, "" if none else "end")] for slot in ("end", "end1", "end2", "end3")}
        bound |= {slot: [_part("pronoun", word, "")] for slot, word in (("he", he), ("him", him), ("his", his))}
        bound["wrong"] = [_part("clock", CLOCK, "start" if name == "fix.first" else "wrong")]
        bound["dur"] = [_part("length", LENGTH, "" if none else "length")]
        bound["gap"] = [_part("length", LENGTH, "shift")]
        bound["S"] = [_part("person", PERSON, "with" if name.startswith("pair") else "who")]
        bound["T"] = [_part("person", PERSON, "who")]
        bound |= {
            slot: self._activity("" if name.startswith("no.") else "activity")
            for slot in ("act", "act1", "act2", "act3")
        }
        bound |= {slot: self._what() for slot in ("what", "what1", "what2") if f"{{{slot}}}" in template}
        if "{when}" in template:
            bound["when"] = self._when(book, bound)
        return bound

    def _when(self, book: Phrases, bound: Mapping[str, list[Part]]) -> list[Part]:
        kind = self._rng.choice(_WHENS)
        if self._rng.random() < SHARED_BOOK or kind not in book.get("when", ()):
            book = self._rng.choice([one for one in self._books.values() if kind in one.get("when", ())])
        gap: list[Part] = [_part("length", LENGTH, "gap")]
        other = self._activity("before" if kind == "before" else "after")
        return self._filled(self._rng.choice(book["when"][kind]), {**bound, "gap": gap, "ref": other})

    def _activity(self, label: Label) -> list[Part]:
        named = self._rng.choice(activities())
        if self._rng.random() < 0.3:
            named = named[0].upper() + named[1:]
        words = clock.tokens(named)
        return [
            _part("word", word.text, "" if place == 0 and len(words) > 1 and word.low in _ARTICLES else label)
            for place, word in enumerate(words)
        ]

    def _what(self) -> list[Part]:
        act = self._activity("activity")
        if self._rng.random() >= ACCOMPANIED:
            return act
        partner = self._rng.choice(("me", "you", PERSON, PERSON))
        other = _part("person" if partner == PERSON else "pronoun", partner, "with")
        return self._filled(self._rng.choice(self._with), {"act": act, "partner": [other]})

    def _filled(self, template: str, bound: Mapping[str, list[Part]]) -> list[Part]:
        """A template's own words, without a label, and what stands in its slots."""
        parts: list[Part] = []
        at = 0
        for match in _SLOT.finditer(template):
            parts += _literal(template[at : match.start()])
            parts += bound[match[1]]
            at = match.end()
        return parts + _literal(template[at:])


def _go_together(one: Labelled, other: Labelled) -> bool:
    """Whether two messages can be written as one: small talk with anything, plans of the same people with each other."""
    return ("none" in (one.act, other.act) and (other.act == "none" or other.subject == one.subject)) or (
        one.act == other.act and one.subject == other.subject
    )  # fmt: skip


def _joined(one: Labelled, other: Labelled) -> Labelled:
    """Two messages written as one."""
    ended = one.units and not one.units[-1].text[:1].isalnum() and one.units[-1].text != ")"
    stop: list[Part] = [] if ended else [_part("word", ".", "")]
    told = one if one.act != "none" else other
    units = (*one.units, *(unit for unit, _ in stop), *other.units)
    labels = (*one.labels, *(label for _, label in stop), *other.labels)
    return replace(told, units=units, labels=labels)


def _part(kind: Kind, text: str, label: Label) -> Part:
    return Unit(kind, 0, 0, text), label


def _literal(text: str) -> list[Part]:
    return [(replace(unit, first=0, last=0), "") for unit in units_of(clock.tokens(text), None)]


def _pronoun(unit: Unit) -> str:
    return unit.text.casefold().replace("’", "'").partition("'")[0] if unit.kind == "pronoun" else ""
