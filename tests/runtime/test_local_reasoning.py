"""Reasoning of models in this process: its budget, its marks that are control tokens, and schemas without it."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gguf import TokenType

from kithnet.runtime.chat import Message, Reply, ReplySpec
from kithnet.runtime.errors import ConfigError
from kithnet.runtime.llama import LlamaModel
from kithnet.runtime.local import LocalModel, LocalOptions

from .test_template import GPT_OSS, LFM25, R1
from .tiny_dense import write_dense

ASK = [Message("user", "Hi")]
THINK = {"<think>": TokenType.CONTROL, "</think>": TokenType.CONTROL}
OPEN, CLOSE = 259, 260  # behind the tokens of bytes
QUIET = ((2, -1000.0), (OPEN, -1000.0), (CLOSE, -1000.0))  # it neither ends nor opens nor closes
BUDGET = 20


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalModel]:
    """Random weights behind a template that opens the block, as DeepSeek-R1's."""
    path = write_dense(tmp_path_factory.mktemp("thinker") / "thinker.gguf", extra=THINK, template=R1)
    model = LocalModel.load(path, LocalOptions(context=512, threads=1, reasoning_tokens=BUDGET))
    yield model
    asyncio.run(model.close())


def say(model: LocalModel, **spec: Any) -> tuple[Reply, str]:
    shown: list[str] = []
    reply = asyncio.run(model.reply(ASK, ReplySpec(**spec), shown.append))
    return reply, "".join(shown)


def test_reasoning_beyond_its_budget_is_closed_and_the_reply_has_its_own_tokens(thinker: LocalModel) -> None:
    reply, shown = say(thinker, max_tokens=12, logit_bias=QUIET)
    assert reply.reasoning and reply.text
    assert (reply.finish, shown, reply.usage.generated) == ("length", reply.text, BUDGET + 12)
    assert "think" not in reply.text and "think" not in reply.reasoning


def test_a_close_of_the_model_s_own_ends_its_reasoning(thinker: LocalModel) -> None:
    reply, shown = say(thinker, max_tokens=3, logit_bias=((CLOSE, 1000.0),))
    assert (reply.reasoning, shown) == ("", reply.text)
    assert reply.usage.generated == 4  # the close, and three of the reply


def test_one_call_may_ask_for_another_budget_or_for_no_reasoning(thinker: LocalModel) -> None:
    reply, _ = say(thinker, max_tokens=12, logit_bias=QUIET, reasoning_tokens=5)
    assert reply.usage.generated == 17
    reply, shown = say(thinker, max_tokens=12, logit_bias=QUIET, reasoning_tokens=0)
    assert (reply.reasoning, reply.usage.generated, shown) == ("", 12, reply.text)


def test_a_stop_string_in_the_reasoning_ends_nothing(thinker: LocalModel) -> None:
    whole, _ = say(thinker, max_tokens=12, logit_bias=QUIET)
    reply, _ = say(thinker, max_tokens=12, logit_bias=QUIET, stop=(whole.reasoning[2:4],))
    assert reply.reasoning == whole.reasoning


def test_a_structured_reply_begins_at_once_and_matches(thinker: LocalModel) -> None:
    schema = {"type": "object", "properties": {"day": {"enum": ["<think>", "Friday"]}}, "required": ["day"]}
    reply, shown = say(thinker, max_tokens=60, schema=schema)
    assert json.loads(reply.text)["day"] in ("<think>", "Friday")
    assert (reply.reasoning, shown) == ("", reply.text)


def test_scores_are_of_a_reply_that_begins_at_once(thinker: LocalModel) -> None:
    closed = asyncio.run(thinker.score(ASK, ["a"])).usage.sent
    reply, _ = say(thinker, max_tokens=1, reasoning_tokens=0)
    opened, _ = say(thinker, max_tokens=1)
    assert closed - len(thinker.tokens("a")) == reply.usage.sent > opened.usage.sent


def test_reasoning_may_fill_the_context_without_harm(tmp_path: Path) -> None:
    path = write_dense(tmp_path / "tiny.gguf", extra=THINK, template=R1)

    async def go() -> Reply:
        model = LocalModel.load(path, LocalOptions(context=128, threads=1))
        try:
            return await model.reply(ASK, ReplySpec(max_tokens=100, logit_bias=QUIET))
        finally:
            await model.close()

    reply = asyncio.run(go())
    assert (reply.text, reply.finish) == ("", "length")
    assert reply.reasoning


def test_a_template_that_is_no_jinja_is_a_clear_error_in_chats_and_none_in_raw_prompts(tmp_path: Path) -> None:
    path = write_dense(tmp_path / "tiny.gguf", template="{% if </think>")

    async def go() -> Reply:
        model = LocalModel.load(path, LocalOptions(context=128, threads=1))
        try:
            with pytest.raises(ConfigError, match="chat template"):
                await model.reply(ASK, ReplySpec())
            return await model.reply(ASK, ReplySpec(max_tokens=2, raw=True))
        finally:
            await model.close()

    assert asyncio.run(go()).usage.generated


def test_marks_of_reasoning_are_spelled_though_they_are_control_tokens(tmp_path: Path) -> None:
    harmony = dict.fromkeys(("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|other|>"), TokenType.CONTROL)
    with_channels = write_dense(tmp_path / "a.gguf", extra={**THINK, **harmony}, template=GPT_OSS)
    without = write_dense(tmp_path / "b.gguf", extra={**THINK, "<|end|>": TokenType.CONTROL}, template=LFM25)
    for path, spelled in (
        (with_channels, [b"<think>", b"</think>", b"<|start|>", b"<|end|>", b"<|message|>", b"<|channel|>", b""]),
        (without, [b"<think>", b"</think>", b""]),
    ):
        model = LlamaModel.load(path)
        assert [model.piece(OPEN + number) for number in range(len(spelled))] == spelled
        model.close()
