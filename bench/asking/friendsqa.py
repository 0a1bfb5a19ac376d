"""FriendsQA's questions over the FriendsTV world: somebody who was not in the scene asks somebody who heard the line.

A question is taken when a line that answers it stands in the CSV under the same scene, and somebody who said or heard it
has a tie to somebody who spoke and heard nothing in that scene. Paraphrases are left out.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from kithnet.bench.asking.question import Question, Subject, alters_of, rng_of
from kithnet.bench.informative.friendsqa import letters, plain, questions_of
from kithnet.network.importers import read_friendstv
from kithnet.network.records import World
from kithnet.runtime.errors import InputError

PARAPHRASED = "_Paraphrased"

Places = Mapping[tuple[str, str, str], Sequence[int]]
"""(scene, first name of the speaker, letters of the line) -> numbers of the messages."""


def load(questions: Path, csv: Path, seed: int) -> Subject:
    """The world of the CSV with the questions that can be asked in it. seed: of who asks whom.

    Raises InputError for files that do not fit together, RecordError for one with a defect.
    """
    world = read_friendstv(csv)
    places, present, alters = _places(world), _present(world), alters_of(world)
    found = []
    for title, speakers, lines, raw in questions_of(questions):
        if raw["id"].endswith(PARAPHRASED):
            continue
        scene = title.replace("_", "")
        golds: dict[str, None] = {}
        evidence: dict[int, None] = {}
        for answer in raw["answers"]:
            uid = answer["utterance_id"]
            wanted = [(scene, who.split()[0].casefold(), letters(lines[uid])) for who in speakers[uid]]
            evidence.update(dict.fromkeys(seq for key in wanted for seq in places.get(key, ())))
            golds.update(dict.fromkeys(_accepted(answer)))
        pair = _pair(raw["id"], world, tuple(evidence), present[scene], alters, seed)
        if pair and golds:
            kind = raw["id"].rsplit("_", 1)[-1].casefold()
            asker, to = pair
            found.append(
                Question(raw["id"], plain(raw["question"]), asker, to, tuple(golds), tuple(evidence), scene, kind)
            )
    if not found:
        raise InputError(f"no line that answers a question of {questions.name} is in {csv.name}", "give matching files")
    return Subject("friends", world, tuple({one.id: one for one in found}.values()))


def _accepted(answer: Mapping[str, object]) -> list[str]:
    """What counts as the answer: the span as it is written; of a speaker's name also the first one."""
    text = plain(str(answer["answer_text"]))
    named = [text, text.split()[0]] if text and answer.get("is_speaker") else [text]
    return [one for one in named if one]


def _places(world: World) -> Places:
    places: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    for one in world.messages:
        if text := letters(one.text):
            places[one.session, one.sender.split()[0], text].append(one.seq)
    return places


def _present(world: World) -> Mapping[str, set[str]]:
    """Scene -> who spoke or heard anything in it."""
    present: defaultdict[str, set[str]] = defaultdict(set)
    for one in world.messages:
        present[one.session] |= one.parties
    return present


def _pair(
    question: str, world: World, evidence: Sequence[int], present: set[str], alters: Mapping[str, list[str]], seed: int
) -> tuple[str, str] | None:
    """(asker, who is asked): a tie between somebody who was not there and a hearer of the line."""
    hearers = {who for seq in evidence for who in world.messages[seq].parties}
    ties = [(out, hearer) for hearer in sorted(hearers) for out in alters.get(hearer, ()) if out not in present]
    if not ties:
        return None
    rng = rng_of(seed, question)
    to = rng.choice(sorted({hearer for _, hearer in ties}))
    return rng.choice([out for out, hearer in ties if hearer == to]), to
