"""One talk from the telephones of two people, who call each other and everybody else otherwise; and whose device it was."""

from pathlib import Path

import pytest

from kithnet.app.adding import Wanted, add, messages
from kithnet.app.worlds import open_world
from kithnet.memory.adding import conversations
from kithnet.network.importers.files import LONGEST_TEXT
from kithnet.runtime.errors import RecordError

ANDROID = """13/03/2024, 14:05 - Anna created group "Trip"
13/03/2024, 14:05 - Anna added you
13/03/2024, 14:05 - Anna added Carlo
13/03/2024, 14:06 - Anna: Welcome all of you
13/03/2024, 14:07 - Carlo: thanks for having me
13/03/2024, 14:08 - Ben Ode: hello my friends
13/03/2024, 14:09 - Carlo: where do we meet
"""
IPHONE = """[13/03/2024, 14:05:10] Trip: \u200eMessages and calls are end-to-end encrypted.
[13/03/2024, 14:05:11] Anna L.: \u200eYou created this group
[13/03/2024, 14:05:12] Anna L.: \u200eYou added Benny
[13/03/2024, 14:06:11] Anna L.: Welcome all of you
[13/03/2024, 14:07:30] ~\u202fcarlo b: thanks for having me
[13/03/2024, 14:08:02] Benny: hello my friends
[13/03/2024, 14:09:02] ~\u202fcarlo b: where do we meet
[13/03/2024, 14:10:02] Anna L.: at my place
"""
HERS = """[13/03/2024, 09:05:11] Anna Lind: Hello Ben
[13/03/2024, 09:05:30] Benny: Hi there
[13/03/2024, 09:06:59] Anna Lind: See you tomorrow at the station
"""
HIS = """13/03/2024, 14:05 - Annie: Hello Ben
13/03/2024, 14:05 - Benjamin Ode: Hi there
13/03/2024, 14:06 - Annie: See you tomorrow at the station
14/03/2024, 08:00 - Benjamin Ode: On my way
"""
UTC = Wanted(zone="UTC")


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def said(home: Path) -> list[tuple[str, str]]:
    with open_world(home, "w") as store:
        return [(one["sender"], one["text"]) for one in messages(store, None, None, None)]


def people(home: Path) -> list[str]:
    with open_world(home, "w") as store:
        return sorted(person.name for person in store.people())


def test_a_group_of_one_name_from_two_telephones_is_one_talk_of_the_same_people(tmp_path: Path) -> None:
    his = written(tmp_path / "a", "WhatsApp Chat with Trip.txt", ANDROID)
    hers = written(tmp_path / "b", "WhatsApp Chat - Trip.txt", IPHONE)
    add(tmp_path, "w", [his], UTC)
    second = add(tmp_path, "w", [hers], UTC)
    assert (second.messages["new"], second.messages["seen"], second.new) == (1, 4, [])
    assert people(tmp_path) == ["Anna", "Ben Ode", "Carlo"]
    assert said(tmp_path)[-1] == ("Anna", "at my place")
    assert add(tmp_path, "w", [hers, his], UTC).messages["new"] == 0


def test_somebody_new_who_says_once_what_another_said_is_nobody_else(tmp_path: Path) -> None:
    more = ANDROID + "13/03/2024, 14:09 - Dora: where do we meet\n" + "".join(
        f"13/03/2024, 14:0{n} - Dora: something of my own {n}\n" for n in range(10)
    )  # fmt: skip
    add(tmp_path, "w", [written(tmp_path / "a", "WhatsApp Chat with Trip.txt", ANDROID)], UTC)
    later = add(tmp_path, "w", [written(tmp_path / "b", "WhatsApp Chat with Trip.txt", more)], UTC)
    assert later.new == ["Dora"] and later.messages["new"] == 11


def test_a_later_half_is_known_again_behind_a_long_first_one(tmp_path: Path) -> None:
    times = [(day, hour, minute) for day in range(1, 29) for hour in range(10, 20) for minute in range(0, 60, 3)]
    lines = [
        f"{day:02}/03/2024, {hour}:{minute:02} - {who}: line number {count}\n"
        for count, ((day, hour, minute), who) in enumerate(zip(times, ("Annie", "Ben") * len(times), strict=False))
    ]
    late = written(tmp_path / "a", "WhatsApp Chat with Annie.txt", "".join(lines[-200:]))
    whole = "".join(lines).replace("Annie:", "Anna Lind:").replace("Ben:", "Benny:")
    add(tmp_path, "w", [late], UTC)
    found = add(tmp_path, "w", [written(tmp_path / "b", "WhatsApp Chat with Benny.txt", whole)], UTC)
    assert found.messages["seen"] == 200 and not found.new


def test_two_telephones_in_two_zones_are_one_talk_counted_once(tmp_path: Path) -> None:
    his = written(tmp_path / "a", "WhatsApp Chat with Annie.txt", HIS)
    hers = written(tmp_path / "b", "WhatsApp Chat - Benny.txt", HERS)
    add(tmp_path, "w", [his], Wanted(zone="Europe/London"))
    second = add(tmp_path, "w", [hers], Wanted(zone="America/Chicago"))
    assert second.messages["new"] == 0 and not second.new and second.known == 2
    both = add(tmp_path, "x", [his, his], UTC, dry=True)
    assert both.conversations == 1 and len(both.new) == 2 and both.known == 0


def test_the_owner_of_another_device_is_not_the_owner_of_the_first(tmp_path: Path) -> None:
    add(tmp_path, "w", [written(tmp_path / "a", "WhatsApp Chat with Annie.txt", HIS)], UTC)
    other = "13/03/2024, 20:05 - Zed: Hi\n13/03/2024, 20:06 - Mona Silva: Hello Zed\n"
    report = add(tmp_path, "w", [written(tmp_path / "b", "WhatsApp Chat with Zed.txt", other)], UTC)
    assert sorted(report.new) == ["Mona Silva", "Zed"] and any("Mona Silva" in text for text in report.assumed)
    again = "13/03/2024, 21:05 - Kai: Hi\n13/03/2024, 21:06 - Benjamin: Hello Kai\n"
    assert add(tmp_path, "w", [written(tmp_path / "c", "WhatsApp Chat with Kai.txt", again)], UTC).new == ["Kai"]


def test_a_name_that_the_user_gives_is_shown_as_it_is_written(tmp_path: Path) -> None:
    his = written(tmp_path / "a", "WhatsApp Chat with Annie.txt", HIS)
    assert "Benjamin Ode" in add(tmp_path, "w", [his], Wanted(zone="UTC", me="benjamin ode")).new


@pytest.mark.parametrize("name", ["result.json", "message_1.json", "chat.csv", "noname"])
def test_a_file_is_known_by_what_is_in_it(tmp_path: Path, name: str) -> None:
    assert add(tmp_path, "w", [written(tmp_path / "a", name, HIS)], UTC).formats == ["whatsapp"]
    with open_world(tmp_path, "w") as store, store.database.read() as connection:
        assert sum(one["messages"] for one in conversations(connection).values()) == 4


def test_a_text_longer_than_any_message_is_refused_at_once(tmp_path: Path) -> None:
    begin = '{"name": "B", "type": "personal_chat", "id": 4, "messages": [{"id": 1, "type": "message", "text": "'
    path = written(tmp_path, "result.json", begin + "x" * (LONGEST_TEXT + (1 << 20)) + '"}]}')
    with pytest.raises(RecordError):
        add(tmp_path, "w", [path], UTC)


def test_what_a_device_calls_you_is_its_owner(tmp_path: Path) -> None:
    talk = "[13/03/2024, 14:05:10] Ann: hi\n[13/03/2024, 14:05:12] You: ok\n[13/03/2024, 14:05:13] Ben: ok\n"
    group = written(tmp_path / "a", "WhatsApp Chat - Choir.txt", talk)
    assert sorted(add(tmp_path, "w", [group], Wanted(zone="UTC", me="Zoe")).new) == ["Ann", "Ben", "Zoe"]
    again = written(tmp_path / "b", "WhatsApp Chat - Rowers.txt", talk.replace("Ann", "Uma").replace(": o", ": so o"))
    assert add(tmp_path, "w", [again], UTC).new == ["Uma"]


def test_the_hour_that_comes_twice_keeps_the_order_of_the_export(tmp_path: Path) -> None:
    times = ("02:30", "02:50", "02:10", "02:40", "03:05")
    lines = [
        f"27/10/2024, {time} - {who}: line {n}\n" for n, (time, who) in enumerate(zip(times, "ABABA", strict=True))
    ]
    path = written(tmp_path / "a", "WhatsApp Chat with B.txt", "".join(lines))
    add(tmp_path, "w", [path], Wanted(zone="Europe/Berlin"))
    assert [text for _, text in said(tmp_path)] == [f"line {n}" for n in range(5)]
    assert add(tmp_path, "w", [path], Wanted(zone="Europe/Berlin")).messages["new"] == 0
