"""What a reader yields for an export, in the words of the `.expected.json` beside it."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kithnet.network.importers.files import Files
from kithnet.network.importers.items import Change, Chat, Contact, Line, Options, Reader, Skipped, Unread

BERLIN = ZoneInfo("Europe/Berlin")
FOLDER = Path(__file__).parent
KINDS = ("system", "deleted", "media", "bots", "unread")


def cases(source: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every export of a source with what is expected of it."""
    for expected in sorted((FOLDER / source).glob("*.expected.json")):
        stem = expected.name.removesuffix(".expected.json")
        (export,) = (path for path in expected.parent.iterdir() if path.stem == stem or path.name == stem)
        yield export, json.loads(expected.read_text("utf-8"))


def options(words: list[str]) -> Options:
    given = dict(zip(words[::2], words[1::2], strict=True))
    zone = ZoneInfo(given.get("--zone", "Europe/Berlin"))
    return Options(zone, given.get("--dates"), given.get("--me"), given.get("--as-title"))  # type: ignore[arg-type]


def summary(reader: Reader, path: Path, words: list[str]) -> dict[str, Any]:
    """What `reader` finds in `path`, as an expectation is written. Whatever is named before it was introduced is a KeyError."""
    names: dict[str, str] = {}
    chats: dict[str, Chat] = {}
    people: dict[str, set[str]] = defaultdict(set)
    lines: list[Line] = []
    counts: Counter[str] = Counter()
    given = options(words)
    with Files(path) as files:
        for item in reader.read(files, given):
            if isinstance(item, Contact):
                names[item.key] = item.name
            elif isinstance(item, Chat):
                chats[item.key] = item
                people[item.key].update(item.members)
            elif isinstance(item, Line):
                lines.append(item)
                people[chats[item.chat].key].update((item.sender, *(item.audience or ())))
            elif isinstance(item, Change):
                people[chats[item.chat].key].add(item.contact)
            elif isinstance(item, Skipped):
                assert item.chat in chats
                counts[item.kind] += 1
            elif isinstance(item, Unread):
                counts["unread"] += 1

    def local(at: datetime | None) -> datetime | None:
        return at and (at.replace(tzinfo=given.zone) if at.tzinfo is None else at).astimezone(BERLIN)

    lines.sort(key=lambda line: (local(line.at) or datetime.min.replace(tzinfo=UTC)).astimezone(UTC))
    conversations = [
        {"title": chat.title, "kind": chat.kind, "people": sorted(names[key] for key in people[chat.key])}
        for chat in chats.values()
    ]
    return {
        "options": words,
        "format": reader.name,
        "conversations": sorted(conversations, key=lambda chat: (chat["title"], chat["kind"], chat["people"])),
        "people": sorted(names.values()),
        "messages": {"new": len(lines), "seen": 0} | {kind: counts[kind] for kind in KINDS},
        "texts": [
            [
                chats[line.chat].title,
                names[line.sender],
                (at := local(line.at)) and f"{at:%Y-%m-%d %H:%M:%S}",
                line.text,
            ]
            for line in lines
        ],
    }
