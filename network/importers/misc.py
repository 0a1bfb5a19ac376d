"""MiSC: mixed sessions of one main speaker with three partners, as their authors publish them, one episode a line.

Field names differ between releases and copies; what an episode holds does not: a main speaker, and for each of its
sessions, in order, the turns with their speakers. A session is `first_session_dialogue` to `sixth_session_dialogue`, or
an entry of `sessions`; its turns are texts with a list of speakers beside them, a pair of both lists, or objects with
a speaker and a text. Memories and tags are the authors' gold: they are read past and never stored as said.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kithnet.network.importers.table import not_utf8, open_text
from kithnet.network.records import ChatMessage, Person, Tie, World
from kithnet.runtime.errors import RecordError

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
START = datetime(2024, 1, 1, 9, 0)
"""MiSC has no dates: sessions are a week apart, turns a minute, so that what was said later is later."""
MAIN = ("main_speaker", "mainSpeaker", "main")
SPEAKER = ("speaker", "role", "from", "name")
TEXT = ("text", "utterance", "content", "value", "dialogue")
TURNS = ("dialogue", "dialog", "utterances", "turns", "conversation", "messages")
_TAG = re.compile(r"^\s*\(?(?P<name>[^:()\n]{1,60})\)?:\s+(?P<text>.+)$", re.DOTALL)
_SYMBOLS = re.compile(r"\s*(?:\[\s*(?:memory|m|tag)?[\s#:]*\d+(?:\s*,\s*\d+)*\s*\])+\s*$", re.IGNORECASE)

Turn = tuple[str, str]


def read_misc(path: Path) -> World:
    """Read episodes as JSON lines. The people of an episode are its own: "e1-alice" is nobody in another episode.

    Turns to oneself and empty ones are dropped and counted. Raises RecordError with the line that cannot be read.
    """
    people: dict[str, Person] = {}
    ties: dict[tuple[str, str], Tie] = {}
    messages: list[ChatMessage] = []
    dropped: Counter[str] = Counter()
    for row, episode in _lines(path):
        main = _main(episode, row)
        for number, turns in enumerate(_sessions(episode, row), 1):
            partner = _partner(turns, main, row, number)
            if partner is None:
                dropped["session without a partner"] += 1
                continue
            pair = (_person(people, row, main), _person(people, row, partner))
            ties.setdefault((min(pair), max(pair)), Tie(min(pair), max(pair)))
            at = START + timedelta(weeks=number - 1)
            for place, (speaker, text) in enumerate(turns):
                if not text.strip():
                    dropped["empty message"] += 1
                    continue
                sender, receiver = pair if speaker == main else pair[::-1]
                when, name = at + timedelta(minutes=place), f"e{row} {number}"
                messages.append(ChatMessage(len(messages), sender, receiver, text.strip(), when, name))
    if not messages:
        raise RecordError(f"{path.name} holds no messages", "each line is an episode of MiSC")
    return World(
        list(people.values()), list(ties.values()), messages, dropped=dict(dropped),
        source={"format": "misc", "file": path.name},
    )  # fmt: skip


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Each episode with the number of its line; a file that is one JSON list gives its items."""
    try:
        with open_text(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _object(path, line, number)
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error


def _object(path: Path, line: str, number: int) -> Mapping[str, Any]:
    try:
        episode = json.loads(line)
    except ValueError as error:
        hint = "write one episode a line (JSONL); a JSON list must be split"
        raise RecordError(f"{path.name}: this line is not JSON: {error}", hint, row=number) from error
    except RecursionError as error:
        raise RecordError(f"{path.name}: this line nests too deep", "write one episode a line", row=number) from error
    if not isinstance(episode, dict):
        raise RecordError(f"{path.name}: this line is no episode", "each line is a JSON object", row=number)
    return episode


def _main(episode: Mapping[str, Any], row: int) -> str:
    """The main speaker's name: named as such, else the first of the speakers, else who is in every session."""
    for field in MAIN:
        if isinstance(episode.get(field), str) and episode[field].strip():
            return str(episode[field]).strip()
    listed = episode.get("speaker_list") or episode.get("speakers")
    if isinstance(listed, list) and listed and isinstance(listed[0], str):
        return listed[0].strip()
    spoken = [{speaker for speaker, _ in turns} for turns in _sessions(episode, row)]
    everywhere = set.intersection(*spoken) if spoken else set()
    if len(everywhere) == 1:
        return everywhere.pop()
    hint = f"name the main speaker as {MAIN[0]!r}"
    raise RecordError("cannot tell who the main speaker is", hint, row=row)


def _sessions(episode: Mapping[str, Any], row: int) -> list[list[Turn]]:
    """The turns of every session, in the order of the sessions."""
    listed = episode.get("sessions")
    if isinstance(listed, list) and listed:
        return [_turns(_of(session, TURNS), _of(session, ("speakers",)), row, n) for n, session in enumerate(listed, 1)]
    found = []
    for number, ordinal in enumerate(ORDINALS, 1):
        keys = [f"{ordinal}_session_dialogue", f"{ordinal}_session", f"session_{number}_dialogue", f"session_{number}"]
        key = next((key for key in keys if episode.get(key)), None)
        if key is not None:
            speakers = episode.get(f"{ordinal}_session_speakers") or episode.get(f"session_{number}_speakers")
            inner = episode[key]
            if isinstance(inner, dict):
                inner, speakers = _of(inner, TURNS), speakers or inner.get("speakers")
            found.append(_turns(inner, speakers, row, number))
    if not found:
        hint = f"an episode has {ORDINALS[0]}_session_dialogue, {ORDINALS[1]}_session_dialogue, ... or sessions"
        raise RecordError("there is no session", hint, row=row)
    return found


def _of(session: Any, names: Sequence[str]) -> Any:
    if not isinstance(session, dict):
        return session if names is TURNS else None
    return next((session[name] for name in names if session.get(name)), None)


def _turns(said: Any, speakers: Any, row: int, number: int) -> list[Turn]:
    """The turns of one session, whichever way they are written."""
    where = f"session {number}"
    if not isinstance(said, list):
        raise RecordError(f"{where} is not a list of turns", "see `kith world import --help`", row=row)
    if len(said) == 2 and all(isinstance(part, list) for part in said) and speakers is None:
        speakers, said = said  # names beside texts, as a pair
    if isinstance(speakers, list) and all(isinstance(one, str) for one in said):
        if len(speakers) != len(said):
            hint = "every turn has one speaker"
            raise RecordError(f"{where} has {len(said)} turns and {len(speakers)} speakers", hint, row=row)
        return [(_name(who, row, where), _bare(text)) for who, text in zip(speakers, said, strict=True)]
    return [_turn(one, row, where) for one in said]


def _turn(one: Any, row: int, where: str) -> Turn:
    if isinstance(one, str) and (match := _TAG.match(one)):
        return match["name"].strip(), _bare(match["text"])
    if isinstance(one, list) and len(one) >= 2 and isinstance(one[1], str):
        return _name(one[0], row, where), _bare(one[1])
    if isinstance(one, dict):
        who = next((one[name] for name in SPEAKER if one.get(name)), None)
        text = next((one[name] for name in TEXT if isinstance(one.get(name), str)), None)
        if who is not None and text is not None:
            return _name(who, row, where), _bare(text)
    raise RecordError(f"{where} has a turn without speaker or text", "a turn names its speaker and its text", row=row)


def _bare(text: str) -> str:
    """A turn without the numbers of memories that end it, and without NUL bytes."""
    return _SYMBOLS.sub("", text).replace("\0", "")


def _name(who: Any, row: int, where: str) -> str:
    if not isinstance(who, str) or not who.strip():
        raise RecordError(f"{where} has a speaker without a name", "a speaker is a text", row=row)
    return " ".join(who.split())


def _partner(turns: Sequence[Turn], main: str, row: int, number: int) -> str | None:
    """Whom the main speaker talks with in a session; RecordError where there are several."""
    others = list(dict.fromkeys(speaker for speaker, _ in turns if speaker != main))
    if len(others) > 1:
        hint = "a session of MiSC is the main speaker and one partner"
        raise RecordError(f"session {number} has {len(others)} partners: {', '.join(others[:4])}", hint, row=row)
    return others[0] if others else None


def _person(people: dict[str, Person], row: int, name: str) -> str:
    words = re.findall(r"[^\W_]+", name.casefold())
    identity = f"e{row}-{'-'.join(words) or 'speaker'}"
    people.setdefault(identity, Person(identity, name))
    return identity
