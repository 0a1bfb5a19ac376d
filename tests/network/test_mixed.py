"""Mixed sessions: MiSC's shape, gold that its messages bear out, two sets of wordings; and MiSC's own files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kithnet.network.generate.mixed import Episode, mixed_episode, update_script
from kithnet.network.generate.mixed_phrases import read_mixed
from kithnet.network.generate.spec import Phrases
from kithnet.network.importers import read_misc
from kithnet.runtime.errors import RecordError

SEEDS = range(6)
SETS: tuple[Phrases, ...] = ("default", "held-out")


@pytest.mark.parametrize("phrases", SETS)
@pytest.mark.parametrize("seed", SEEDS)
def test_an_episode_has_one_main_speaker_three_partners_and_six_sessions_of_two(seed: int, phrases: Phrases) -> None:
    episode = mixed_episode(seed, phrases)
    assert len(episode.sessions) == 6
    assert len({partner for _, partner in episode.sessions}) == 3
    for name, partner in episode.sessions:
        said = [message for message in episode.messages if message.session == name]
        assert {frozenset((m.sender, m.receiver)) for m in said} == {frozenset((episode.main, partner))}
    times = [message.at for message in episode.messages]
    assert times == sorted(times, key=str) and [m.seq for m in episode.messages] == list(range(len(times)))


@pytest.mark.parametrize("phrases", SETS)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_gold_is_in_the_messages(seed: int, phrases: Phrases) -> None:
    episode = mixed_episode(seed, phrases)
    for gold in episode.memories:
        message = episode.messages[gold.message]
        assert message.sender == gold.told_by
        words = gold.value.casefold().split() if gold.kind == "plan" else [gold.value.casefold()]
        assert all(word in message.text.casefold() for word in words), (gold, message.text)
        assert gold.replaces is None or episode.memories[gold.replaces].topic == gold.topic
        assert gold.audience is None or gold.audience == (gold.told_by,)
    numbers = range(len(episode.memories))
    assert all(link.a in numbers and link.b in numbers and link.a != link.b for link in episode.links)
    for tag in episode.tags:
        assert episode.messages[tag.message].sender == episode.main
        assert episode.memories[tag.memory].message < tag.message
    for question in episode.questions:
        assert question.memory not in question.stale


def test_the_same_seed_gives_the_same_episode_and_another_another() -> None:
    assert mixed_episode(3) == mixed_episode(3)
    assert mixed_episode(3) != mixed_episode(4)


def test_there_are_updates_contradictions_reasons_confidences_and_tags() -> None:
    episodes = [mixed_episode(seed) for seed in range(20)]
    assert {link.kind for episode in episodes for link in episode.links} == {"updates", "contradicts", "causes"}
    assert any(gold.audience for episode in episodes for gold in episode.memories)
    assert any(episode.tags for episode in episodes)
    assert {gold.kind for episode in episodes for gold in episode.memories} == {"fact", "preference", "plan", "event"}


def test_the_held_out_wordings_share_no_sentence_with_the_others() -> None:
    def spoken(phrases: Phrases) -> set[str]:
        things = read_mixed(phrases).things
        return {text for thing in things for way in (thing.tell, thing.update, thing.relay, thing.use) for text in way}

    assert not spoken("default") & spoken("held-out")


def test_a_script_of_updates_asks_for_what_holds_at_its_end() -> None:
    for seed in range(20):
        script: Episode = update_script(seed)
        (question,) = script.questions
        assert 1 <= len(question.stale) <= 2
        assert script.memories[question.memory].replaces == question.stale[0]


# --- MiSC's own files ---


def misc(tmp_path: Path, *episodes: Any) -> Path:
    path = tmp_path / "misc.jsonl"
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in episodes), encoding="utf-8")
    return path


NAMES = ["Alice", "Bob", "Alice"]
SAID = ["Hello Bob.", "(Bob): I moved to Oslo. [3]", "Nice! [1, 2]"]
SHAPES: Sequence[Mapping[str, Any]] = [
    {"main_speaker": "Alice", "first_session_speakers": NAMES, "first_session_dialogue": SAID},
    {"speaker_list": ["Alice", "Bob"], "first_session_dialogue": [NAMES, SAID]},
    {"main_speaker": "Alice", "sessions": [{"dialogue": [{"speaker": n, "text": t} for n, t in zip(NAMES, SAID, strict=True)]}]},
    {"main_speaker": "Alice", "session_1": {"dialogue": [f"{n}: {t}" for n, t in zip(NAMES, SAID, strict=True)]}},
    {"main_speaker": "Alice", "sessions": [[[n, t] for n, t in zip(NAMES, SAID, strict=True)]], "memory": {"x": 1}},
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_an_episode_of_misc_is_read_whichever_way_it_is_written(tmp_path: Path, shape: Mapping[str, Any]) -> None:
    world = read_misc(misc(tmp_path, shape))
    assert [person.id for person in world.people] == ["e1-alice", "e1-bob"]
    assert [(m.sender, m.receiver) for m in world.messages] == [
        ("e1-alice", "e1-bob"), ("e1-bob", "e1-alice"), ("e1-alice", "e1-bob"),
    ]  # fmt: skip
    assert world.messages[1].text.endswith("I moved to Oslo.") and world.messages[2].text == "Nice!"
    assert {message.session for message in world.messages} == {"e1 1"}


def test_episodes_have_people_of_their_own_and_sessions_are_a_week_apart(tmp_path: Path) -> None:
    second = ["Hi.", "Hello."]
    episode = {**SHAPES[0], "second_session_dialogue": second, "second_session_speakers": ["Cleo", "Alice"]}
    world = read_misc(misc(tmp_path, episode, SHAPES[0]))
    assert [p.id for p in world.people] == ["e1-alice", "e1-bob", "e1-cleo", "e2-alice", "e2-bob"]
    first, later = world.messages[0].at, world.messages[3].at
    assert first is not None and later is not None and (later - first).days == 7


@pytest.mark.parametrize(
    ("episode", "why"),
    [
        ("{not json", "not JSON"),
        ("[1, 2]", "no episode"),
        ("[" * 100_000, "JSON|deep"),
        ({"main_speaker": "Alice"}, "no session"),
        ({"first_session_dialogue": "a"}, "not a list"),
        ({"main_speaker": "Alice", "first_session_dialogue": ["no speaker here"]}, "without speaker or text"),
        ({"main_speaker": "A", "first_session_speakers": ["A"], "first_session_dialogue": ["x", "y"]}, "2 turns and 1 speakers"),
        ({"main_speaker": "A", "first_session_dialogue": ["A: x", "B: y", "C: z"]}, "2 partners"),
        ({"main_speaker": "A", "first_session_dialogue": [{"speaker": 3, "text": "x"}]}, "without a name"),
        ({"main_speaker": "A", "first_session_dialogue": ["A: x"]}, "no messages"),
        ({"first_session_dialogue": ["A: x", "B: y"]}, "who the main speaker is"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_episode_is_said_with_its_line(tmp_path: Path, episode: Any, why: str) -> None:
    with pytest.raises(RecordError, match=why) as raised:
        read_misc(misc(tmp_path, episode))
    assert raised.value.hint


def test_a_file_of_other_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "misc.jsonl"
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(RecordError):
        read_misc(path)
