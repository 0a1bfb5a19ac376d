"""LoCoMo's questions: each conversation is a world of two people, who ask each other."""

from pathlib import Path

from kithnet.bench.asking.question import Question, Subject, rng_of
from kithnet.bench.recall import locomo
from kithnet.bench.recall.locomo import ANSWERABLE, CATEGORIES, Conversation
from kithnet.network.records import Tie, World


def load(path: Path, seed: int) -> list[Subject]:
    """A world for each conversation. seed: of who asks. Questions of the fifth kind have no answer; those of the others
    that lack one are left out. Raises RecordError.
    """
    return [_subject(place, one, path, seed) for place, one in enumerate(locomo.load(path), 1)]


def _subject(place: int, conversation: Conversation, path: Path, seed: int) -> Subject:
    a, b = (person.id for person in conversation.people)
    found = []
    for one in conversation.questions:
        identity = f"{conversation.id}:{one.number}"
        asker = rng_of(seed, identity).choice((a, b))
        gold = (one.answer,) if one.category in ANSWERABLE and one.answer else ()
        if one.category in ANSWERABLE and not gold:
            continue
        evidence = tuple(sorted(one.evidence))
        scene = conversation.messages[evidence[0]].session
        kind = CATEGORIES[one.category]
        found.append(Question(identity, one.text, asker, b if asker == a else a, gold, evidence, scene, kind))
    source = {"format": "locomo", "file": path.name}
    world = World(
        list(conversation.people), [Tie(min(a, b), max(a, b), "friend")], list(conversation.messages), source=source
    )
    return Subject(f"locomo-{place}", world, tuple(found))
