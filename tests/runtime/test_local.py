"""The llama.cpp model: prefix reuse, grammars, streaming, cancellation, and files that are no models."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.engine.sampling import TextOut
from kithnet.runtime.errors import ConfigError, ContextOverflow, ModelFileError, ModelUnavailable, ReplyInvalid
from kithnet.runtime.local import LocalModel, LocalOptions

pytestmark = pytest.mark.model

SYSTEM = Message("system", "You are the personal agent of Monica. You know her friends and answer in a few words.")
QUESTIONS = (
    "Who is Ross?",
    "Name three colours.",
    "What do you cook on Thanksgiving?",
    "Write one sentence about the sea.",
)


def ask(text: str) -> list[Message]:
    return [SYSTEM, Message("user", text)]


@pytest.fixture(scope="module")
def model(chat_model_path: Path) -> Iterator[LocalModel]:
    # One thread: with more, the suite crawls while other programs use the processor.
    loaded = LocalModel.load(chat_model_path, LocalOptions(context=1024, threads=1))
    yield loaded
    asyncio.run(loaded.close())


def fresh(path: Path, messages: list[Message], spec: ReplySpec) -> str:
    async def go() -> str:
        once = LocalModel.load(path, LocalOptions(context=1024, threads=1))
        try:
            return (await once.reply(messages, spec)).text
        finally:
            await once.close()

    return asyncio.run(go())


def test_replies_after_prefix_reuse_equal_those_of_a_fresh_model(model: LocalModel, chat_model_path: Path) -> None:
    spec = ReplySpec(max_tokens=16)

    async def all_of_them() -> list[tuple[str, int, int]]:
        replies = [await model.reply(ask(q), spec) for q in QUESTIONS]
        return [(r.text, r.usage.sent, r.usage.evaluated) for r in replies]

    answers = asyncio.run(all_of_them())
    assert all(evaluated < sent for _, sent, evaluated in answers[1:])
    assert [text for text, _, _ in answers] == [fresh(chat_model_path, ask(q), spec) for q in QUESTIONS]


def test_a_repeated_prompt_evaluates_one_token(model: LocalModel) -> None:
    async def twice() -> tuple[int, int]:
        messages = ask("What is the time?")
        await model.reply(messages, ReplySpec(max_tokens=4))
        usage = (await model.reply(messages, ReplySpec(max_tokens=4))).usage
        return usage.sent, usage.evaluated

    sent, evaluated = asyncio.run(twice())
    assert sent > 30
    assert evaluated == 1


def test_a_continued_conversation_evaluates_only_the_new_turn(model: LocalModel) -> None:
    async def continued() -> tuple[int, int, int]:
        first = ask("Tell me about your friends, please, one after another.")
        reply = await model.reply(first, ReplySpec(max_tokens=24))
        more = [*first, Message("assistant", reply.text), Message("user", "Go on.")]
        second = await model.reply(more, ReplySpec(max_tokens=4))
        return reply.usage.sent, second.usage.sent, second.usage.evaluated

    before, sent, evaluated = asyncio.run(continued())
    assert sent > before + 24
    assert evaluated <= 20


def test_two_alternating_conversations_keep_both_prompts(model: LocalModel) -> None:
    async def alternate() -> list[float]:
        shares = []
        talks = {"Ross": [SYSTEM], "Rachel": [Message("system", "You are Rachel's agent. Be polite. " * 5)]}
        for turn in range(6):
            talk = talks["Ross" if turn % 2 else "Rachel"]
            talk.append(Message("user", f"This is what I have to say in turn {turn}. What do you say?"))
            reply = await model.reply(talk, ReplySpec(max_tokens=8))
            talk.append(Message("assistant", reply.text))
            shares.append(reply.usage.evaluated / reply.usage.sent)
        return shares

    assert max(asyncio.run(alternate())[2:]) < 0.5


def test_prompts_are_given_up_when_cells_run_short_and_answers_stay_right(chat_model_path: Path) -> None:
    spec = ReplySpec(max_tokens=8)
    long = [[Message("user", f"Story {i}: " + f"dog {i} ran over the hill and " * 20)] for i in range(5)]

    async def fill() -> list[str]:
        small = LocalModel.load(chat_model_path, LocalOptions(context=256, threads=1))  # 512 cells for 5 x 200 tokens
        try:
            return [(await small.reply(messages, spec)).text for messages in long]
        finally:
            await small.close()

    texts = asyncio.run(fill())
    assert texts[4] == fresh(chat_model_path, long[4], spec)


def test_temperature_draws_depend_on_the_seed_alone(model: LocalModel) -> None:
    async def draw(seed: int) -> str:
        spec = ReplySpec(max_tokens=12, temperature=1.0, seed=seed)
        return (await model.reply(ask("Invent a name for a boat."), spec)).text

    async def draws() -> list[str]:
        return [await draw(seed) for seed in (1, 1, 2, 3, 4)]

    texts = asyncio.run(draws())
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_grammar_is_obeyed(model: LocalModel, temperature: float) -> None:
    grammar = 'root ::= ("Ross" | "Rachel" | "nobody") "." [0-9]{2}'
    spec = ReplySpec(max_tokens=20, temperature=temperature, grammar=grammar)
    reply = asyncio.run(model.reply(ask("Who is it?"), spec))
    name, number = reply.text.split(".")
    assert name in ("Ross", "Rachel", "nobody")
    assert number.isdigit() and len(number) == 2
    assert reply.finish == "stop"


@pytest.mark.parametrize(
    "grammar", ["", "root ::= missing", 'root ::= root "a" | "b"', 'other ::= "a"', 'root ::= "a'], ids=range(5)
)
def test_a_broken_grammar_is_the_callers_error(model: LocalModel, grammar: str) -> None:
    with pytest.raises(ConfigError):
        asyncio.run(model.reply(ask("Hello"), ReplySpec(grammar=grammar)))


def test_scores_add_up_to_the_greedy_choice(model: LocalModel) -> None:
    async def go() -> tuple[str, int, tuple[float, ...]]:
        grammar = 'root ::= " Rome" | " Paris" | " Berlin"'
        messages = [Message("user", "The capital of France is")]
        picked = await model.reply(messages, ReplySpec(max_tokens=4, grammar=grammar, raw=True))
        scores = await model.score(messages, [" Rome", " Paris", " Berlin"], raw=True)
        return picked.text, scores.best, scores.logprobs

    text, best, logprobs = asyncio.run(go())
    assert [" Rome", " Paris", " Berlin"][best] == text == " Paris"
    assert all(p < 0 for p in logprobs)


def test_a_long_choice_scores_the_same_alone_and_among_others(model: LocalModel) -> None:
    long = " a small town by the sea, where nothing much ever happens in the winter months"
    many = [long, " Paris", *(f" city number {i} of the list" for i in range(12))]
    prompt = [Message("user", "The capital of France is")]

    async def go() -> tuple[float, float, int]:
        alone = await model.score(prompt, [long], raw=True)
        among = await model.score(prompt, many, raw=True)
        return alone.logprobs[0], among.logprobs[0], among.tokens[0]

    alone, among, count = asyncio.run(go())
    assert count > 10
    assert alone == pytest.approx(among, abs=0.05 * count)
    assert alone < -10


def test_scoring_leaves_the_prompt_evaluated(model: LocalModel) -> None:
    async def go() -> tuple[int, int]:
        await model.score(ask("Is it late?"), ["yes", "no"])
        reply = await model.reply(ask("Is it late?"), ReplySpec(max_tokens=2))
        return reply.usage.sent, reply.usage.evaluated

    sent, evaluated = asyncio.run(go())
    assert evaluated == 1 < sent


def test_a_schema_reply_without_room_is_an_error(model: LocalModel) -> None:
    schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    with pytest.raises(ReplyInvalid, match="cut off"):
        asyncio.run(model.reply(ask("Tell me a story."), ReplySpec(max_tokens=5, schema=schema)))


def test_an_overlong_prompt_says_both_counts(model: LocalModel) -> None:
    with pytest.raises(ContextOverflow, match=r"\d+ tokens.* 1024"):
        asyncio.run(model.reply(ask("word " * 1100), ReplySpec()))


def test_control_words_in_content_stay_text(model: LocalModel) -> None:
    async def count(text: str) -> int:
        return (await model.reply(ask(text), ReplySpec(max_tokens=1))).usage.sent

    async def go() -> tuple[int, int]:
        return await count("a <|im_end|> b"), await count("a b")

    marked, plain = asyncio.run(go())
    assert marked > plain + 2  # one control token would be a single token


def test_cancelling_stops_a_long_prompt_soon(model: LocalModel) -> None:
    async def go() -> float:
        task = asyncio.create_task(model.reply(ask("cats and dogs " * 300), ReplySpec(max_tokens=60)))
        await asyncio.sleep(0.3)
        task.cancel()
        start = time.perf_counter()
        with pytest.raises(asyncio.CancelledError):
            await task
        await model.reply([Message("user", "a")], ReplySpec(max_tokens=1, raw=True))
        return time.perf_counter() - start

    start = time.perf_counter()
    asyncio.run(go())
    stopped = time.perf_counter() - start
    start = time.perf_counter()
    asyncio.run(model.reply(ask("dogs and cats " * 300), ReplySpec(max_tokens=60)))
    assert stopped < time.perf_counter() - start  # sooner than the whole of it takes


def test_an_error_in_on_text_reaches_the_caller(model: LocalModel) -> None:
    def fail(piece: str) -> None:
        raise ZeroDivisionError(piece)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(model.reply(ask("Hello"), ReplySpec(max_tokens=50), fail))


def test_a_model_serves_several_event_loops(model: LocalModel) -> None:
    texts: list[str] = []

    def other() -> None:
        texts.append(asyncio.run(model.reply(ask("Hello"), ReplySpec(max_tokens=3))).text)

    threads = [threading.Thread(target=other) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 3 and len(set(texts)) == 1


def test_closing_ends_what_runs(chat_model_path: Path) -> None:
    async def go() -> None:
        once = LocalModel.load(chat_model_path, LocalOptions(context=1024, threads=1))
        running = asyncio.create_task(once.reply(ask("Write a long story."), ReplySpec(max_tokens=900)))
        waiting = asyncio.create_task(once.reply(ask("Hello"), ReplySpec(max_tokens=900)))
        await asyncio.sleep(0.2)
        await once.close()
        for task in (running, waiting):
            with pytest.raises(ModelUnavailable):
                await task

    asyncio.run(go())


def test_files_that_are_no_models_are_refused_without_noise(
    chat_model_path: Path, embedder_path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    head = chat_model_path.read_bytes()[:2_000_000]
    text = tmp_path / "notes.gguf"
    text.write_text("not a model")
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(head)
    stub = tmp_path / "stub.gguf"
    stub.write_bytes(head[:10])
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(head[:40] + b"\xff" * 60 + head[100:])
    for path in (tmp_path / "absent.gguf", tmp_path, text, cut, stub, damaged, embedder_path):
        with pytest.raises(ModelFileError) as refused:
            LocalModel.load(path, LocalOptions(context=256))
        assert str(path) in refused.value.message
        assert refused.value.hint
    assert capfd.readouterr().err == ""


def test_a_process_that_forgets_to_close_still_ends(chat_model_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from kithnet.runtime.local import LocalModel, LocalOptions\n"
        "from kithnet.runtime.chat import Message, ReplySpec\n"
        "m = LocalModel.load(sys.argv[1], LocalOptions(context=256, threads=1))\n"
        "print(asyncio.run(m.reply([Message('user', 'Hello')], ReplySpec(max_tokens=2))).finish)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(chat_model_path)], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "length", "")


def test_half_a_code_point_and_half_a_stop_string_are_held_back() -> None:
    out = TextOut(stop=("STOP",))
    assert out.feed("é".encode()[:1]) == ""
    assert out.feed("é".encode()[1:]) == "é"
    assert out.feed(b" then ST") == " then "
    assert out.feed(b"ILL ") == "STILL "
    assert out.feed(b"S") == ""
    assert out.feed(b"TOP and more") == ""
    assert out.stopped == "STOP"
    assert out.finish() == ""
    assert out.text == "é then STILL "
