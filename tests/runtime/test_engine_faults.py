"""What goes wrong around the engine: time-outs, dying threads, callers that vanish, bad requests, damaged states."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.engine import thread
from kithnet.runtime.engine.kvtypes import KvTypes
from kithnet.runtime.errors import (
    ConfigError,
    ModelBusy,
    ModelFileError,
    ModelUnavailable,
    ReplyInvalid,
    StorageError,
)
from kithnet.runtime.hook import TensorView
from kithnet.runtime.local import LocalModel, LocalOptions
from kithnet.runtime.lora import AdapterFile

from .lora_files import write_adapter

pytestmark = pytest.mark.model

STORY = [Message("user", "Tell me a long story about a boat.")]
LETTERS = "root ::= [a-z]+"  # a reply that only ends at max_tokens


@pytest.fixture(scope="module")
def model(chat_model_path: Path) -> Iterator[LocalModel]:
    loaded = LocalModel.load(chat_model_path, LocalOptions(context=1024, parallel=4, threads=1))
    yield loaded
    asyncio.run(loaded.close())


async def settled(model: LocalModel) -> None:
    """Wait until nothing runs."""
    for _ in range(200):
        if model.stats().running == model.stats().waiting == 0:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"still running: {model.stats()}")


def test_a_reply_that_takes_too_long_is_given_up_and_its_place_is_free(model: LocalModel) -> None:
    async def go() -> None:
        with pytest.raises(ModelUnavailable, match=r"within 0\.2 s"):
            await model.reply(STORY, ReplySpec(max_tokens=900, grammar=LETTERS, timeout=0.2))
        await settled(model)
        assert (await model.reply(STORY, ReplySpec(max_tokens=2, timeout=30))).usage.generated == 2

    asyncio.run(go())


def test_a_cancelled_stream_gives_its_place_free(model: LocalModel) -> None:
    async def go() -> None:
        begun = asyncio.Event()
        spec = ReplySpec(max_tokens=900, grammar=LETTERS)
        tasks = [asyncio.create_task(model.reply(STORY, spec, lambda piece: begun.set())) for _ in range(4)]
        await begun.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await settled(model)

    before = model.stats().cancelled
    asyncio.run(go())
    assert model.stats().cancelled == before + 4


def test_a_caller_whose_event_loop_is_gone_harms_nobody(model: LocalModel) -> None:
    """The engine goes on sending pieces for a moment to a loop that has been closed."""

    async def leave() -> None:
        begun = asyncio.Event()
        spec = ReplySpec(max_tokens=900, grammar=LETTERS)
        task = asyncio.create_task(model.reply(STORY, spec, lambda piece: begun.set()))
        await begun.wait()
        task.cancel()

    for _ in range(3):
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(_cancelled(leave()))
        asyncio.run(settled(model))
        assert asyncio.run(model.reply(STORY, ReplySpec(max_tokens=2))).usage.generated == 2
    assert model.stats().restarts == 0


async def _cancelled(work: "asyncio.Future[None] | object") -> None:
    await work  # type: ignore[misc]
    raise asyncio.CancelledError


class Bomb:
    """A hook that raises what it is given, once."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def wants(self, name: str) -> bool:
        return name == "l_out-0"

    def computed(self, tensor: TensorView) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            raise error


@pytest.fixture(scope="module")
def armed(chat_model_path: Path) -> Iterator[tuple[LocalModel, Bomb]]:
    bomb = Bomb()
    loaded = LocalModel.load(chat_model_path, LocalOptions(context=512, parallel=2, threads=1, hook=bomb))
    yield loaded, bomb
    asyncio.run(loaded.close())


def test_when_the_engine_dies_every_waiter_hears_of_it_and_the_next_request_works(
    armed: tuple[LocalModel, Bomb],
) -> None:
    model, bomb = armed

    async def go() -> None:
        spec = ReplySpec(max_tokens=400, grammar=LETTERS)
        tasks = [asyncio.create_task(model.reply(STORY, spec)) for _ in range(6)]
        while model.stats().running < 2:
            await asyncio.sleep(0.01)
        bomb.error = ZeroDivisionError("in a hook")
        for task in tasks:
            with pytest.raises(ModelUnavailable, match=r"died.*ZeroDivisionError"):
                await task
        assert (await model.reply(STORY, ReplySpec(max_tokens=3))).usage.generated == 3

    asyncio.run(go())
    assert model.stats().restarts == 1


def test_an_error_of_ours_in_a_hook_fails_its_batch_only(armed: tuple[LocalModel, Bomb]) -> None:
    model, bomb = armed

    async def go() -> None:
        restarts = model.stats().restarts
        bomb.error = StorageError("expert 3 of layer 7 cannot be read")
        with pytest.raises(StorageError, match="expert 3"):
            await model.reply(STORY, ReplySpec(max_tokens=3))
        fine = await model.reply(STORY, ReplySpec(max_tokens=3))
        assert fine.usage.generated == 3
        assert model.stats().restarts == restarts

    asyncio.run(go())


def test_callers_wait_outside_a_full_engine_and_are_refused_when_the_line_is_long(model: LocalModel) -> None:
    async def go() -> None:
        spec = ReplySpec(max_tokens=900, grammar=LETTERS)
        room = 4 + thread.QUEUE + thread.LINE
        tasks = [asyncio.create_task(model.reply(STORY, spec)) for _ in range(room + 3)]
        refused: set[asyncio.Task[object]] = set()
        for _ in range(1000):
            await asyncio.sleep(0.02)
            refused = {task for task in tasks if task.done()}
            stats = model.stats()
            if len(refused) == 3 and stats.running + stats.waiting == 4 + thread.QUEUE:
                break
        assert model.stats().running + model.stats().waiting == 4 + thread.QUEUE
        assert [type(task.exception()) for task in refused] == [ModelBusy] * 3
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await settled(model)
        assert (await model.reply(STORY, ReplySpec(max_tokens=2))).usage.generated == 2

    asyncio.run(go())


def test_a_grammar_that_nothing_can_satisfy_is_the_callers_error(model: LocalModel) -> None:
    with pytest.raises(ConfigError, match="allows no token"):
        asyncio.run(model.reply(STORY, ReplySpec(max_tokens=5, grammar=r"root ::= [^\x00-\U0010FFFF]")))


def test_a_logit_bias_forbids_and_an_impossible_one_is_refused(model: LocalModel) -> None:
    async def go() -> None:
        prompt = [Message("user", "The capital of France is")]
        spec = ReplySpec(max_tokens=1, raw=True)
        free = await model.reply(prompt, spec)
        ids = model.tokens(free.text)
        forbidden = tuple((token, -100.0) for token in ids)
        other = await model.reply(prompt, ReplySpec(max_tokens=1, raw=True, logit_bias=forbidden))
        assert other.text != free.text
        with pytest.raises(ConfigError, match="token 999999"):
            await model.reply(prompt, ReplySpec(logit_bias=((999999, 1.0),)))

    asyncio.run(go())


def test_top_k_top_p_and_min_p_narrow_what_is_drawn(model: LocalModel) -> None:
    async def go() -> list[set[str]]:
        async def draws(**how: float) -> set[str]:
            specs = [ReplySpec(max_tokens=3, temperature=2.0, seed=s, raw=True, **how) for s in range(8)]  # type: ignore[arg-type]
            replies = await asyncio.gather(*(model.reply([Message("user", "My name is")], s) for s in specs))
            return {reply.text for reply in replies}

        return [
            await draws(min_p=0.0),
            await draws(top_p=0.01),
            await draws(min_p=1.0),
            await draws(top_k=1, min_p=0.0),
        ]

    wide, *narrow = asyncio.run(go())
    assert len(wide) == 8
    assert [len(drawn) for drawn in narrow] == [1, 1, 1]


def test_an_agent_wakes_up_warm_and_says_the_same(model: LocalModel, chat_model_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "states" / "monica.kv"
    past = [Message("user", "Remember: " + "the key lies under the blue pot. " * 12)]
    spec = ReplySpec(max_tokens=8, owner="monica")

    async def go() -> tuple[int, int, str, str, int]:
        first = await model.reply(past, spec)
        saved = await model.sleep("monica", file)
        more = [*past, Message("assistant", first.text), Message("user", "Where is it?")]
        other = LocalModel.load(chat_model_path, LocalOptions(context=1024, parallel=4, threads=1))
        try:
            woken = await other.wake("monica", file)
            reply = await other.reply(more, spec)
        finally:
            await other.close()
        return saved, woken, reply.text, (await model.reply(more, spec)).text, reply.usage.evaluated

    saved, woken, warm, cold, evaluated = asyncio.run(go())
    assert saved == woken > 100
    assert evaluated < 30
    assert warm == cold
    assert file.stat().st_mode & 0o077 == 0


def test_nothing_is_written_for_an_owner_who_never_spoke(model: LocalModel, tmp_path: Path) -> None:
    assert asyncio.run(model.sleep("nobody", tmp_path / "n.kv")) == 0
    assert not (tmp_path / "n.kv").exists()


@pytest.mark.parametrize("harm", ["absent", "truncated", "one bit", "foreign", "garbage header"])
def test_a_state_that_is_damaged_or_foreign_is_refused(
    model: LocalModel, chat_model_path: Path, tmp_path: Path, harm: str
) -> None:
    file = tmp_path / "monica.kv"

    async def go() -> None:
        await model.reply(STORY, ReplySpec(max_tokens=2, owner="monica"))
        await model.sleep("monica", file)
        data = bytearray(file.read_bytes())
        if harm == "absent":
            file.unlink()
        elif harm == "truncated":
            file.write_bytes(data[: len(data) // 2])
        elif harm == "one bit":
            data[-100] ^= 1
            file.write_bytes(data)
        elif harm == "garbage header":
            file.write_bytes(data[:12] + b"\xff" * 40 + data[52:])
        options = LocalOptions(
            context=256, threads=1, kv=KvTypes("q8_0", "q8_0") if harm == "foreign" else KvTypes("f16", "f16")
        )
        other = LocalModel.load(chat_model_path, options)
        try:
            with pytest.raises(ModelFileError) as refused:
                await other.wake("monica", file)
            assert str(file) in refused.value.message and refused.value.hint
            assert (await other.reply(STORY, ReplySpec(max_tokens=2))).usage.generated == 2
        finally:
            await other.close()

    asyncio.run(go())


def test_a_full_or_forbidden_folder_leaves_no_half_state(model: LocalModel, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")

    async def go() -> None:
        await model.reply(STORY, ReplySpec(max_tokens=2, owner="monica"))
        with pytest.raises(StorageError):
            await model.sleep("monica", blocked / "monica.kv")

    asyncio.run(go())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_adapter_is_chosen_by_request_and_an_unknown_one_refused(chat_model_path: Path, tmp_path: Path) -> None:
    files = (AdapterFile("pirate", write_adapter(tmp_path / "pirate.gguf", seed=1), 40.0),)
    options = LocalOptions(context=512, threads=1, adapters=files)

    async def go() -> list[str]:
        once = LocalModel.load(chat_model_path, options)
        try:
            with pytest.raises(ConfigError, match="no adapter 'parrot'"):
                await once.reply(STORY, ReplySpec(adapter="parrot"))
            specs = [ReplySpec(max_tokens=8, adapter=name) for name in ("", "pirate", "")]
            return [reply.text for reply in await asyncio.gather(*(once.reply(STORY, spec) for spec in specs))]
        finally:
            await once.close()

    plain, pirate, again = asyncio.run(go())
    assert plain == again != pirate


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"context": 0}, "context=0"),
        ({"parallel": 0}, "parallel=0"),
        ({"parallel": 1000}, "parallel=1000"),
        ({"kv_mb": 1.0}, "fewer than its context"),
    ],
)
def test_options_out_of_range_are_refused(chat_model_path: Path, options: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        LocalModel.load(chat_model_path, LocalOptions(**options))  # type: ignore[arg-type]
    assert refused.value.hint


def test_a_kv_budget_is_kept(chat_model_path: Path) -> None:
    once = LocalModel.load(chat_model_path, LocalOptions(context=512, kv_mb=10, threads=1, kv=KvTypes("q8_0", "q8_0")))
    try:
        cells = once.stats().cells
        assert cells >= 512
        assert cells * KvTypes("q8_0", "q8_0").bytes_per_token(5760, 5760) <= 10_000_000 * 1.05
    finally:
        asyncio.run(once.close())


def test_closing_twice_and_from_two_threads_is_harmless(chat_model_path: Path) -> None:
    once = LocalModel.load(chat_model_path, LocalOptions(context=256, threads=1))
    threads = [threading.Thread(target=lambda: asyncio.run(once.close())) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with pytest.raises(ModelUnavailable, match="closed"):
        asyncio.run(once.reply(STORY, ReplySpec()))


def test_a_reply_cut_off_inside_its_schema_fails_alone(model: LocalModel) -> None:
    async def go() -> None:
        schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
        cut = model.reply(STORY, ReplySpec(max_tokens=3, schema=schema))
        fine = model.reply(STORY, ReplySpec(max_tokens=12))
        outcomes = await asyncio.gather(cut, fine, return_exceptions=True)
        assert isinstance(outcomes[0], ReplyInvalid)
        assert not isinstance(outcomes[1], BaseException) and outcomes[1].usage.generated == 12

    asyncio.run(go())


def test_memory_stays_flat_over_many_requests(model: LocalModel) -> None:
    async def go() -> float:
        process = psutil.Process()

        async def some(start: int, count: int) -> None:
            for i in range(start, start + count, 8):
                texts = [f"Number {n}." for n in range(i, i + 8)]
                await asyncio.gather(*(model.reply([Message("user", t)], ReplySpec(max_tokens=2)) for t in texts))

        await some(0, 64)
        before = process.memory_info().rss
        await some(64, 160)
        return float(process.memory_info().rss - before) / 1e6

    assert asyncio.run(go()) < 20
