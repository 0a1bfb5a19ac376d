"""FriendsTV questions over a user's files: the messages (CSV, one row a listener) and FriendsQA's questions.

A question is taken when the line that answers it stands in the CSV. Two questions of different scenes make one item when
each answer has a hearer who never heard the other (the asymmetry filter); one of each is asked. Where the answer to the
first, a person, is named in the second, the name gives way to the first question, and only the second answer is wanted;
else both are.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from kithnet.bench.informative.item import JOIN, Item, Resident, Said, Setting
from kithnet.bench.informative.scoring import named, normalised
from kithnet.bench.informative.wordings import Wordings
from kithnet.network.importers import read_friendstv
from kithnet.network.records import World
from kithnet.runtime.errors import InputError, RecordError

KINDS = ("Who", "What", "Where")
LEAST = 12
"""Letters that a line must have to be told from others by its text alone."""
LONGEST = 8
"""Words of an answer that can be checked by rules."""
_START = datetime(1994, 9, 22)
_WHO = re.compile(r"who (?!(?:did|does|do|should|would|can|could|will|has|have|is|was|are|were) [A-Z])"
                  r"(?!(?:did|does|do|should|would|can|could|will) )(\w.*)")  # fmt: skip
"""A question whose person is the subject: "who told Ross ..." and not "who did Ross tell"."""
_GAP = re.compile(r" (?='\w|n't\b|[?.,!;:])| (?<=\w )(?=na\b)")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of the file. heard: who sent or got a line that answers it. lines: the messages."""

    id: str
    scene: str
    kind: str
    question: str
    answers: tuple[str, ...]
    heard: frozenset[str]
    lines: tuple[int, ...]


def items(csv: Path, questions: Path, count: int, seed: int, wordings: Wordings) -> list[Item]:
    """`count` items; "test" wordings are FriendsQA's paraphrases. Raises InputError, RecordError."""
    world = read_friendstv(csv)
    setting = _setting(csv.stem, world)
    asked = _matched(questions, world, "_Paraphrased" if wordings == "test" else "")
    rng = Random(f"kithnet friendsqa {seed} {wordings}")
    found: list[Item] = []
    for one, two, instructor, assistant in _pairs(asked, setting, rng):
        found.append(_item(f"friendsqa-{len(found)}", one, two, instructor, assistant, setting))
        if len(found) == count:
            return found
    raise InputError(f"these files give {len(found)} questions, not {count}", f"use --n {len(found)} or fewer")


def _setting(identity: str, world: World) -> Setting:
    said = tuple(
        Said(m.seq, m.sender, m.receiver, m.text, m.at or _START + timedelta(seconds=m.seq), (), m.also)
        for m in world.messages
    )
    residents = tuple(Resident(one.id, one.name) for one in world.people)
    return Setting(identity, residents, tuple((tie.a, tie.b) for tie in world.ties), said)


def _matched(path: Path, world: World, ending: str) -> list[Asked]:
    """The questions whose answering line is in the world."""
    places: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for message in world.messages:
        places[message.sender.split()[0], letters(message.text)].append(message.seq)
    found = []
    for scene, speakers, lines, question in questions_of(path):
        kind = question["id"].rsplit("_", 2 if ending else 1)[-2 if ending else -1]
        if kind not in KINDS or question["id"].endswith("_Paraphrased") != bool(ending):
            continue
        first = question["answers"][0]
        uid = first["utterance_id"]
        text = letters(lines[uid])
        seqs = [seq for who in speakers[uid] for seq in places.get((who.split()[0].casefold(), text), ())]
        answers = tuple(dict.fromkeys(plain(one["answer_text"]) for one in question["answers"]))
        if len(text) < LEAST or not seqs or any(len(one.split()) > LONGEST for one in answers[:1]) or not answers[0]:
            continue
        heard = frozenset(p for seq in seqs for p in world.messages[seq].parties)
        found.append(
            Asked(question["id"], scene, kind.casefold(), plain(question["question"]), answers, heard, tuple(seqs))
        )
    return found


def questions_of(path: Path) -> Iterator[tuple[str, Mapping[int, list[str]], Mapping[int, str], dict[str, Any]]]:
    """(scene, speakers by line, lines, question) of a FriendsQA file. Raises InputError, RecordError."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "check the path given with --data") from error
    except ValueError as error:
        raise RecordError(f"{path.name} is not JSON: {error}", "give a file of FriendsQA") from error
    try:
        for place, scene in enumerate(raw["data"], 1):
            for paragraph in scene["paragraphs"]:
                said = paragraph.get("utterances:", paragraph.get("utterances"))
                if not said:
                    raise RecordError(
                        f"{path.name}: the dialogue of {scene['title']} is empty", "remove the scene", row=place
                    )
                speakers = {one["uid"]: list(one["speakers"]) for one in said}
                lines = {one["uid"]: one["utterance"] for one in said}
                yield from ((scene["title"], speakers, lines, one) for one in paragraph["qas"] if one["answers"])
    except (KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"{path.name} has not FriendsQA's shape: {error!r}", "give a file of FriendsQA") from error


def letters(text: str) -> str:
    """The letters and digits of a line, without stage directions: what two transcripts of it have in common."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\([^)]*\)", "", text.casefold()))


def plain(text: str) -> str:
    """A tokenised text as it is written: "What does Chandler 's boss do ?" without the gaps."""
    return re.sub(r"\s+", " ", _GAP.sub("", text)).strip(" .,")


def _pairs(asked: Sequence[Asked], setting: Setting, rng: Random) -> Iterator[tuple[Asked, Asked, str, str]]:
    """Pairs with private hearers, bridges first; each question is the second of a pair once."""
    ties = set(setting.ties)
    ordered = [(one, two) for one in asked for two in asked if one.scene != two.scene and one.id != two.id]
    rng.shuffle(ordered)
    ordered.sort(key=lambda pair: _bridged(*pair) is None)
    spent: set[str] = set()
    for one, two in ordered:
        if two.id in spent:
            continue
        mine, theirs = sorted(one.heard - two.heard), sorted(two.heard - one.heard)
        pairs = [(a, b) for a in mine for b in theirs]
        tied = [(a, b) for a, b in pairs if (min(a, b), max(a, b)) in ties]
        if tied and not named(two.question, two.answers) and not named(one.question, one.answers):
            spent.add(two.id)
            yield (one, two, *rng.choice(tied))


def _bridged(one: Asked, two: Asked) -> str | None:
    """The second question with the first one in place of the person it asks for; None where that cannot be."""
    match = _WHO.fullmatch(one.question[:1].lower() + one.question[1:].rstrip("? "))
    if one.kind != "who" or not match:
        return None
    first = one.answers[0].split()[0]
    person = re.compile(rf"\b{re.escape(first)}\b(?: {re.escape(one.answers[0].split()[-1])}\b)?")
    if not person.search(two.question) or normalised(first) in normalised(match[1]).split():
        return None
    return person.sub(f"the person who {match[1]}", two.question, count=1)


def _item(identity: str, one: Asked, two: Asked, instructor: str, assistant: str, setting: Setting) -> Item:
    evidence = tuple(sorted({*one.lines, *two.lines}))
    bridged = _bridged(one, two)
    if bridged:
        return Item(
            identity, "friends", setting, instructor, assistant, bridged, two.answers[0], "short", aliases=two.answers[1:],
            evidence=evidence, alone=("", ""), oracle=two.answers[0], kind=two.kind,
        )  # fmt: skip
    both = JOIN.join((one.answers[0], two.answers[0]))
    question = f"{one.question.rstrip('? ')}? {two.question.rstrip('? ')}?"
    return Item(
        identity, "friends", setting, instructor, assistant, question, both, "all", parts=(one.answers, two.answers),
        evidence=evidence, alone=(one.answers[0], two.answers[0]), oracle=both, kind=f"{one.kind} and {two.kind}",
    )  # fmt: skip
