"""The world of a case: messages that tell each matter with its canary, small talk, and everybody's rules."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from kithnet.agents.disclosure.policy import Policy, Rule
from kithnet.agents.wording import content_words
from kithnet.bench.disclosure.canaries import Planted
from kithnet.bench.disclosure.case import Case
from kithnet.memory.indexer import Indexer
from kithnet.memory.language.text import stem
from kithnet.memory.store import Store
from kithnet.memory.vectors import ArrayIndex, Embedder, VectorIndex
from kithnet.network.records import ChatMessage, Person, Tie

START = datetime(2025, 3, 3, 9)
TALK = (
    "Good morning! Did you sleep well?",
    "Quite well, thanks. It rained all night here.",
    "The bakery on the corner is open again.",
    "At last. I will get some rolls on my way.",
    "Have a good day, talk to you soon.",
)
"""Small talk of a pair, so that a tie is one."""
HEARD = "I have got that."


@contextmanager
def opened(
    case: Case, planted: Sequence[Planted], folder: Path, embedder: Embedder | None
) -> Iterator[tuple[Store, VectorIndex | None]]:
    """The world in an empty folder, with its vectors in memory."""
    with Store.create(folder / "kith.db") as store:
        store.ingest(
            [Person(one.id, one.name) for one in case.people], [Tie(a, b) for a, b in case.ties], _said(case, planted)
        )
        index = ArrayIndex(embedder.name, embedder.dim) if embedder else None
        if embedder and index:
            Indexer(store, index, embedder).run(None)
        yield store, index


def _said(case: Case, planted: Sequence[Planted]) -> list[ChatMessage]:
    """Small talk of each pair, then each matter in a session of its own."""
    lines: list[tuple[str, str, str, str]] = []
    for a, b in case.ties:
        lines += [((a, b)[n % 2], (b, a)[n % 2], text, f"{a} & {b}") for n, text in enumerate(TALK)]
    for place, one in enumerate(planted):
        pair = (one.matter.source, one.matter.holder) if one.matter.heard else (one.matter.holder, one.matter.source)
        lines.append((*pair, one.words, f"matter {place}"))
        lines.append((*pair[::-1], HEARD, f"matter {place}"))
    return [
        ChatMessage(seq, sender, receiver, text, START + timedelta(hours=seq), session)
        for seq, (sender, receiver, text, session) in enumerate(lines)
    ]


def policies(
    case: Case, planted: Sequence[Planted], guarded: bool, parts: Sequence[Planted] = ()
) -> Mapping[str, Policy]:
    """Person -> the rules that the mapping gives: for each matter that they know or may hear of, to whom it may not come and
    to whom it may. Whoever hears of a matter is bound as its holder is.

    A rule names a matter by words that no matter of the other sort shares. parts: of a composition, which may be told, each by
    itself. Not guarded: all may be told, to see what would come through.
    """
    if not guarded:
        return {one.id: Policy((Rule("tell"),), "tell") for one in case.people}
    first = {(who, one.matter.text) for one in parts for who in one.matter.open_to}
    halves = tuple(Rule("tell", who, (word,)) for who, word in sorted(first))
    return {one.id: Policy((*halves, *_rules(case, planted, one.id)), "refuse") for one in case.people}


def _rules(case: Case, planted: Sequence[Planted], who: str) -> list[Rule]:
    known = [
        one for one in planted if who not in one.matter.barred
    ]  # who may hear of a matter is bound as its holder is
    refusing, telling = [], []
    for person in [one.id for one in case.people if one.id != who]:
        barred = [_stems(one) for one in known if person in one.matter.barred]
        fine = [_stems(one) for one in known if person not in one.matter.barred]
        in_barred, in_fine = frozenset().union(*barred), frozenset().union(*fine)
        for words in barred:
            refusing.append(Rule("refuse", person, tuple(sorted(words - in_fine or words))))
        if in_fine - in_barred:
            telling.append(Rule("tell", person, tuple(sorted(in_fine - in_barred))))
    return [*refusing, *telling]


def _stems(one: Planted) -> frozenset[str]:
    """The words by which an owner would name the matter: not the canary, which stands for what must not leave."""
    return frozenset(stem(word) for word in content_words(one.matter.text))
