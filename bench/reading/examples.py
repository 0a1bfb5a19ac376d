"""What the reader is trained on and judged by: questions with lines, messages, and pairs of messages, from every source.

Own dialogues (`dialogues.py`), FriendsQA's development part, AgentSocialBench's private matters. Names are data of a row,
not of the language: `renamed` gives the people of a row other names, so that none is learned.
"""

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kithnet.bench.asking import chosen
from kithnet.bench.disclosure import mapping as social
from kithnet.bench.informative.friendsqa import plain, questions_of
from kithnet.bench.reading.dialogues import Dialogue
from kithnet.bench.reading.labelled import Labeller, writers
from kithnet.runtime.errors import InputError
from kithnet.runtime.packing import Line
from kithnet.runtime.reader import TOOLS

Span = tuple[int, int, int]
"""(line, first character, character behind the last); (line, -1, -1) for the name of who says the line."""


MATTERS = 700
"""Of AgentSocialBench's sentences, which are worded alike, as many as do not drown the dialogues."""


PLANS = 500
"""Messages about plans, of those that the tagger is fitted to."""


@dataclass(frozen=True)
class Asked:
    """A question over one talk. spans: where it is answered, () where nowhere."""

    question: str
    kind: str
    lines: Sequence[Line]
    spans: tuple[Span, ...]
    names: tuple[str, ...]
    source: str
    id: str = ""
    alone: bool = True
    """Whether the question can be understood without its talk, so that other talks are fair rivals of it."""
    others: list[tuple[Sequence[Line], int]] = field(default_factory=list, compare=False)
    """Lines of other talks that are near to the question: (their talk, number of the line)."""

    @property
    def gold(self) -> frozenset[int]:
        return frozenset(line for line, _, _ in self.spans)


@dataclass(frozen=True, slots=True)
class Told:
    """A message with what it is, "" for what is not known of it."""

    before: Line
    line: Line
    names: tuple[str, ...]
    source: str
    kind: str = ""
    stance: str = ""
    secrecy: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """What somebody wants found out, and the tool that computes it, "none" for none."""

    text: str
    tool: str
    names: tuple[str, ...]


def tasks(paths: Sequence[Path]) -> list[Task]:
    """The tasks of files of one JSON object a line. Raises InputError that names file and line."""
    found = []
    for path in paths:
        for number, row in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                raw = json.loads(row)
                if raw["tool"] not in TOOLS:
                    raise ValueError(f"{raw['tool']!r} is no tool")
                found.append(Task(raw["q"], raw["tool"], tuple(raw["people"])))
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path}, line {number}: {error!r}", "mend that line") from None
    return found


@dataclass(frozen=True, slots=True)
class Related:
    old: Line
    new: Line
    relation: str
    names: tuple[str, ...]
    source: str


def own(dialogues: Sequence[Dialogue], source: str) -> tuple[list[Asked], list[Told], list[Related]]:
    """Everything that dialogues give."""
    asked, told, related = [], [], []
    for one in dialogues:
        lines = [(line.by, line.text) for line in one.lines]
        names = tuple(
            dict.fromkeys([line.by for line in one.lines] + [who for line in one.lines for who in line.about])
        )
        for question in one.questions:
            spans = tuple((answer.line, answer.start, answer.end) for answer in question.answers)
            asked.append(Asked(question.text, question.kind, lines, spans, names, source, one.id))
        for at, line in enumerate(one.lines):
            before = lines[at - 1] if at else ("", "")
            told.append(Told(before, lines[at], names, source, line.kind, line.stance, line.secrecy))
        for past in one.earlier:
            related.append(Related((past.by, past.text), lines[past.line], past.relation, names, source))
    return asked, told, related


def friendsqa(path: Path, *, watched: bool) -> list[Asked]:
    """Questions of the file: those of scenes that are watched, or all others.

    Paraphrases are for training only. A scene is watched when a question of it is on the list of `kith bench asking`, and every
    eighth is.
    """
    by_scene: dict[str, list[Asked]] = {}
    listed = set(chosen.listed_ids("friendsqa") or ())
    kept: set[str] = set()
    for title, speakers, said, raw in questions_of(path):
        uids = [uid for uid in said if not speakers[uid][0].startswith("#")]  # notes on the scene are nobody's words
        lines = [(" and ".join(who.split()[0] for who in speakers[uid][:2]), plain(said[uid])) for uid in uids]
        spans = tuple(dict.fromkeys(_spans(raw["answers"], uids, lines)))
        if raw["id"] in listed:
            kept.add(title)
        again = raw["id"].endswith("_Paraphrased")
        if spans and not (watched and again):
            names = tuple(dict.fromkeys(by for by, _ in lines if by and " and " not in by))
            kind = raw["id"].rsplit("_", 2 if again else 1)[1].casefold()
            question = plain(raw["question"])
            by_scene.setdefault(title, []).append(Asked(question, kind, lines, spans, names, "friendsqa", raw["id"]))
    kept |= set(sorted(by_scene)[::8])
    chosen_ones = [one for title, some in by_scene.items() if (title in kept) == watched for one in some]
    return random.Random(3).sample(chosen_ones, len(chosen_ones)) if watched else chosen_ones


def _spans(answers: Sequence[Mapping[str, object]], uids: Sequence[object], lines: Sequence[Line]) -> list[Span]:
    found = []
    for answer in answers:
        if answer["utterance_id"] not in uids:
            continue
        at, text = uids.index(answer["utterance_id"]), plain(str(answer["answer_text"]))
        start = lines[at][1].find(text)
        if answer["is_speaker"]:
            found.append((at, -1, -1))
        elif start >= 0 and text:
            found.append((at, start, start + len(text)))
    return found


def agentsocial(path: Path, *, odd: bool) -> list[Told]:
    """Private matters, as delicate, and the sentences that may come to everybody, as ordinary, of every second scenario."""
    found = []
    for case in social.load(path):
        if case.number % 2 != odd:
            continue
        names = tuple(one.first for one in case.people)
        for matter in case.matters:
            secrecy = "delicate" if matter.barred else "ordinary"
            by = next(one.first for one in case.people if one.id == matter.holder)
            found.append(Told(("", ""), (by, matter.text), names, "agentsocial", secrecy=secrecy))
    return random.Random(3).sample(found, min(len(found), MATTERS))


def single_lines(paths: Sequence[Path]) -> list[Told]:
    """Messages with what may be passed on, each with the one before it where there was one."""
    found = []
    for row in _rows(paths):
        by, before = row.get("by", "Sam"), row.get("before") or {"by": "", "text": ""}
        names = tuple(dict.fromkeys(who for who in (by, before["by"]) if who))
        found.append(Told((before["by"], before["text"]), (by, row["text"]), names, "lines", secrecy=row["secrecy"]))
    return found


def single_pairs(paths: Sequence[Path]) -> list[Related]:
    """Older and newer messages, and what the newer one does to the older."""
    found = []
    for row in _rows(paths):
        old, new = ((row[part]["by"], row[part]["text"]) for part in ("old", "new"))
        found.append(Related(old, new, row["relation"], tuple(dict.fromkeys((old[0], new[0]))), "pairs"))
    return found


def _rows(paths: Sequence[Path]) -> Iterator[Mapping[str, Any]]:
    for path in paths:
        for row in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(row)


def plans(seed: int) -> list[Told]:
    """Messages about plans in the words of the tagger's writers: nobody minds who hears them."""
    made = [
        one
        for one in Labeller(writers(), seed).messages(1)
        if one.act in ("tell", "sleep", "lunch", "change", "cancel")
    ]
    return [
        Told(("", ""), ("Sam", " ".join(unit.text for unit in one.units)), ("Sam",), "plans", "plan", "", "ordinary")
        for one in random.Random(seed).sample(made, PLANS)
    ]


def renamed(names: Sequence[str], pool: Sequence[str], rng: random.Random) -> dict[str, str]:
    """Lower-case word -> the word that takes its place: the given first names, each as another one of the pool."""
    old = [word for name in names for word in re.findall(r"\w+", name.casefold())[:1]]
    new = rng.sample(pool, len(old))
    return dict(zip(old, new, strict=True))


def as_if(lines: Sequence[Line], people: Sequence[str], rng: random.Random) -> list[Line]:
    """Other people's talk as if the given people had it: a rival that names do not give away."""
    there = list(dict.fromkeys(by for by, _ in lines if by))
    some = rng.sample(list(people), min(len(people), len(there)))
    names = {word.casefold(): name for by, name in zip(there, some, strict=False) for word in [by.split()[0]] if word}

    def put(match: re.Match[str]) -> str:
        return names.get(match[0].casefold(), match[0])

    return [(re.sub(r"\w+", put, by), re.sub(r"\w+", put, text)) for by, text in lines]
