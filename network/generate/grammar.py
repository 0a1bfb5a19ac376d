"""A phrase grammar: templates with slots, alternatives and numbers, compiled once and expanded from a seed.

{dish}            the bound value `dish`, else an expansion of the rule `dish`
{12..98}          a whole number
[really|quite|]   one of the alternatives, which may hold slots and alternatives themselves
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from kithnet.runtime.errors import ConfigError

TOKEN = re.compile(
    r"\{(?P<slot>[a-zA-Z_]\w*)\}|\{(?P<low>\d+)\.\.(?P<high>\d+)\}|(?P<mark>[\[\]|])|(?P<text>[^\[\]|{}]+)|(?P<bad>.)"
)


@dataclass(frozen=True, slots=True)
class Slot:
    name: str


@dataclass(frozen=True, slots=True)
class Span:
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class OneOf:
    options: tuple["Template", ...]


Template = tuple[str | Slot | Span | OneOf, ...]


class Grammar:
    """Rules by name, each with its templates. Raises ConfigError for a template that is not well formed."""

    def __init__(self, rules: Mapping[str, Sequence[str]]) -> None:
        self._rules = {name: tuple(compiled(text) for text in texts) for name, texts in rules.items()}
        self._seen: dict[str, Template] = {}

    def expand(self, text: str, bound: Mapping[str, str], rng: Random) -> str:
        """One wording of a template. KeyError for a slot that is neither bound nor a rule: a defect of the phrases."""
        template = self._seen.get(text)
        if template is None:
            template = self._seen[text] = compiled(text)
        pieces: list[str] = []
        self._write(template, bound, rng, pieces)
        return "".join(pieces)

    def draw(self, rule: str, bound: Mapping[str, str], rng: Random) -> str:
        """One wording of a rule."""
        pieces: list[str] = []
        self._write(_pick(self._rules[rule], rng), bound, rng, pieces)
        return "".join(pieces)

    def _write(self, template: Template, bound: Mapping[str, str], rng: Random, pieces: list[str]) -> None:
        for node in template:
            if isinstance(node, str):
                pieces.append(node)
            elif isinstance(node, OneOf):
                self._write(_pick(node.options, rng), bound, rng, pieces)
            elif isinstance(node, Span):
                pieces.append(str(rng.randint(node.low, node.high)))
            elif node.name in bound:
                pieces.append(bound[node.name])
            else:
                self._write(_pick(self._rules[node.name], rng), bound, rng, pieces)


def _pick(options: Sequence[Template], rng: Random) -> Template:
    return options[int(rng.random() * len(options))]


def compiled(text: str) -> Template:
    """Parse one template; ConfigError says what is wrong with it."""
    open_choices: list[tuple[list[Template], list[str | Slot | Span | OneOf]]] = []
    nodes: list[str | Slot | Span | OneOf] = []
    for token in TOKEN.finditer(text):
        mark = token["mark"]
        if token["text"]:
            nodes.append(token["text"])
        elif token["slot"]:
            nodes.append(Slot(token["slot"]))
        elif token["low"]:
            nodes.append(Span(int(token["low"]), int(token["high"])))
        elif mark == "[":
            open_choices.append(([], nodes))
            nodes = []
        elif mark and open_choices:
            options, outer = open_choices[-1]
            options.append(tuple(nodes))
            nodes = []
            if mark == "]":
                open_choices.pop()
                nodes = [*outer, OneOf(tuple(options))]
        else:
            raise ConfigError(f"phrase {text!r}: {token[0]!r} is out of place", "see the grammar's docstring")
    if open_choices:
        raise ConfigError(f"phrase {text!r}: a bracket is not closed", "see the grammar's docstring")
    return tuple(nodes)
