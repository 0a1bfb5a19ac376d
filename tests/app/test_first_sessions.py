"""The first session of a stranger, source by source: from an export to a found message that names where it stands."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kithnet.app.cli import main
from kithnet.network.importers.formats import READERS

EXPORTS = Path(__file__).parents[1] / "network" / "exports"


@dataclass(frozen=True)
class Session:
    """export: below the folder of its source. person looks for `query` and finds `text`, which `sender` wrote; `outsider`
    could not read it. options: of `kith world add`."""

    source: str
    export: str
    person: str
    query: str
    sender: str
    text: str
    outsider: str = ""
    options: tuple[str, ...] = ()


SESSIONS = (
    Session("whatsapp", "WhatsApp Chat with Ben Ode.txt", "Anna Reyes", "When does the ferry leave?", "Ben Ode",
            "The ferry leaves at seven"),
    Session("whatsapp", "WhatsApp Chat - Bergfreunde", "Paul", "Wer kommt Samstag?", "Vera",
            "Wer kommt Samstag mit?\nTreffpunkt: Bahnhof\n\n7:30 Uhr", options=("--me", "Me")),
    Session("whatsapp", "محادثة واتساب مع سارة.txt", "سارة", "أين عمر؟", "عمر", "أين أنت؟"),
    Session("telegram", "account", "Anna Berg", "What do we have to buy?", "Anna Berg", "buy oars", "Ben Okoye"),
    Session("telegram", "personal.json", "Ben Okoye", "When do the trams stop?", "Anna Berg", "Trams stop at ten tonight"),
    Session("discord", "server.json", "Anna", "Where are the oars?", "Ben", "the oars are here"),
    Session("slack", "workspace", "Ben König", "What do we plan?", "Anna", "Do not tell Cara: we plan a party", "cara"),
    Session("messenger", "facebook", "Anna Berg", "Which horse is a joke?", "Zoë Král",
            "It is a yellow horse\n\nand a joke: old", "Dina Roth"),
    Session("signal", "desktop", "Mohamed Karim", "When do we meet?", "Lena Voss", "Meet at 8, not at 7", "Alex (climbing)"),
    Session("signal", "sigtop", "Mo Karim", "Who brings tea?", "Signal aaaa0000", "And I bring tea"),
    Session("signal", "tables", "Lena V", "When is choir?", "Ines", "Choir is at 6"),
    Session("imessage", "group", "Ben Ito", "On which page is the new score?", "Rosa", "The new score, page 3/4"),
    Session("googlechat", "takeout", "Ben König", "What should Cara not be told?", "Anna",
            "Don't tell Cara <yet>: a party & cake", "Cara", ("--me", "Anna")),
    Session("matrix", "two.json", "Ben", "Who is leaving the choir?", "Anna Berg", "Only for you: I am leaving the choir",
            options=("--me", "Anna Berg")),
    Session("chatlab", "group.json", "路过", "番茄", "李雷", "这是昨天拍的番茄", options=("--me", "芳")),
    Session("mail", "thread.mbox", "Zoe Marsh", "A che ora il pane?", "Rosa Bianchi", "Porto io il pane.\nArrivo alle 9:",
            "Tom Weber"),
    Session("mail", "takeout.mbox", "Tuuli Aho", "What is in the cellar?", "Max Hall", "Of course. They are in the cellar."),
)  # fmt: skip


def test_every_source_has_its_first_session() -> None:
    assert {one.source for one in SESSIONS} == {reader.name for reader in READERS}


@pytest.mark.parametrize("session", SESSIONS, ids=[f"{one.source}-{one.export}" for one in SESSIONS])
def test_an_export_leads_to_a_found_message_that_is_listed(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path))

    def kith(*words: str) -> Any:
        status = main([*words, "--json"])
        told = capsys.readouterr()
        assert status == 0, told.out + told.err
        return json.loads(told.out)

    line = ("world", "add", "mine", str(EXPORTS / session.source / session.export), "--zone", "UTC", *session.options)
    foreseen, added, again = kith(*line, "--dry-run"), kith(*line), kith(*line)
    assert foreseen["messages"] == added["messages"] and added["format"] == session.source
    assert (again["messages"]["new"], again["messages"]["seen"]) == (0, added["messages"]["new"])
    listed = {one["id"]: one for one in kith("world", "messages", "mine")["messages"]}
    assert len(listed) == added["messages"]["new"]
    best = kith("memory", "search", session.person, session.query, "--world", "mine")["hits"][0]
    assert best["messages"] == [best["id"]] and best["text"] == session.text
    assert (listed[best["id"]]["sender"], listed[best["id"]]["text"]) == (session.sender, session.text)
    if session.outsider:
        others = kith("memory", "search", session.outsider, session.query, "--world", "mine")
        assert best["id"] not in [hit["id"] for hit in others["hits"]]
