"""Messages tagged by the vectors of their words, and what is put together from the tags."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.bench.reading import fit
from kithnet.bench.reading.labelled import Labelled, Labeller, writers
from kithnet.memory.language.time import clock
from kithnet.memory.language.time.clock import said
from kithnet.memory.vectors import HashEmbedder
from kithnet.memory.writing import events, tagging
from kithnet.memory.writing.extract import Cast, Turn
from kithnet.memory.writing.tagging import LABELS, Tagger
from kithnet.memory.writing.units import CLOCK, LENGTH, PERSON, units_of
from kithnet.runtime.embed import LlamaEmbedder

from .talks import NAMES, halves, load

CAST = Cast("ana", NAMES)


@pytest.fixture(scope="module")
def encoder(embedder_path: Path) -> Iterator[LlamaEmbedder]:
    held = LlamaEmbedder.load(embedder_path)
    yield held
    held.close()


@pytest.fixture(scope="module")
def tagger(encoder: LlamaEmbedder) -> Tagger:
    found = tagging.tagger_of(encoder)
    assert found is not None
    return found


def read(tagger: Tagger | None, *told: str) -> list[tuple[str, str, tuple[str, ...]]]:
    turns = [Turn(place, "ana", "ben", text, None) for place, text in enumerate(told, 1)]
    found = events.read(turns, CAST, tagger=tagger)
    return [(one.activity, f"{said(one.start)}-{said(one.end) if one.end else '?'}", one.people) for one in found]


def test_a_message_is_cut_into_words_times_lengths_and_people() -> None:
    words = clock.tokens("Carol has chess at half past two in the afternoon for an hour and a half with me, room 9.")
    units = units_of(words, CAST)
    assert [unit.text for unit in units] == [
        PERSON, "has", "chess", "at", CLOCK, "for", LENGTH, "with", "me", ",", "room", "9", ".",
    ]  # fmt: skip
    assert (units[0].person, units[6].minutes) == ("carol", 90)
    assert units[4].clock is not None and units[4].clock.minute == 14 * 60 + 30
    assert [unit.kind for unit in units if unit.kind != "word"] == ["person", "clock", "length", "pronoun"]


@given(st.text(max_size=80))
def test_the_units_of_any_text_cover_it_without_a_gap(text: str) -> None:
    words = clock.tokens(text)
    at = 0
    for unit in units_of(words, CAST):
        assert unit.first == at < unit.last
        at = unit.last
    assert at == len(words)


def test_what_stands_near_a_word_is_seen_and_nothing_beyond_the_message() -> None:
    units = units_of(clock.tokens("a b c d e f g h i j k l"), None)
    alone = np.arange(1, 13, dtype=np.float32)[:, None]
    seen = tagging.features_of(units, np.zeros((12, 1), np.float32), alone)
    before, behind = seen[:, 7] * tagging.NEAR, seen[:, 8] * tagging.NEAR
    assert before.tolist() == [sum(range(max(1, at - 4), at + 1)) for at in range(12)]
    assert behind.round(4).tolist() == [sum(range(at + 2, min(13, at + 7))) for at in range(12)]


def test_another_embedder_has_no_tagger_and_rules_read_on() -> None:
    assert tagging.tagger_of(HashEmbedder()) is None
    assert read(None, "I have chess from 9:00 to 10:00.") == [("chess", "09:00-10:00", ("ana",))]


UNFORESEEN = (
    ("Don't ring between 9:00 and 11:00 tomorrow, pottery has me in its clutches.", "pottery", "09:00-11:00"),
    ("My whole morning from 8:00 goes to fencing; I surface again at 11:30.", "fencing", "08:00-11:30"),
    ("Fencing kicks off at 18:00 and will eat two hours.", "fencing", "18:00-20:00"),
    ("If you need me at 14:00, tough luck: rowing, until 15:30.", "rowing", "14:00-15:30"),
    ("Two hours of violin, ending at noon, is what tomorrow has in store for me.", "violin", "10:00-12:00"),
    ("The 13:00 to 14:00 slot went to badminton.", "badminton", "13:00-14:00"),
    ("I'm promised to karate from 17:00, and they let us go at 18:30.", "karate", "17:00-18:30"),
    ("Ninety minutes, that's how long I'll be at choir once it begins at 19:00.", "choir", "19:00-20:30"),
    ("Archery wants me there by 10:00 and keeps me till 12:00.", "archery", "10:00-12:00"),
    ("It's judo o'clock at 16:00 for me, an hour of it.", "judo", "16:00-17:00"),
)
"""Ways to tell of a plan that no rule and no template has."""


@pytest.mark.model
def test_most_sentences_that_nobody_has_foreseen_are_read(tagger: Tagger) -> None:
    wrong = [told for told, *wanted in UNFORESEEN if read(tagger, told) != [(*wanted, ("ana",))]]
    assert len(wrong) <= len(UNFORESEEN) * 0.4, wrong


@pytest.mark.model
def test_what_is_tagged_is_moved_and_called_off_by_what_is_said_later(tagger: Tagger) -> None:
    assert read(tagger, "I've got chess from 15:00 to 16:00.", "The chess has been called off.") == []


@pytest.mark.model
def test_a_message_of_any_length_is_tagged_or_left_alone(tagger: Tagger) -> None:
    empty, long = tagger.tag([(), units_of(clock.tokens("chess at 9:00 " * 60), None)])
    assert (empty.odds, empty.act, long.act) == ((), "none", "none")


@pytest.mark.model
def test_talk_in_the_held_out_half_is_read_as_well_as_rules_read_it(tagger: Tagger) -> None:
    _, held_out = halves(load(Path(__file__).parent / "said_daily.toml"))
    right = there = found = 0
    for talk in held_out:
        events_read = talk.read(tagger)
        right += talk.right(events_read)
        found, there = found + len(events_read), there + len(talk.events)
    assert 2 * right / (found + there) >= 0.8


@pytest.mark.model
def test_writers_that_nothing_is_fitted_to_are_labelled_right(tagger: Tagger) -> None:
    held = list(Labeller(writers("held_out"), 3).messages(1))
    tags = tagger.tag([one.units for one in held])
    acts = sum(one.act == tagged.act for one, tagged in zip(held, tags, strict=True))
    assert acts / len(held) >= 0.85


def test_every_writers_templates_make_messages_whose_labels_their_units_may_have() -> None:
    made = list(Labeller(writers(), 1).messages(1))
    assert len({one.writer for one in made}) == len(writers())
    for one in made:
        for unit, label in zip(one.units, one.labels, strict=True):
            assert label in LABELS[tagging.GROUPS[unit.kind]] or unit.kind == "word", (one.template, unit, label)


def test_a_fit_finds_what_parts_two_kinds() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(8000, 6)).astype(np.float32)
    wanted = (rows[:, 2] - rows[:, 4] > 0).astype(np.int64)
    found = fit.logistic(rows, wanted, 2, fit.COURSES[1])
    assert np.mean(found.odds(rows).argmax(axis=1) == wanted) >= 0.95


@pytest.mark.model
def test_weights_that_are_written_are_the_weights_that_were_fitted(encoder: LlamaEmbedder, tmp_path: Path) -> None:
    some: list[Labelled] = list(Labeller({"writer_01": writers()["writer_01"]}, 1).messages(1))[:60]
    found = fit.fitted(some, encoder, fit.COURSES[0])
    fit.save(tmp_path / "tagger.npz", fit.mean([found, found]))
    with np.load(tmp_path / "tagger.npz") as held:
        assert np.allclose(held["clock_weight"], found.units["clock"].weight, rtol=2e-3, atol=1e-2)
        assert set(held.files) == {
            f"{name}_{part}" for name in (*LABELS, "acts", "subjects") for part in ("weight", "bias")
        }


@pytest.mark.parametrize(
    "text",
    ["The pillow claims me at 22:30, and I open my eyes at 6:30.", "Dreamland from 23:00 till 7:00, do not disturb."],
)
def test_a_long_night_told_in_any_words_is_slept_through(tagger: Tagger, text: str) -> None:
    ((activity, time, people),) = read(tagger, "I have yoga from 18:00 to 19:00.", text)[1:]
    assert (activity, people) == ("sleep", ("ana",))
    assert time in ("22:30-06:30", "23:00-07:00")


def test_what_goes_on_through_a_night_and_is_named_is_not_taken_for_sleep(tagger: Tagger) -> None:
    assert read(tagger, "I have a night shift from 22:00 to 6:00.")[0][0] != "sleep"


def test_a_midday_bite_is_lunch_and_an_evening_one_is_not(tagger: Tagger) -> None:
    ((activity, time, _),) = read(tagger, "I'm having a bite to eat at 12:00, for half an hour.")
    assert (activity, time) == ("lunch", "12:00-12:30")
    assert all(found[0] != "lunch" for found in read(tagger, "I'm having a bite to eat at 19:00, for half an hour."))


def test_of_two_lengths_after_something_one_is_the_time_between(tagger: Tagger) -> None:
    (_, found) = read(
        tagger, "I have chess from 9:00 to 10:00.", "Judo for an hour, two hours from the time chess is over."
    )
    assert found == ("judo", "12:00-13:00", ("ana",))
