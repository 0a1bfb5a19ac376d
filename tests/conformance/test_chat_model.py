"""One suite for every `ChatModel`: what a caller may rely on, whichever model answers."""

import asyncio
import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kithnet.runtime.chat import ChatModel, Message, OnText, Reply, ReplySpec, Scores, Traits
from kithnet.runtime.errors import ConfigError, ContextOverflow, ModelUnavailable, ReplyInvalid
from kithnet.runtime.limits import Limits, Meter, limited, metered
from kithnet.runtime.local import LocalModel, LocalOptions
from kithnet.runtime.remote import RemoteModel
from kithnet.runtime.scripted import RecordingModel, ReplayModel, ScriptedModel

CONTEXT = 512
ASK = [Message("system", "You are brief."), Message("user", "Count from one to ten, please.")]
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "known": {"type": "boolean"}},
    "required": ["name", "known"],
    "additionalProperties": False,
}
COUNTED = "one, two, three; four, five, six; seven, eight, nine, ten"
Make = Callable[[], ChatModel]


def script(messages: Sequence[Message], spec: ReplySpec) -> str:
    if spec.purpose == "score":
        return "yes"
    return '{"name": "Ross", "known": true}' if spec.schema else COUNTED


class _Server(http.server.BaseHTTPRequestHandler):
    """Just enough of the chat completions API; a token is a word."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        sent = sum(len(m["content"].split()) for m in body["messages"])
        if sent > CONTEXT:
            error = {"message": "too long", "code": "context_length_exceeded"}
            return self._send(400, json.dumps({"error": error}), "application/json")
        text = COUNTED
        if "response_format" in body:
            properties = body["response_format"]["json_schema"]["schema"]["properties"]
            chosen = {"choice": properties["choice"]["enum"][0]} if "choice" in properties else None
            text = json.dumps(chosen or {"name": "Ross", "known": True})
        for stop in body.get("stop", []):
            text = text.split(stop)[0]
        words = text.split(" ")
        finish = "length" if len(words) > body["max_tokens"] else "stop"
        words = words[: body["max_tokens"]]
        usage = {
            "prompt_tokens": sent,
            "completion_tokens": len(words),
            "prompt_tokens_details": {"cached_tokens": 1},
        }
        if body.get("stream"):
            pieces = [words[0], *(" " + w for w in words[1:])]
            events: list[dict[str, object]] = [{"choices": [{"index": 0, "delta": {"content": p}}]} for p in pieces]
            events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
            events.append({"choices": [], "usage": usage})
            lines = "".join(f"data: {json.dumps(e)}\n\n" for e in events) + "data: [DONE]\n\n"
            return self._send(200, lines, "text/event-stream")
        choice = {"index": 0, "message": {"role": "assistant", "content": " ".join(words)}}
        answer = {"choices": [{**choice, "finish_reason": finish}], "usage": usage}
        return self._send(200, json.dumps(answer), "application/json")

    def _send(self, status: int, text: str, kind: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


class RecordedAndReplayed:
    """Records each call on a scripted model, then answers it from the recording."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._recorder = RecordingModel(ScriptedModel(script, context=CONTEXT), path)
        self._closed = False

    @property
    def traits(self) -> Traits:
        return ReplayModel(self._path).traits

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        replay = await self._replay(lambda: self._recorder.reply(messages, spec))
        return await replay.reply(messages, spec, on_text)

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        replay = await self._replay(lambda: self._recorder.score(messages, choices, raw=raw))
        return await replay.score(messages, choices, raw=raw)

    async def _replay(self, record: Callable[[], Any]) -> ReplayModel:
        if not self._closed:
            with contextlib.suppress(ContextOverflow, ReplyInvalid):  # recorded too: the replay must raise it
                await record()
        replay = ReplayModel(self._path)
        if self._closed:
            await replay.close()
        return replay

    async def close(self) -> None:
        self._closed = True


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(
    params=[
        "scripted",
        "replay",
        "remote",
        "wrapped",
        pytest.param("local", marks=pytest.mark.model),
        pytest.param("wrapped-local", marks=pytest.mark.model),
    ]
)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """A function that makes the model inside the event loop of the test."""
    kind: str = request.param
    if kind == "replay":
        return lambda: RecordedAndReplayed(tmp_path / "calls.jsonl")
    if kind == "remote":
        url = request.getfixturevalue("server_url")
        return lambda: RemoteModel(url, "tiny", context=CONTEXT)
    if kind.endswith("local"):
        path = request.getfixturevalue("chat_model_path")
        inner: Make = lambda: LocalModel.load(path, LocalOptions(context=CONTEXT, threads=1))  # noqa: E731
    else:
        inner = lambda: ScriptedModel(script, context=CONTEXT)  # noqa: E731
    if kind.startswith("wrapped"):
        return lambda: limited(metered(inner(), Meter()), Limits(calls=1000, tokens=10**6, seconds=600))
    return inner


def run(make: Make, check: Callable[[ChatModel], Any]) -> Any:
    async def go() -> Any:
        model = make()
        try:
            return await check(model)
        finally:
            await model.close()

    return asyncio.run(go())


def test_a_reply_has_text_and_says_what_it_cost(make: Make) -> None:
    reply: Reply = run(make, lambda model: model.reply(ASK, ReplySpec(max_tokens=24)))
    assert reply.text
    assert reply.finish in ("stop", "length")
    assert reply.usage.calls == 1
    assert 0 < reply.usage.evaluated <= reply.usage.sent
    assert 0 < reply.usage.generated <= 24
    assert reply.usage.seconds >= 0


def test_the_same_request_gets_the_same_greedy_reply(make: Make) -> None:
    async def twice(model: ChatModel) -> tuple[str, str]:
        spec = ReplySpec(max_tokens=16)
        return (await model.reply(ASK, spec)).text, (await model.reply(ASK, spec)).text

    first, second = run(make, twice)
    assert first == second


def test_a_cut_reply_says_so(make: Make) -> None:
    reply = run(make, lambda model: model.reply(ASK, ReplySpec(max_tokens=2)))
    assert reply.finish == "length"
    assert reply.usage.generated == 2


def test_streamed_pieces_make_up_the_reply_and_arrive_on_the_callers_thread(make: Make) -> None:
    pieces: list[str] = []
    threads: set[int] = set()

    def on_text(piece: str) -> None:
        pieces.append(piece)
        threads.add(threading.get_ident())

    reply = run(make, lambda model: model.reply(ASK, ReplySpec(max_tokens=24), on_text))
    assert "".join(pieces) == reply.text
    assert threads == {threading.get_ident()}


def test_a_stop_string_ends_the_reply_and_is_never_shown(make: Make) -> None:
    shown: list[str] = []
    spec = ReplySpec(max_tokens=40, stop=(";", "e t", "\n\n"))
    reply = run(make, lambda model: model.reply(ASK, spec, shown.append))
    for text in (reply.text, "".join(shown)):
        assert not any(stop in text for stop in spec.stop)


def test_a_schema_reply_matches_its_schema(make: Make) -> None:
    reply = run(make, lambda model: model.reply(ASK, ReplySpec(max_tokens=80, schema=SCHEMA)))
    value = json.loads(reply.text)
    assert isinstance(value["name"], str)
    assert isinstance(value["known"], bool)
    assert reply.finish == "stop"


def test_a_reply_cut_off_inside_its_schema_is_an_error_not_text(make: Make) -> None:
    with pytest.raises(ReplyInvalid):
        run(make, lambda model: model.reply(ASK, ReplySpec(max_tokens=2, schema=SCHEMA)))


def test_an_invalid_schema_is_the_callers_error(make: Make) -> None:
    with pytest.raises(ConfigError):
        run(make, lambda model: model.reply(ASK, ReplySpec(schema={"type": "no such type"})))


def test_no_messages_is_the_callers_error(make: Make) -> None:
    with pytest.raises(ConfigError):
        run(make, lambda model: model.reply([], ReplySpec()))


def test_a_prompt_beyond_the_context_is_refused(make: Make) -> None:
    long = [Message("user", "word " * (CONTEXT + 10))]
    with pytest.raises(ContextOverflow):
        run(make, lambda model: model.reply(long, ReplySpec()))


def test_scores_name_a_best_choice(make: Make) -> None:
    scores: Scores = run(make, lambda model: model.score(ASK, ["yes", "perhaps not today"]))
    assert len(scores.logprobs) == len(scores.tokens) == 2
    assert max(scores.logprobs) <= 0
    assert scores.best in (0, 1)
    assert scores.usage.calls == 1


def test_scoring_nothing_is_the_callers_error(make: Make) -> None:
    with pytest.raises(ConfigError):
        run(make, lambda model: model.score(ASK, []))


def test_parallel_requests_each_get_their_own_reply(make: Make) -> None:
    async def together(model: ChatModel) -> list[Reply]:
        asks = [[Message("user", f"Say the number {i}.")] for i in range(6)]
        return await asyncio.gather(*(model.reply(a, ReplySpec(max_tokens=6)) for a in asks))

    replies = run(make, together)
    assert len(replies) == 6
    assert all(r.text and r.usage.calls == 1 for r in replies)


def test_a_cancelled_request_ends_and_the_next_one_is_answered(make: Make) -> None:
    async def cancel(model: ChatModel) -> Reply:
        task = asyncio.create_task(model.reply(ASK, ReplySpec(max_tokens=400, stop=("never",))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await model.reply(ASK, ReplySpec(max_tokens=4))

    assert run(make, cancel).text


def test_a_closed_model_is_unavailable_and_closing_twice_is_fine(make: Make) -> None:
    async def closed(model: ChatModel) -> None:
        await model.close()
        with pytest.raises(ModelUnavailable):
            await model.reply(ASK, ReplySpec())
        with pytest.raises(ModelUnavailable):
            await model.score(ASK, ["yes", "no"])

    run(make, closed)


def test_traits_say_what_the_model_is(make: Make) -> None:
    async def traits(model: ChatModel) -> Traits:
        return model.traits

    found = run(make, traits)
    assert found.name
    assert found.context == CONTEXT
