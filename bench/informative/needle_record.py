"""Needle records: JSONL in the spirit of the Schedule records, read and written.

id, hops (1 or 2), message ["from alice to bob : text"], QA agents [bob, charlie], question, answer, and if there are any
aliases, options (things that could be taken for the answer), evidence (places in message, from 0), alone (what either
side answers by itself). The answer may not stand in the question, and the evidence has to be spread over both sides.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from kithnet.bench.informative.item import Item, Resident, Said, Setting
from kithnet.bench.informative.needle import START
from kithnet.bench.informative.reading import asked_of, lines_of, messages_of, need, write_lines
from kithnet.bench.informative.scoring import named
from kithnet.runtime.errors import RecordError


def read(path: Path, hops: int) -> list[Item]:
    """The items of a file. Raises InputError, RecordError with the line."""
    return [_item(record, hops, row) for row, record in lines_of(path)]


def write(path: Path, items: Sequence[Item]) -> None:
    write_lines(path, [record_of(item) for item in items])


def record_of(item: Item) -> dict[str, Any]:
    """One record; people are named as in the texts."""
    name = item.setting.name_of
    return {
        "id": item.id,
        "hops": 1 if item.family == "needle-1hop" else 2,
        "kind": item.kind,
        "message": [f"from {name(m.sender)} to {name(m.receiver)} : {m.text}" for m in item.setting.messages],
        "QA agents": [name(item.instructor), name(item.assistant)],
        "question": item.question,
        "answer": item.answer,
        "aliases": list(item.aliases),
        "options": list(item.options),
        "evidence": list(item.evidence),
        "alone": list(item.alone),
    }


def _item(record: Mapping[str, Any], hops: int, row: int) -> Item:
    identity = str(need(record, "id", (str, int), row))
    if need(record, "hops", int, row) != hops:
        raise RecordError(f"this record has {record['hops']} hops and the suite {hops}", "use the other suite", row=row)
    raw = need(record, "message", list, row)
    spoken = messages_of(record, _Anyone(raw), row)
    people = list(dict.fromkeys(person for a, b, _ in spoken for person in (a, b)))
    instructor, assistant = asked_of(record, people, row)
    question, answer = need(record, "question", str, row), need(record, "answer", str, row)
    if named(question, (answer,)):
        raise RecordError(f"the question holds its answer {answer!r}", "ask without it", row=row)
    said = tuple(Said(seq, a, b, text, START + timedelta(seconds=50 * seq)) for seq, (a, b, text) in enumerate(spoken))
    evidence = tuple(record.get("evidence", ()))
    _recoverable(said, evidence, answer, tuple(record.get("aliases", ())), row)
    ties = {tuple(sorted((a, b))) for a, b, _ in spoken} | {tuple(sorted((instructor, assistant)))}
    setting = Setting(
        identity, tuple(Resident(one, one) for one in people), tuple((a, b) for a, b in sorted(ties)), said
    )
    alone = tuple(record.get("alone", ("", "")))
    if len(alone) != 2:
        raise RecordError(f"'alone' is {list(alone)}, not what two sides answer", row=row)
    return Item(
        identity, "needle-1hop" if hops == 1 else "needle", setting, instructor, assistant, question, answer, "short",
        aliases=tuple(record.get("aliases", ())), options=tuple(record.get("options", ())), evidence=evidence,
        alone=(alone[0], alone[1]), oracle=answer, kind=str(record.get("kind", "")),
    )  # fmt: skip


class _Anyone(list[str]):
    """Whoever writes belongs to the people of a record without a list of them."""

    def __contains__(self, person: object) -> bool:
        return True


def _recoverable(
    said: Sequence[Said], evidence: Sequence[object], answer: str, aliases: Sequence[str], row: int
) -> None:
    if any(not isinstance(one, int) or not 0 <= one < len(said) for one in evidence):
        raise RecordError(
            f"'evidence' is {list(evidence)}, and there are {len(said)} messages", "count from 0", row=row
        )
    if not any(named(one.text, (answer, *aliases)) for one in said):
        raise RecordError(f"no message holds the answer {answer!r}", "the answer must be recoverable", row=row)
