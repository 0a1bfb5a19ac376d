"""Chat completions as the openai package sees them: whole, streamed, with schemas and tools."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import openai
import pytest

from kithnet.app.server.services import Services
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.config import ServeConfig
from kithnet.runtime.errors import ContextOverflow, ModelBusy, ModelError, ModelUnavailable, ReplyInvalid
from kithnet.runtime.scripted import ScriptedModel

Serve = Callable[..., Any]
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a town.",
        "parameters": {
            "type": "object",
            "properties": {"town": {"type": "string"}},
            "required": ["town"],
            "additionalProperties": False,
        },
    },
}
CALL = '{"name": "weather", "arguments": {"town": "Bonn"}}'


def server(serve: Serve, replies: Any, **more: Any) -> tuple[Any, ScriptedModel]:
    model = ScriptedModel(replies, **more)
    return serve(Services({"scripted": model})), model


def test_a_reply_has_its_text_its_end_and_what_it_cost(serve: Serve) -> None:
    live, model = server(serve, ["Good day to you."])
    got = live.client.chat.completions.create(model="scripted", messages=HELLO)
    assert got.choices[0].message.content == "Good day to you."
    assert (got.choices[0].finish_reason, got.object, got.model) == ("stop", "chat.completion", "scripted")
    assert got.choices[0].message.tool_calls is None
    assert got.usage.model_dump(exclude_unset=True) == {
        "prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5, "prompt_tokens_details": {"cached_tokens": 0},
    }  # fmt: skip
    assert model.calls[0][0] == (Message("user", "Hello"),)


def test_reasoning_is_beside_the_content_and_may_be_sent_back(serve: Serve) -> None:
    thought = "<think>Let me see.</think>\n\nGood day."
    live, model = server(serve, [thought, thought, "And to you."])
    said = live.client.chat.completions.create(model="scripted", messages=HELLO).choices[0].message
    assert (said.content, said.reasoning_content) == ("Good day.", "Let me see.")
    stream = live.client.chat.completions.create(model="scripted", messages=HELLO, stream=True)
    chunks = [chunk.model_dump_json() for chunk in stream]
    assert "Good" in "".join(chunks) and "see" not in "".join(chunks)
    back = [*HELLO, said.model_dump(exclude_unset=True), *HELLO]
    again = live.client.chat.completions.create(model="scripted", messages=back).choices[0].message
    assert again.model_dump(exclude_unset=True).keys() == {
        "role",
        "content",
        "refusal",
    }  # a plain reply has no such field
    assert model.calls[-1][0][1] == Message("assistant", "Good day.")


def test_the_settings_of_a_request_reach_the_model(serve: Serve) -> None:
    live, model = server(serve, ["one two three"])
    got = live.client.chat.completions.create(
        model="scripted", messages=HELLO, max_completion_tokens=2, temperature=0.5, top_p=0.9, seed=-1, stop="x",
        logit_bias={"12": -100}, extra_body={"min_p": 0.2}, metadata={"a": "b"}, user="me",
    )  # fmt: skip
    assert (got.choices[0].message.content, got.choices[0].finish_reason) == ("one two", "length")
    spec = model.calls[0][1]
    assert (spec.max_tokens, spec.temperature, spec.top_p, spec.min_p) == (2, 0.5, 0.9, 0.2)
    assert (spec.seed, spec.stop, spec.logit_bias) == ((1 << 32) - 1, ("x",), ((12, -100.0),))
    assert spec.timeout == ServeConfig().timeout


def test_messages_of_every_role_and_form_are_told_in_the_three_roles_of_a_template(serve: Serve) -> None:
    live, model = server(serve, ["Fine."])
    live.client.chat.completions.create(
        model="scripted",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": [{"type": "text", "text": "How is "}, {"type": "text", "text": "Bonn?"}]},
            {
                "role": "assistant", "content": None, "refusal": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "rain"},
            {"role": "user", "content": "So?"},
        ],
    )  # fmt: skip
    assert model.calls[0][0] == (
        Message("system", "Be brief.\n\nBe kind."),
        Message("user", "How is Bonn?"),
        Message("assistant", '<tool_call>{"name": "weather", "arguments": {}}</tool_call>'),
        Message("user", "weather returned: rain\n\nSo?"),
    )


def test_several_replies_draw_from_seeds_of_their_own(serve: Serve) -> None:
    live, _ = server(serve, lambda messages, spec: f"seed {spec.seed}")
    got = live.client.chat.completions.create(model="scripted", messages=HELLO, n=3, temperature=1, seed=7)
    assert [choice.message.content for choice in got.choices] == ["seed 7", "seed 8", "seed 9"]
    assert [choice.index for choice in got.choices] == [0, 1, 2]
    assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (1, 6)
    chunks = list(live.client.chat.completions.create(model="scripted", messages=HELLO, n=2, seed=1, stream=True))
    text = {n: "".join(c.delta.content or "" for k in chunks for c in k.choices if c.index == n) for n in (0, 1)}
    assert text == {0: "seed 1", 1: "seed 2"}


def test_a_streamed_reply_begins_with_its_role_and_ends_with_why_and_the_usage(serve: Serve) -> None:
    live, _ = server(serve, ["Good day to you."])
    stream = live.client.chat.completions.create(
        model="scripted", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert deltas[0].role == "assistant"
    assert [delta.content for delta in deltas[1:-1]] == ["Good", " day", " to", " you."]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 5 + ["stop"]
    assert len({chunk.id for chunk in [*chunks, last]}) == 1
    assert last.choices == [] and last.usage.total_tokens == 5


def test_a_stream_is_events_that_end_with_done(serve: Serve) -> None:
    live, _ = server(serve, ["Hi."])
    got = live.http.post("/v1/chat/completions", json={"model": "scripted", "messages": HELLO, "stream": True})
    assert got.headers["content-type"].startswith("text/event-stream")
    events = got.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(event.startswith("data: {") for event in events[:-2])
    assert "usage" not in json.loads(events[0][6:])


def test_an_error_before_the_first_piece_is_a_status_and_one_after_it_the_last_event(serve: Serve) -> None:
    live, _ = server(serve, [ModelUnavailable("gone", "wait")])
    with pytest.raises(openai.InternalServerError) as raised:
        live.client.chat.completions.create(model="scripted", messages=HELLO, stream=True)
    assert raised.value.status_code == 503

    class Breaks(ScriptedModel):
        async def reply(self, messages: Any, spec: Any, on_text: Any = None) -> Any:
            on_text("Well")
            raise ModelUnavailable("the engine died", "")

    broken = serve(Services({"breaks": Breaks([])}))
    got = broken.http.post("/v1/chat/completions", json={"model": "breaks", "messages": HELLO, "stream": True})
    *_, last, end = got.text.split("\n\n")
    assert (got.status_code, end) == (200, "")
    assert json.loads(last[6:])["error"]["code"] == "model_unavailable"
    with pytest.raises(openai.APIError, match="the engine died"):
        list(broken.client.chat.completions.create(model="breaks", messages=HELLO, stream=True))


def test_a_reply_keeps_to_a_json_schema(serve: Serve) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    live, model = server(serve, ['{"age": 7}', '{"any": 1}', "no"])
    form: Any = {"type": "json_schema", "json_schema": {"name": "age", "schema": schema, "strict": True}}
    got = live.client.chat.completions.create(model="scripted", messages=HELLO, response_format=form)
    assert json.loads(got.choices[0].message.content) == {"age": 7}
    assert model.calls[0][1].schema == schema
    live.client.chat.completions.create(model="scripted", messages=HELLO, response_format={"type": "json_object"})
    assert model.calls[1][1].schema == {"type": "object"}
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        live.client.chat.completions.create(model="scripted", messages=HELLO, response_format=form)
    assert raised.value.code == "reply_invalid"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#"},
        {"type": "string", "pattern": "("},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    ],
)
def test_a_schema_that_is_none_is_a_bad_request(serve: Serve, schema: dict[str, Any]) -> None:
    live, model = server(serve, ['"x"'])
    form: Any = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    with pytest.raises(openai.BadRequestError) as raised:
        live.client.chat.completions.create(model="scripted", messages=HELLO, response_format=form)
    assert raised.value.param == "response_format.json_schema.schema"
    assert model.calls == []


# --- tools ---


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_required_call_is_made_under_a_schema(serve: Serve, choice: Any) -> None:
    live, model = server(serve, [CALL])
    got = live.client.chat.completions.create(
        model="scripted", messages=HELLO, tools=[WEATHER], tool_choice=choice, stop="Bonn"
    )
    (call,) = got.choices[0].message.tool_calls
    assert (got.choices[0].finish_reason, got.choices[0].message.content) == ("tool_calls", None)
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"town": "Bonn"})
    messages, spec = model.calls[0]
    assert messages[0].role == "system" and "weather: The weather of a town." in messages[0].content
    assert spec.schema is not None
    assert spec.schema["properties"]["arguments"] == WEATHER["function"]["parameters"]
    assert spec.stop == ()


def test_with_several_tools_a_required_call_is_any_of_them_and_references_lead_on(serve: Serve) -> None:
    other: Any = {
        "type": "function",
        "function": {
            "name": "route",
            "parameters": {
                "type": "object",
                "properties": {"to": {"$ref": "#/$defs/town"}},
                "required": ["to"],
                "$defs": {"town": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
            },
        },
    }
    live, model = server(serve, ['{"name": "route", "arguments": {"to": {"name": "Ulm"}}}'])
    got = live.client.chat.completions.create(
        model="scripted", messages=HELLO, tools=[WEATHER, other], tool_choice="required"
    )
    assert json.loads(got.choices[0].message.tool_calls[0].function.arguments) == {"to": {"name": "Ulm"}}
    assert len((model.calls[0][1].schema or {})["anyOf"]) == 2


def test_a_model_that_begins_a_call_by_itself_makes_it_under_the_schema(serve: Serve) -> None:
    live, model = server(serve, ["I will look. <tool_call>{nonsense", CALL, "It rains."])
    got = live.client.chat.completions.create(model="scripted", messages=HELLO, tools=[WEATHER])
    message = got.choices[0].message
    assert (message.content, got.choices[0].finish_reason) == ("I will look.", "tool_calls")
    assert message.tool_calls[0].function.name == "weather"
    first, second = model.calls
    assert first[0] == second[0] and first[1].schema is None and second[1].schema is not None
    again = [
        *HELLO,
        message.model_dump(),
        {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "rain"},
    ]
    got = live.client.chat.completions.create(model="scripted", messages=again, tools=[WEATHER], tool_choice="auto")
    assert (got.choices[0].message.content, got.choices[0].finish_reason) == ("It rains.", "stop")
    assert model.calls[2][0][-1] == Message("user", "weather returned: rain")


def test_a_call_is_streamed_as_the_client_puts_it_together(serve: Serve) -> None:
    live, _ = server(serve, ["Let me see. <tool_call>", CALL])
    with live.client.chat.completions.stream(model="scripted", messages=HELLO, tools=[WEATHER]) as stream:
        got = stream.get_final_completion()
    (call,) = got.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"town": "Bonn"})
    assert got.choices[0].finish_reason == "tool_calls"
    assert got.choices[0].message.content.strip() == "Let me see."


def test_with_the_choice_none_the_model_hears_of_no_tools(serve: Serve) -> None:
    live, model = server(serve, ["Plain."])
    live.client.chat.completions.create(model="scripted", messages=HELLO, tools=[WEATHER], tool_choice="none")
    assert model.calls[0][0] == (Message("user", "Hello"),)
    assert model.calls[0][1].stop == ()


# --- what is refused ---


@pytest.mark.parametrize(
    ("more", "param", "code"),
    [
        ({"bogus": 1}, "bogus", "unknown_field"),
        ({"messages": [{"role": "user", "content": "x", "colour": "red"}]}, "messages.0.colour", "unknown_field"),
        ({"logprobs": True}, "logprobs", "unsupported"),
        ({"frequency_penalty": 0.5}, "frequency_penalty", "unsupported"),
        ({"functions": []}, "functions", "unsupported"),
        ({"prompt": [1, 2]}, "prompt", "unsupported"),
        ({"n": 9}, "n", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"options": {"temperature": 3}}, "options.temperature", "invalid_value"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "invalid_value"),
        ({"logit_bias": {"word": 1}}, "logit_bias.word", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0", "invalid_value"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
        ({"tools": [WEATHER, WEATHER]}, "tools", "invalid_value"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice", "invalid_value"),
        ({"tools": [WEATHER], "response_format": {"type": "json_object"}}, "response_format", "invalid_value"),
        ({"stream_options": {}}, "stream_options", "invalid_value"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "no"}]}, "messages", "invalid_value"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_a_bad_request_that_names_the_field(
    serve: Serve, more: dict[str, Any], param: str, code: str
) -> None:
    live, model = server(serve, ["unused"])
    got = live.http.post("/v1/chat/completions", json={"model": "scripted", "messages": HELLO, **more})
    error = got.json()["error"]
    assert (got.status_code, error["code"]) == (400, code), error
    assert error["param"].startswith(param) and error["message"]
    assert model.calls == []


def test_a_client_of_plain_prompts_hears_what_to_change(serve: Serve) -> None:
    live, _ = server(serve, ["unused"])
    got = live.http.post("/v1/completions", json={"model": "scripted", "prompt": [1, 2]})
    assert got.status_code == 404 and "ChatOpenAI" in got.json()["error"]["message"]


def test_unknown_fields_are_all_named_in_one_error(serve: Serve) -> None:
    live, _ = server(serve, ["unused"])
    turn = {"role": "user", "content": "x", "colour": "red"}
    got = live.http.post("/v1/chat/completions", json={"model": "scripted", "messages": [turn], "a": 1, "b": None})
    error = got.json()["error"]
    assert (got.status_code, error["code"], error["param"]) == (400, "unknown_field", "messages.0.colour")
    assert error["message"] == "unknown fields: messages.0.colour, a, b"
    many = {f"field{n}": n for n in range(99)}
    told = live.http.post("/v1/chat/completions", json={"model": "scripted", "messages": HELLO, **many}).json()
    assert told["error"]["message"].endswith("field29 and 69 more")


def ask(live: Any, **more: Any) -> Any:
    got = live.http.post("/v1/chat/completions", json={"model": "scripted", "messages": HELLO, **more})
    assert got.status_code == 200, got.text
    return got


def test_what_clients_send_by_themselves_is_answered_and_what_of_it_did_nothing_is_named(serve: Serve) -> None:
    live, _ = server(serve, lambda messages, spec: "Fine.")
    page = {
        "cache_prompt": True, "reasoning_format": "auto", "samplers": ["top_k"], "dynatemp_range": 0, "xtc_threshold": 0.1,
        "max_tokens": -1, "top_k": 40, "repeat_last_n": 64, "repeat_penalty": 1.0, "dry_allowed_length": 2,
        "timings_per_token": False, "typ_p": 1, "frequency_penalty": 0, "presence_penalty": 0,
    }  # fmt: skip
    got = ask(live, **page, keep_alive="5m", think=False, chat_template_kwargs={"enable_thinking": False, "a": 1})
    assert set(got.headers["x-kithnet-ignored"].split(", ")) == {
        "cache_prompt", "reasoning_format", "samplers", "dynatemp_range", "xtc_threshold", "repeat_last_n",
        "dry_allowed_length", "timings_per_token", "typ_p", "keep_alive", "chat_template_kwargs.a",
    }  # fmt: skip
    streamed = ask(live, stream=True, repeat_penalty=1.1, options={"num_ctx": 4096, "top_k": 3, "x\r\ny": 1})
    assert streamed.headers["x-kithnet-ignored"] == "repeat_penalty, options.num_ctx, options.?"
    assert "x-kithnet-ignored" not in ask(live, top_k=0, options={"seed": 4}, chat_template_kwargs={}).headers


def test_the_options_of_ollama_hold_where_the_request_says_nothing(serve: Serve) -> None:
    live, model = server(serve, lambda messages, spec: "one two three")
    options = {
        "temperature": 0.5, "top_k": 7, "top_p": 0.9, "min_p": 0.2, "seed": 3, "num_predict": 2, "stop": ["x"],
    }  # fmt: skip
    ask(live, options=options)
    spec = model.calls[-1][1]
    assert (spec.temperature, spec.top_k, spec.top_p, spec.min_p, spec.seed) == (0.5, 7, 0.9, 0.2, 3)
    assert (spec.max_tokens, spec.stop, spec.reasoning_tokens) == (2, ("x",), None)
    ask(live, options=options, temperature=0, max_completion_tokens=1, chat_template_kwargs={"enable_thinking": False})
    spec = model.calls[-1][1]
    assert (spec.temperature, spec.max_tokens, spec.top_k, spec.reasoning_tokens) == (0, 1, 7, 0)
    ask(live, options={"num_predict": -1}, top_k=-1, think=False)
    assert model.calls[-1][1].reasoning_tokens == 0
    assert (model.calls[-1][1].max_tokens, model.calls[-1][1].top_k) == (ServeConfig().max_tokens, 0)


def test_fields_that_change_nothing_here_are_accepted(serve: Serve) -> None:
    live, _ = server(serve, ["Fine."])
    quiet = {
        "store": False, "service_tier": "auto", "reasoning_effort": "low", "logprobs": False, "presence_penalty": 0,
        "parallel_tool_calls": True, "modalities": ["text"], "safety_identifier": "x", "prompt_cache_key": "y", "n": None,
        "max_tokens": 5.0,
    }  # fmt: skip
    got = live.http.post("/v1/chat/completions", json={"model": "scripted", "messages": HELLO, **quiet})
    assert got.status_code == 200, got.text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ContextOverflow("too long", "shorten"), 400, "context_length_exceeded"),
        (ModelBusy("the queue is full", "wait"), 429, "queue_full"),
        (ModelUnavailable("gone", ""), 503, "model_unavailable"),
        (ReplyInvalid("cut off", ""), 422, "reply_invalid"),
    ],
)
def test_a_failed_call_has_its_status(serve: Serve, error: ModelError, status: int, code: str) -> None:
    live, _ = server(serve, [error])
    got = live.http.post("/v1/chat/completions", json={"model": "scripted", "messages": HELLO})
    assert (got.status_code, got.json()["error"]["code"]) == (status, code)
    assert ("retry-after" in got.headers) == (status == 429)


def test_a_prompt_beyond_the_context_says_so(serve: Serve) -> None:
    live, _ = server(serve, ["unused"], context=5)
    with pytest.raises(openai.BadRequestError) as raised:
        live.client.chat.completions.create(model="scripted", messages=[{"role": "user", "content": "w " * 9}])
    assert (raised.value.code, raised.value.param) == ("context_length_exceeded", "messages")


def test_an_unknown_model_is_not_found(serve: Serve) -> None:
    live, _ = server(serve, ["unused"])
    for name in ("gpt-9", "person:monica"):
        with pytest.raises(openai.NotFoundError) as raised:
            live.client.chat.completions.create(model=name, messages=HELLO)
        assert raised.value.code == "model_not_found"


def test_a_defect_is_told_without_its_inside(serve: Serve) -> None:
    def breaks(messages: Sequence[Message], spec: ReplySpec) -> str:
        raise KeyError("a secret place")

    live, _ = server(serve, breaks)
    got = live.http.post("/v1/chat/completions", json={"model": "scripted", "messages": HELLO})
    assert got.status_code == 500
    assert "secret" not in got.text and got.json()["error"]["type"] == "server_error"
