"""Scripted models, and runs recorded once and replayed."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kithnet.runtime.chat import Message, Reply, ReplySpec
from kithnet.runtime.errors import ContextOverflow, InputError, ModelUnavailable, RecordError, ReplyInvalid
from kithnet.runtime.scripted import RecordingModel, ReplayModel, ScriptedModel

HELLO = [Message("user", "Hello there")]
OLD_KEY = "6d3b3f706e2c129dcc36d91365dbfa88a47ac577d70439568f4e04c0f73a604e"  # of "Hello there" with a spec of defaults


def say(model: ScriptedModel | RecordingModel | ReplayModel, text: str = "Hello there", **spec: object) -> Reply:
    return asyncio.run(model.reply([Message("user", text)], ReplySpec(**spec)))  # type: ignore[arg-type]


def test_scripted_replies_come_in_order_and_the_end_of_the_script_is_an_error() -> None:
    model = ScriptedModel(["first", "second"])
    assert [say(model).text, say(model).text] == ["first", "second"]
    with pytest.raises(ModelUnavailable, match=r"2 replies and this is call 3 \(plan\)"):
        say(model, purpose="plan")


def test_a_script_may_be_a_function_of_the_conversation() -> None:
    def echo(messages: Sequence[Message], spec: ReplySpec) -> str:
        return f"{spec.purpose}: {messages[-1].content}"

    model = ScriptedModel(echo)
    assert say(model, "and you?", purpose="speak").text == "speak: and you?"
    assert model.calls[0][0][0].content == "and you?"


def test_a_scripted_error_is_raised() -> None:
    model = ScriptedModel([ContextOverflow("too long"), "fine"])
    with pytest.raises(ContextOverflow):
        say(model)
    assert say(model).text == "fine"


def test_a_scripted_reply_obeys_stop_length_and_schema_as_a_real_one() -> None:
    model = ScriptedModel(["one two. three", "one two three", "[1, 2]", "{}"])
    assert say(model, stop=(".",)).text == "one two"
    cut = say(model, max_tokens=2)
    assert (cut.text, cut.finish) == ("one two", "length")
    assert say(model, schema={"type": "array", "items": {"type": "integer"}}).text == "[1, 2]"
    with pytest.raises(ReplyInvalid):
        say(model, schema={"type": "object", "required": ["name"]})


def test_reasoning_in_a_script_is_parted_as_from_a_real_reply() -> None:
    model = ScriptedModel(["<think>one two three</think>\n\nfour five", "<think>one two"])
    reply = say(model, max_tokens=1)
    assert (reply.text, reply.finish, reply.reasoning) == ("four", "length", "one two three")
    with pytest.raises(ReplyInvalid, match="only reasoned"):
        say(model, schema={"type": "object"})


def test_a_scripted_pick_must_be_among_the_choices() -> None:
    model = ScriptedModel(["no", "perhaps"])
    scores = asyncio.run(model.score(HELLO, ["yes", "no"]))
    assert (scores.best, scores.exact) == (1, False)
    with pytest.raises(ReplyInvalid):
        asyncio.run(model.score(HELLO, ["yes", "no"]))


def test_a_replay_gives_what_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recorder = RecordingModel(ScriptedModel(["first", "second", ReplyInvalid("bad", "mend it"), "yes"]), path)
    recorded = [say(recorder), say(recorder)]
    with pytest.raises(ReplyInvalid):
        say(recorder, "other")
    scores = asyncio.run(recorder.score(HELLO, ["yes", "no"]))

    replay = ReplayModel(path)
    assert replay.traits == recorder.traits
    assert [say(replay), say(replay), say(replay)] == [*recorded, recorded[1]]
    with pytest.raises(ReplyInvalid) as error:
        say(replay, "other")
    assert error.value.hint == "mend it"
    assert asyncio.run(replay.score(HELLO, ["yes", "no"])) == scores


def test_reasoning_is_recorded_and_replayed_beside_the_reply(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recorded = say(RecordingModel(ScriptedModel(["<think>Hm.</think>Yes."]), path))
    assert say(ReplayModel(path)) == recorded
    assert (recorded.text, recorded.reasoning) == ("Yes.", "Hm.")


def test_a_recording_from_before_there_was_reasoning_is_replayed(tmp_path: Path) -> None:
    path = tmp_path / "old.jsonl"
    usage = {"sent": 2, "evaluated": 2, "generated": 1, "seconds": 0.0, "calls": 1}
    row = {"key": OLD_KEY, "reply": {"text": "Hi.", "finish": "stop", "usage": usage}}
    path.write_text(json.dumps(row) + "\n")
    assert (say(ReplayModel(path)).text, say(ReplayModel(path)).reasoning) == ("Hi.", "")
    with pytest.raises(ModelUnavailable, match="holds no answer"):
        say(ReplayModel(path), reasoning_tokens=5)


def test_a_request_that_was_never_recorded_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    say(RecordingModel(ScriptedModel(["first"]), path), purpose="plan")
    replay = ReplayModel(path)
    assert say(replay, purpose="renamed").text == "first"
    for changed in ({"max_tokens": 7}, {"temperature": 0.5}, {"raw": True}):
        with pytest.raises(ModelUnavailable, match="holds no answer"):
            say(replay, **changed)


def test_a_recording_is_one_json_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    say(RecordingModel(ScriptedModel(["höflich\n"]), path))
    header, row = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert header["traits"]["name"] == "scripted"
    assert row["reply"]["text"] == "höflich\n"
    assert row["messages"] == [{"role": "user", "content": "Hello there"}]


def test_a_damaged_recording_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        ReplayModel(tmp_path / "absent.jsonl")
    path = tmp_path / "run.jsonl"
    say(RecordingModel(ScriptedModel(["first"]), path))
    path.write_text(path.read_text() + '{"key": "cut off', encoding="utf-8")
    with pytest.raises(RecordError, match="row 3"):
        ReplayModel(path)
