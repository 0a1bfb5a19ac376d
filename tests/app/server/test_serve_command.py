"""`kith serve` as a program of its own: what it prints, the real models, how it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from kithnet.app.cli import main
from kithnet.app.server.listen import bind
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Tie

KITH = (sys.executable, "-c", "import sys\nfrom kithnet.app.cli import main\nsys.exit(main())")
HELLO: list[Any] = [{"role": "user", "content": "Say hello."}]
ADD: Any = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer", "enum": [1, 2]}, "b": {"type": "boolean"}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
    },
}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"town": {"type": "string", "maxLength": 20}},
            "required": ["town"],
            "additionalProperties": False,
        },
    },
}


def history() -> list[Any]:
    """Enough calls that even a small model makes the next one by itself."""
    turns: list[Any] = []
    for number, town in enumerate(["Bonn", "Rome", "Paris", "Ulm"]):
        function = {"name": "weather", "arguments": json.dumps({"town": town})}
        turns += [
            {"role": "user", "content": f"What is the weather in {town}?"},
            {
                "role": "assistant", "content": None,
                "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": f"c{number}", "content": "sunny"},
            {"role": "assistant", "content": "It is sunny."},
        ]  # fmt: skip
    return [*turns, {"role": "user", "content": "What is the weather in Oslo?"}]


@dataclass(frozen=True)
class Program:
    """A running `kith serve`. told: what it printed with --json."""

    process: "subprocess.Popen[str]"
    told: dict[str, Any]
    client: openai.OpenAI
    http: httpx2.Client

    def end(self, sig: int) -> tuple[int, str, str]:
        """(status, rest of stdout, stderr)."""
        self.process.send_signal(sig)
        stdout, stderr = self.process.communicate(timeout=20)
        return self.process.returncode, stdout, stderr


@contextmanager
def program(home: Path, *arguments: str, **environ: str) -> Iterator[Program]:
    command = [*KITH, "serve", "--port", "0", "--json", *arguments]
    process = subprocess.Popen(
        command, env={**os.environ, "KITHNET_HOME": str(home), **environ}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        told = json.loads(line)
        token = environ.get("KITHNET_TOKEN", "none")
        with (
            httpx2.Client(base_url=told["url"], trust_env=False, timeout=30) as http,
            openai.OpenAI(
                base_url=f"{told['url']}/v1", api_key=token, max_retries=0, timeout=30,
                http_client=httpx2.Client(trust_env=False),
            ) as client,
        ):  # fmt: skip
            yield Program(process, told, client, http)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def home(tmp_path: Path, chat_model_path: Path) -> Path:
    """A home with the real models and a world of two people."""
    home = tmp_path / "home"
    said = ChatMessage(1, "dora", "cleo", "The spare key is under the blue flower pot.", datetime(2024, 5, 1), "s")
    with Store.create(home / "worlds" / "w" / "kith.db", {"kind": "test"}) as store:
        store.ingest([Person("cleo", "Cleo"), Person("dora", "Dora")], [Tie("cleo", "dora")], [said])
    (home / "models").symlink_to(chat_model_path.parent)
    return home


@pytest.mark.model
def test_the_real_models_answer_and_ctrl_c_writes_what_is_remembered(home: Path, embedder_path: Path) -> None:
    with program(home, "--world", "w") as served:
        assert served.told["models"] == ["smollm2-135m", "minilm-l6", "person:cleo", "person:dora"]
        client, model = served.client, "smollm2-135m"
        whole = client.chat.completions.create(model=model, messages=HELLO, max_tokens=8)
        chunks = client.chat.completions.create(model=model, messages=HELLO, max_tokens=8, stream=True)
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        assert text == whole.choices[0].message.content != ""
        assert whole.usage is not None and whole.usage.completion_tokens <= 8 < whole.usage.prompt_tokens
        form: Any = {"type": "json_schema", "json_schema": {"name": "yes", "schema": {"enum": ["yes", "no"]}}}
        kept = client.chat.completions.create(model=model, messages=HELLO, response_format=form)
        assert json.loads(kept.choices[0].message.content or "") in ("yes", "no")
        called = client.chat.completions.create(model=model, messages=HELLO, tools=[ADD], tool_choice="required")
        (call,) = called.choices[0].message.tool_calls or []
        assert call.type == "function" and set(json.loads(call.function.arguments)) == {"a", "b"}
        spoken = client.chat.completions.create(model=model, messages=history(), tools=[WEATHER], max_tokens=60)
        (call,) = spoken.choices[0].message.tool_calls or []
        assert call.type == "function" and set(json.loads(call.function.arguments)) == {"town"}
        vectors = client.embeddings.create(model="minilm-l6", input=["a cat", "a kitten", "a tax form"]).data
        near, far = (sum(x * y for x, y in zip(vectors[0].embedding, v.embedding, strict=True)) for v in vectors[1:])
        assert near > far
        asked: Any = [{"role": "user", "content": "Where is the spare key?"}]
        answer = client.chat.completions.create(model="person:cleo", messages=asked)
        assert "pot" in (answer.choices[0].message.content or "")
        status, rest, _ = served.end(signal.SIGINT)
    assert (status, rest) == (130, "")
    with Store.open(home / "worlds" / "w" / "kith.db") as store:
        assert [m.text for m in store.owner("cleo").memories(limit=9) if "spare key" in m.text and m.kind == "summary"]


@pytest.mark.model
def test_sigterm_ends_it_with_status_0_and_its_streams_with_it(home: Path) -> None:
    with program(home, "-c", "serve.grace=0.1", KITHNET_TOKEN="s3cret") as served:
        assert served.told["models"] == ["smollm2-135m", "minilm-l6"]
        assert served.http.get("/v1/models").status_code == 401
        long: Any = {"name": "long", "schema": {"type": "array", "items": {"enum": [1, 2]}, "minItems": 500}}
        stream = served.client.chat.completions.create(
            model="smollm2-135m", messages=HELLO, max_tokens=4000, stream=True,
            response_format={"type": "json_schema", "json_schema": long},
        )  # fmt: skip
        next(iter(stream))
        served.process.send_signal(signal.SIGTERM)
        with pytest.raises(openai.APIError, match="stopping"):
            list(stream)
        assert served.process.wait(15) == 0


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> Mapping[str, str]:
    assert main(["serve", "--json", *arguments]) == 2
    told: dict[str, dict[str, str]] = json.loads(capsys.readouterr().out)
    return told["error"]


def test_an_open_address_a_taken_port_and_an_unknown_world_are_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KITHNET_TOKEN", raising=False)
    assert "token" in refused(capsys, "--host", "0.0.0.0")["message"]
    assert "serve.port" in refused(capsys, "--port", "70000")["message"]
    assert refused(capsys, "--world", "nope")["type"] == "UnknownWorld"
    with bind("127.0.0.1", 0) as sock:
        taken = str(sock.getsockname()[1])
        error = refused(capsys, "--port", taken)
    assert taken in error["message"] and "--port" in error["hint"]
    assert not (tmp_path / "home").exists()
