"""What one reader noted of talks is read again by the next one: changed where it reads otherwise, kept where it does not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kithnet.agents.chat import session_notes
from kithnet.agents.disclosure.policy import Policy
from kithnet.app import engines, rereading
from kithnet.app.cast import Cast
from kithnet.app.cli import main
from kithnet.app.locate import Place
from kithnet.memory.language.reader import STANCES, Line, WordReader
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Tie
from kithnet.runtime.config import Config
from kithnet.runtime.errors import ModelUnavailable, UnknownPerson

LINES = ("I live in Porto.", "I moved from Porto to Faro.", "My dog is called Tofu.", "My dentist is on Friday.")


class Doubting(WordReader):
    """Takes what speaks of moving for a wish."""

    name = "doubting"

    def judged(self, messages: Sequence[tuple[Line | None, Line]]) -> Any:
        found = super().judged(messages)
        for one, (_, (_, text)) in zip(found, messages, strict=True):
            if "moved" in text:
                one.stance[:] = 0
                one.stance[STANCES.index("wished")] = 1
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Ana's notes of a talk with Ben, by the floor's reader, and one thing she was told to remember."""
    folder = tmp_path / "worlds" / "w"
    at = datetime(2024, 5, 1)
    messages = [ChatMessage(n, "ben", "ana", text, at + timedelta(hours=n), "s1") for n, text in enumerate(LINES)]
    with Store.create(folder / "kith.db", {"kind": "test"}) as store:
        store.ingest([Person("ana", "Ana"), Person("ben", "Ben")], [Tie("ana", "ben")], messages)
        agent = Cast(store, Policy()).agent("ana")
        last = max(message.id for message in store.messages())
        agent.memory.remember(
            about="ben", text="Ben sees the dentist.", told_by="ben", kind="plan", evidence=[last], session="s1"
        )
        session_notes.write_session(agent, "s1", "ben", read=[last])
    return Place("w", folder, tmp_path / "models")


def become(monkeypatch: pytest.MonkeyPatch, reader: WordReader | None) -> None:
    @contextmanager
    def loaded(config: Config, models: Path) -> Iterator[WordReader | None]:
        yield reader

    monkeypatch.setattr(engines, "reader", loaded)


def standing(place: Place) -> set[str]:
    with Store.open(place.folder / "kith.db") as store:
        hits = store.owner("ana").memories()
    return {hit.text for hit in hits if hit.kind != "summary" and hit.valid_to is None}


def reread(place: Place, person: str | None = None) -> rereading.Reread:
    return rereading.reread(place, Config(), person, lambda done, total: None)


def test_what_it_reads_otherwise_goes_what_that_had_ended_holds_again_and_the_rest_stays(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand, dog = "Ben sees the dentist.", "Ben's dog is called Tofu."
    assert standing(place) == {dog, "Ben moved from Porto to Faro.", by_hand}
    become(monkeypatch, Doubting())
    done = reread(place)
    assert (done.people, done.talks, done.gone, done.added) == (1, 1, 1, 0)
    assert standing(place) == {dog, "Ben lives in Porto.", by_hand}
    assert reread(place).talks == 0  # it is read now
    become(monkeypatch, WordReader())
    assert (reread(place, "ana").added, reread(place, "ben").talks) == (1, 0)
    assert standing(place) == {dog, "Ben moved from Porto to Faro.", by_hand}


def test_a_talk_of_which_nothing_was_noted_is_read_again_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place("w", tmp_path / "worlds" / "w", tmp_path / "models")
    said = ChatMessage(0, "ben", "ana", "I moved to Evora.", datetime(2024, 6, 1), "s2")
    with Store.create(place.folder / "kith.db", {"kind": "test"}) as store:
        store.ingest([Person("ana", "Ana"), Person("ben", "Ben")], [Tie("ana", "ben")], [said])
        assert (
            session_notes.write_session(Cast(store, Policy(), reader=Doubting()).agent("ana"), "s2", "ben").added == ()
        )
    become(monkeypatch, WordReader())
    assert (reread(place).talks, reread(place).talks) == (1, 0)
    assert standing(place) == {"Ben moved to Evora."}


def test_without_a_reader_or_with_nobody_of_that_name_nothing_is_changed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = standing(place)
    become(monkeypatch, None)
    with pytest.raises(ModelUnavailable, match="no trained reader"):
        reread(place)
    become(monkeypatch, Doubting())
    with pytest.raises(UnknownPerson):
        reread(place, "zoe")
    assert standing(place) == before


def test_the_command_says_what_it_did(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KITHNET_HOME", str(place.folder.parent.parent))
    become(monkeypatch, Doubting())
    assert main(["memory", "reread", "--world", "w"]) == 0
    assert "had read: 1, of 1 people" in capsys.readouterr().out
    assert main(["memory", "reread", "--world", "w"]) == 0
    assert "had read: 0" in capsys.readouterr().out
