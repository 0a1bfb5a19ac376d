"""The talk around a needle: small talk from the house's generator, or a user's file of persona conversations."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Protocol

from kithnet.network.generate.people import Character, draw_people
from kithnet.network.generate.phrasebook import Phrasebook, read_phrasebook
from kithnet.network.generate.shape import Shape
from kithnet.network.generate.talk import Writer
from kithnet.network.importers.table import read_table
from kithnet.runtime.errors import RecordError

COLUMNS = ("user 1 personas", "user 2 personas", "Best Generated Conversation")
TURNS = 24
"""Messages of a talk before the needles are put in."""
_PLACEHOLDER = re.compile(r"\[[^\]\n]{1,40}\]")
_LINE = re.compile(r"[\s*]*user\s*([12])\s*:[\s*]*(.*?)[\s*]*", re.IGNORECASE)

Talk = list[tuple[int, str]]
"""(who speaks: 0 or 1, what)."""


class Chatter(Protocol):
    """Where talk comes from."""

    def talk(self, names: tuple[str, str], number: int, rng: Random) -> Talk:
        """A conversation of two people; number: which one of those that are asked for."""


class SmallTalk:
    """Small talk of generated worlds."""

    def talk(self, names: tuple[str, str], number: int, rng: Random) -> Talk:
        book = _phrasebook()
        people = [_named(one, name) for one, name in zip(draw_people(2, book, rng), names, strict=True)]
        shape = Shape(((0, 1),), ("friend",), (1.0,), (0, 0), ((1,), (0,)))
        return [(line.speaker, line.text) for line in Writer(people, shape, book, rng).small_talk(0, 1, TURNS)]


@lru_cache(maxsize=1)
def _phrasebook() -> Phrasebook:
    return read_phrasebook("default")


def _named(one: Character, name: str) -> Character:
    return replace(one, person=replace(one.person, id=name.lower(), name=name))


@dataclass(frozen=True)
class PersonaTalk:
    """Conversations of a Synthetic-Persona-Chat file, in the file's order, from its beginning again at the end."""

    conversations: Sequence[Talk]

    def talk(self, names: tuple[str, str], number: int, rng: Random) -> Talk:
        names_in_turn = cycle(names[::-1])
        return [
            (speaker, _PLACEHOLDER.sub(lambda _: next(names_in_turn), text))
            for speaker, text in self.conversations[number % len(self.conversations)]
        ]


def read_personas(path: Path) -> PersonaTalk:
    """Read a Synthetic-Persona-Chat CSV. A line without a speaker belongs to the one before; empty ones are left out.

    Raises InputError, RecordError: another shape, a conversation in which not both speak.
    """
    conversations = []
    for row, (_, _, text) in read_table(path, COLUMNS):
        talk: Talk = []
        for line in text.splitlines():
            match = _LINE.fullmatch(line)
            if match and match[2].strip():
                talk.append((int(match[1]) - 1, match[2].strip()))
            elif not match and line.strip() and talk:
                speaker, before = talk[-1]
                talk[-1] = (speaker, f"{before} {line.strip()}")
        if not talk:
            raise RecordError(
                f"{path.name}: the dialogue is empty", "each conversation has lines 'User 1: ...'", row=row
            )
        if len({speaker for speaker, _ in talk}) < 2:
            raise RecordError(f"{path.name}: only one of the two speaks", "remove the conversation", row=row)
        conversations.append(talk)
    if not conversations:
        raise RecordError(f"{path.name} holds no conversations", "give a Synthetic-Persona-Chat file")
    return PersonaTalk(conversations)
