"""The remote model against a real HTTP server on this machine that behaves well, badly, or not at all."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kithnet.runtime.chat import Message, Reply, ReplySpec
from kithnet.runtime.errors import ConfigError, ContextOverflow, KithnetError, ModelUnavailable, ReplyInvalid
from kithnet.runtime.remote import RemoteModel

from .endpoint import Act, Handler, Server, answer, delta, error, events, hang, hang_up, send

ASK = [Message("system", "Be brief."), Message("user", "Hello")]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def say(url: str, spec: ReplySpec | None = None, on_text: Any = None, **options: Any) -> Reply:
    async def go() -> Reply:
        model = RemoteModel(url, "tiny", **options)
        try:
            return await model.reply(ASK, spec or ReplySpec(), on_text)
        finally:
            await model.close()

    return asyncio.run(go())


def fails(kind: type[KithnetError], url: str, *args: Any, **options: Any) -> KithnetError:
    with pytest.raises(kind) as caught:
        say(url, *args, **options)
    assert caught.value.hint
    return caught.value


def test_a_reply_and_its_usage_come_through(server: Server) -> None:
    server.acts = [answer("Hi.", prompt_tokens=9, completion_tokens=2, prompt_tokens_details={"cached_tokens": 4})]
    reply = say(server.url, ReplySpec(max_tokens=7, temperature=0.2, seed=5), api_key="secret")
    assert (reply.text, reply.finish) == ("Hi.", "stop")
    usage = reply.usage
    assert (usage.sent, usage.evaluated, usage.generated, usage.calls) == (9, 5, 2, 1)
    assert usage.seconds > 0
    body = server.bodies[0]
    assert (body["model"], body["max_tokens"], body["temperature"], body["seed"]) == ("tiny", 7, 0.2, 5)
    assert body["messages"] == [{"role": m.role, "content": m.content} for m in ASK]
    assert server.headers[0]["authorization"] == "Bearer secret"


def test_raw_prompts_are_one_user_message(server: Server) -> None:
    server.acts = [answer("Hi.")]
    say(server.url, ReplySpec(raw=True))
    assert server.bodies[0]["messages"] == [{"role": "user", "content": "Be brief.Hello"}]


def test_a_stream_is_delivered_piece_by_piece(server: Server) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    server.acts = [answer("Hi."), events(delta("Hé"), delta("llo"), delta("", "length"), usage, "[DONE]")]
    pieces: list[str] = []

    async def go() -> Reply:
        model = RemoteModel(server.url, "tiny")
        await model.reply(ASK, ReplySpec())
        try:
            return await model.reply(ASK, ReplySpec(), pieces.append)
        finally:
            await model.close()

    reply = asyncio.run(go())
    assert pieces == ["Hé", "llo"]
    assert (reply.text, reply.finish, reply.usage.sent) == ("Héllo", "length", 5)


def test_429_is_waited_out_as_the_server_asks(server: Server) -> None:
    server.acts = [error(429, "slow down", retry_after="0.3"), answer("Hi.")]
    start = time.perf_counter()
    assert say(server.url).text == "Hi."
    assert time.perf_counter() - start >= 0.3
    assert len(server.bodies) == 2


def test_a_wait_longer_than_ours_is_not_begun(server: Server) -> None:
    server.acts = [error(429, "tomorrow", retry_after="86400")]
    assert "tomorrow" in fails(ModelUnavailable, server.url).message
    assert len(server.bodies) == 1


def test_500s_are_tried_again_and_then_told(server: Server) -> None:
    server.acts = [error(500, "out of cheese", retry_after="0")]
    message = fails(ModelUnavailable, server.url, retries=2).message
    assert len(server.bodies) == 3
    assert all(part in message for part in (server.url, "500", "3 attempts", "out of cheese"))


def test_a_dropped_connection_is_tried_again(server: Server) -> None:
    server.acts = [hang_up, answer("Hi.")]
    assert say(server.url, retries=1).text == "Hi."


def test_a_refused_connection_asks_whether_the_server_runs() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    caught = fails(ModelUnavailable, url, retries=0)
    assert url in caught.message
    assert "is the server running" in caught.hint


def test_a_silent_server_times_out(server: Server) -> None:
    server.acts = [hang(1.5)]
    caught = fails(ModelUnavailable, server.url, timeout=0.3, retries=0)
    assert "0.3 s" in caught.message


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "API key"), (403, "key"), (404, "model's name"), (418, "no such request")]
)
def test_a_refusal_is_told_once_with_its_remedy(server: Server, status: int, hint: str) -> None:
    server.acts = [error(status, "no")]
    caught = fails(ModelUnavailable, server.url)
    assert len(server.bodies) == 1
    assert hint in caught.hint and str(status) in caught.message


@pytest.mark.parametrize(
    "act",
    [
        error(400, "too long", "context_length_exceeded"),
        error(400, "the request exceeds the available context size (4096 tokens)"),
    ],
)
def test_a_prompt_the_server_finds_too_long_is_an_overflow(server: Server, act: Act) -> None:
    server.acts = [act]
    fails(ContextOverflow, server.url)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>It works!</html>",
        "[]",
        "{}",
        '{"choices": []}',
        '{"choices": [{}]}',
        '{"choices": 3}',
        '{"choices": [{"mes',
    ],
)
def test_nonsense_is_no_reply(server: Server, body: str) -> None:
    server.acts = [send(body)]
    assert server.url in fails(ModelUnavailable, server.url).message


@pytest.mark.parametrize(
    "chunks",
    [("not json",), (delta("Hel"),), ({"choices": "none"},), (delta("Hel"), '{"choices": [{"del')],
    ids=["words", "unfinished", "wrong", "cut"],
)
def test_a_stream_that_breaks_off_is_an_error(server: Server, chunks: tuple[Any, ...]) -> None:
    server.acts = [events(*chunks)]
    fails(ModelUnavailable, server.url, on_text=lambda piece: None)


def test_a_stream_whose_connection_drops_is_unavailable(server: Server) -> None:
    def half(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("content-length", "5000")
        handler.end_headers()
        handler.wfile.write(f"data: {json.dumps(delta('Hel'))}\n\n".encode())

    server.acts = [half]
    fails(ModelUnavailable, server.url, on_text=lambda piece: None, retries=0)


def test_json_that_does_not_fit_the_schema_is_invalid(server: Server) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    spec = ReplySpec(schema=schema)
    server.acts = [answer('{"n": 3}'), answer('{"n": "three"}'), answer('{"n": 3'), answer('{"n": 3', "length")]
    assert say(server.url, spec).text == '{"n": 3}'
    assert server.bodies[0]["response_format"]["json_schema"]["schema"] == schema
    for _ in range(3):
        fails(ReplyInvalid, server.url, spec)


def test_scores_are_a_pick_by_schema(server: Server) -> None:
    server.acts = [answer('{"choice": "no"}'), answer('{"choice": "maybe"}')]

    async def go() -> None:
        model = RemoteModel(server.url, "tiny")
        scores = await model.score(ASK, ["yes", "no"])
        assert (scores.best, scores.exact) == (1, False)
        with pytest.raises(ReplyInvalid):
            await model.score(ASK, ["yes", "no"])
        await model.close()

    asyncio.run(go())
    enum = server.bodies[0]["response_format"]["json_schema"]["schema"]["properties"]["choice"]["enum"]
    assert enum == ["yes", "no"]


def test_settings_out_of_range_and_grammars_are_the_callers_error(server: Server) -> None:
    for options in ({"timeout": 0}, {"retries": -1}, {"context": 0}):
        with pytest.raises(ConfigError):
            RemoteModel(server.url, "tiny", **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        RemoteModel("localhost:8080", "tiny")
    fails(ConfigError, server.url, ReplySpec(grammar='root ::= "a"'))
