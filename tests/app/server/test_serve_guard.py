"""Who may ask and how much, what happens to those who leave, what is measured."""

import asyncio
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import numpy as np
import openai
import pytest

from kithnet.app.server.listen import bind, check
from kithnet.app.server.services import Services
from kithnet.runtime.chat import Message, OnText, Reply, ReplySpec
from kithnet.runtime.config import ServeConfig
from kithnet.runtime.errors import ConfigError, ModelUnavailable
from kithnet.runtime.scripted import ScriptedModel

Serve = Callable[..., Any]
CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "scripted", "messages": [{"role": "user", "content": "Hello"}]}


class Endless(ScriptedModel):
    """Speaks until it is cancelled; knows how many of its calls run."""

    def __init__(self) -> None:
        super().__init__([], name="scripted")
        self.running = 0
        self.begun = threading.Event()
        self.idle = threading.Event()

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        self.running += 1
        self.idle.clear()
        self.begun.set()
        try:
            while True:
                if on_text is not None:
                    on_text("on and ")
                await asyncio.sleep(0.02)
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()


class Embedder:
    """Vectors of a text's length."""

    name, dim = "lengths", 2

    def embed(self, texts: Sequence[str]) -> Any:
        return np.array([[len(text), 0.5] for text in texts], np.float32)


def posted(port: int, body: dict[str, Any]) -> socket.socket:
    """A connection on which a chat request was sent and nothing was read."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    data = json.dumps(body).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    sock.sendall(head.encode() + data)
    return sock


@pytest.mark.parametrize("more", [{}, {"stream": True}, {"n": 3}])
def test_a_client_that_leaves_ends_its_model_call(serve: Serve, more: dict[str, Any]) -> None:
    model = Endless()
    live = serve(Services({"scripted": model}))
    with posted(live.http.base_url.port, {**ASK, **more}):
        assert model.begun.wait(5)
        if more.get("stream"):
            time.sleep(0.1)
    left = time.monotonic()
    assert model.idle.wait(5)
    assert time.monotonic() - left < 0.5
    time.sleep(0.1)
    assert live.metric("kith_http_in_flight") == 1.0  # the one that asks


def test_a_server_that_stops_ends_its_streams_with_an_error(serve: Serve) -> None:
    model = Endless()
    live = serve(Services({"scripted": model}))
    with live.http.stream("POST", CHAT, json={**ASK, "stream": True}) as got:
        events = got.iter_lines()
        assert next(events).startswith("data: ")
        stopping = threading.Thread(target=live.stop)
        stopping.start()
        *_, last = [line for line in events if line]
        stopping.join()
    assert json.loads(last[6:])["error"]["code"] == "server_stopping"
    assert model.running == 0


def test_a_call_that_takes_too_long_is_given_up(serve: Serve) -> None:
    model = Endless()
    live = serve(Services({"scripted": model}), ServeConfig(timeout=0.2, grace=0.1))
    got = live.http.post(CHAT, json=ASK)
    assert (got.status_code, model.running) == (503, 0)
    assert "0.2 s" in got.json()["error"]["message"]
    assert live.http.get("/health").status_code == 200  # slow, not gone


def test_more_requests_than_may_run_at_once_are_sent_away(serve: Serve) -> None:
    model = Endless()
    live = serve(Services({"scripted": model}), ServeConfig(in_flight=1, grace=0.1))
    with posted(live.http.base_url.port, ASK):
        assert model.begun.wait(5)
        got = live.http.post(CHAT, json=ASK)
        assert (got.status_code, got.json()["error"]["code"]) == (429, "too_many_requests")
        assert got.headers["retry-after"]
        assert live.http.get("/v1/models").status_code == 200
    assert model.idle.wait(5)


# --- bodies ---


def test_a_body_that_is_no_json_object_of_this_kind_is_told(serve: Serve) -> None:
    live = serve(["unused"])
    kind = {"content-type": "application/json"}
    for content, status, code in (
        (b"{", 400, "invalid_json"), (b"", 400, "invalid_value"), (b"[]", 400, "invalid_value"), (b"\xff", 400, None),
        (b'{"model": NaN}', 400, "invalid_value"), (b"[" * 100_000, 400, None), (b'{"model":"\\ud800"}', 400, None),
    ):  # fmt: skip
        got = live.http.post(CHAT, content=content, headers=kind)
        assert got.status_code == status, content[:20]
        assert code in (None, got.json()["error"]["code"])
    for other in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        got = live.http.post(CHAT, content=b"{}", headers={"content-type": other})
        assert (got.status_code, got.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert live.http.post(CHAT, content=b"{}").status_code == 415


def test_a_body_beyond_the_limit_is_refused_before_it_is_read_whole(serve: Serve) -> None:
    live = serve(["unused"], ServeConfig(body_bytes=2048, grace=0.1))
    got = live.http.post(CHAT, json={**ASK, "user": "x" * 4096})
    assert (got.status_code, got.json()["error"]["code"]) == (413, "body_too_large")
    connection = http.client.HTTPConnection("127.0.0.1", live.http.base_url.port, timeout=10)
    connection.putrequest("POST", CHAT)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    for _ in range(4):  # the end of it is never sent
        connection.send(b"400\r\n" + b" " * 1024 + b"\r\n")
    assert connection.getresponse().status == 413
    connection.close()


# --- who may ask ---


def test_with_a_token_only_health_is_open(serve: Serve) -> None:
    live = serve(["Hi."], token="s3cret")
    assert live.client.chat.completions.create(**ASK).choices[0].message.content == "Hi."
    with httpx2.Client(base_url=live.url, trust_env=False) as stranger:
        assert stranger.get("/health").status_code == 200
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic s3cret"}):
            for path in ("/v1/models", "/metrics", "/openapi.json", "/docs", "/nothing"):
                got = stranger.get(path, headers=headers)
                assert (got.status_code, got.json()["error"]["code"]) == (401, "invalid_api_key"), path
                assert got.headers["www-authenticate"] == "Bearer"
            assert stranger.post(CHAT, json=ASK, headers=headers).status_code == 401
        named = {"authorization": "Bearer s3cret", "host": "kith.example"}
        assert stranger.get("/v1/models", headers=named).status_code == 200
    described = live.http.get("/openapi.json").json()
    assert described["security"] == [{"token": []}]


def test_the_docs_are_a_page_of_every_route_and_body_that_loads_nothing(serve: Serve) -> None:
    live = serve(["Hi."], token="s3cret")
    got = live.http.get("/docs")
    assert (got.status_code, got.headers["content-type"]) == (200, "text/html; charset=utf-8")
    described = live.http.get("/openapi.json").json()
    for path in described["paths"]:
        assert f"<code>{path}</code>" in got.text
    for name, body in described["components"]["schemas"].items():
        assert f'<h3 id="{name}">' in got.text
        assert all(f"<code>{field}</code>" in got.text for field in body.get("properties", {}))
    assert "Bearer TOKEN" in got.text and "Bearer TOKEN" not in serve(["Hi."]).http.get("/docs").text
    for loads in ("<script", "src=", "<link", "http://", "https://", "@import", "url("):
        assert loads not in got.text, loads
    anchors = set(re.findall(r'href="#(\w+)"', got.text))
    assert anchors and all(f'id="{anchor}"' in got.text for anchor in anchors)


def test_without_a_token_only_loopback_names_are_served(serve: Serve) -> None:
    live = serve(["unused"])
    for host in ("localhost", "127.0.0.1:80", "[::1]:8080", "LOCALHOST:1"):
        assert live.http.get("/health", headers={"host": host}).status_code == 200, host
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "10.0.0.1", "[fe80::1]"):
        got = live.http.get("/health", headers={"host": host})
        assert (got.status_code, got.json()["error"]["code"]) == (403, "host_not_allowed"), host
    preflight = live.http.options(CHAT, headers={"origin": "http://evil.example"})
    assert "access-control-allow-origin" not in preflight.headers


def test_an_address_others_can_reach_needs_a_token() -> None:
    for host in ("0.0.0.0", "192.168.1.5", "kith.example", "::"):
        with pytest.raises(ConfigError) as raised:
            check(ServeConfig(host=host), "")
        assert "KITHNET_TOKEN" in raised.value.hint
        check(ServeConfig(host=host), "s3cret")
    check(ServeConfig(), "")
    for token in ("a b\n", "käse", " x"):
        with pytest.raises(ConfigError):
            check(ServeConfig(), token)


def test_a_port_that_is_taken_is_told() -> None:
    with bind("127.0.0.1", 0) as sock, pytest.raises(ConfigError) as raised:
        bind("127.0.0.1", sock.getsockname()[1])
    assert "--port" in raised.value.hint
    with pytest.raises(ConfigError):
        bind("no.such.host.invalid", 0)


# --- other routes ---


def test_what_is_not_there_is_told_in_the_same_form(serve: Serve) -> None:
    live = serve(["unused"])
    assert live.http.get("/v1/nothing").json()["error"]["code"] == "not_found"
    got = live.http.get(CHAT)
    assert (got.status_code, got.headers["allow"], got.json()["error"]["code"]) == (405, "POST", "method_not_allowed")


def test_models_are_listed_and_found(serve: Serve) -> None:
    live = serve(Services({"a/b": ScriptedModel([]), "c": ScriptedModel([])}, Embedder()))
    assert [model.id for model in live.client.models.list()] == ["a/b", "c", "lengths"]
    assert live.client.models.retrieve("a/b").owned_by == "kithnet"
    with pytest.raises(openai.NotFoundError):
        live.client.models.retrieve("d")


def test_texts_are_embedded_as_numbers_or_packed(serve: Serve) -> None:
    live = serve(Services({}, Embedder()), ServeConfig(inputs=3, grace=0.1))
    got = live.client.embeddings.create(model="lengths", input=["a", "four"])  # the client asks for base64
    assert [row.embedding for row in got.data] == [[1.0, 0.5], [4.0, 0.5]]
    assert [row.index for row in got.data] == [0, 1]
    plain = live.client.embeddings.create(model="lengths", input="abc", encoding_format="float", dimensions=2)
    assert plain.data[0].embedding == [3.0, 0.5]
    assert live.metric("kith_embedded_texts_total") == 3
    for more, param in (
        ({"input": [1, 2]}, "input"), ({"input": [[1]]}, "input"), ({"input": []}, "input"), ({"input": [""]}, "input"),
        ({"input": ["x"] * 4}, "input"), ({"dimensions": 3}, "dimensions"), ({"encoding_format": "int8"}, "encoding_format"),
    ):  # fmt: skip
        bad = live.http.post("/v1/embeddings", json={"model": "lengths", "input": "x", **more})
        assert (bad.status_code, bad.json()["error"]["param"]) == (400, param), more
    with pytest.raises(openai.NotFoundError):
        live.client.embeddings.create(model="other", input="x")


@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]]])
def test_token_ids_are_refused_with_the_setting_that_sends_texts(serve: Serve, tokens: Any) -> None:
    live = serve(Services({}, Embedder()))
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False") as raised:
        live.client.embeddings.create(model="lengths", input=tokens)
    assert (raised.value.code, raised.value.param) == ("unsupported", "input")


def test_health_tells_that_a_model_is_gone_until_it_answers_again(serve: Serve) -> None:
    gone = ModelUnavailable("the engine died", "")
    live = serve([gone, gone, "Hi.", "unused"])
    assert live.http.get("/health").json() == {"status": "ok", "models": ["scripted"], "reason": ""}
    assert live.http.post(CHAT, json=ASK).status_code == 503
    ill = live.http.get("/health")
    assert (ill.status_code, ill.json()["status"], ill.json()["reason"]) == (503, "unavailable", "the engine died")
    assert live.http.get("/health").status_code == 200
    dead = serve(Services({"scripted": ScriptedModel([])}, alive=lambda: False))
    assert dead.http.get("/health").status_code == 503


@dataclass(frozen=True)
class Stats:
    """Numbers as the engine gives them."""

    requests: int = 3
    step_seconds: float = 0.5


def test_metrics_count_requests_tokens_and_the_engine_s_numbers(serve: Serve) -> None:
    live = serve(Services({"scripted": ScriptedModel(["one two", "three"])}, stats=Stats))
    live.http.post(CHAT, json=ASK)
    live.http.post(CHAT, json={**ASK, "stream": True})
    live.http.post(CHAT, json={**ASK, "n": 0})
    assert live.metric(f'kith_http_requests_total{{method="POST",route="{CHAT}",status="200"}}') == 2
    assert live.metric(f'kith_http_requests_total{{method="POST",route="{CHAT}",status="400"}}') == 1
    assert live.metric('kith_first_token_seconds_count{model="scripted"}') == 2
    assert live.metric('kith_tokens_total{kind="generated",model="scripted"}') == 3
    assert live.metric('kith_tokens_total{kind="sent",model="scripted"}') == 2
    assert (live.metric("kith_engine_requests"), live.metric("kith_engine_step_seconds")) == (3, 0.5)
