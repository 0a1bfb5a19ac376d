"""`LocalModel` with offloaded experts: the same replies, its statistics, and what is loaded in each mode."""

import asyncio
from pathlib import Path

import pytest

from kithnet.runtime.chat import Message, Reply, ReplySpec
from kithnet.runtime.errors import ConfigError, StoreError
from kithnet.runtime.local import LocalModel, LocalOptions
from kithnet.runtime.offload.options import ExpertOptions
from kithnet.runtime.offload.stats import ExpertStats

from .running import Made, make, tight

SPEC = ReplySpec(max_tokens=12, raw=True)
PROMPTS = ("One sheep, two sheep,", "The fence of the", "At night it")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("moe"))


def replies(path: Path, experts: ExpertOptions) -> tuple[list[str], ExpertStats | None]:
    async def go() -> tuple[list[Reply], ExpertStats | None]:
        model = LocalModel.load(path, LocalOptions(context=256, parallel=4, threads=1, experts=experts))
        try:
            said = await asyncio.gather(*(model.reply([Message("user", text)], SPEC) for text in PROMPTS))
            return said, model.expert_stats()
        finally:
            await model.close()

    said, stats = asyncio.run(go())
    return [reply.text for reply in said], stats


def test_replies_are_the_same_whatever_is_done_with_the_experts(made: Made) -> None:
    expected, none = replies(made.model, ExpertOptions(mode="mmap+willneed"))
    assert none is None
    assert replies(made.model, ExpertOptions(mode="memory")) == (expected, None)
    for path in (made.store.path, made.model):
        said, stats = replies(path, tight(made.store, mode="offload", prefetch=1))
        assert said == expected
        assert stats is not None
        assert stats.misses > stats.hits
        assert stats.bytes_read > 0
        assert stats.peak_bytes <= stats.budget_bytes
        assert stats.tokens >= len(PROMPTS) * 12


def test_a_store_is_offloaded_without_being_asked_and_all_of_it_held_where_it_fits(made: Made) -> None:
    _, stats = replies(made.store.path, ExpertOptions())
    assert stats is not None
    assert stats.evictions == 0
    assert stats.hits > stats.misses


def test_a_model_that_fits_is_mapped(made: Made) -> None:
    assert replies(made.model, ExpertOptions())[1] is None


def test_to_offload_without_a_store_is_refused_with_the_command_that_makes_one(made: Made, tmp_path: Path) -> None:
    alone = tmp_path / "alone.gguf"
    alone.write_bytes(made.model.read_bytes())
    with pytest.raises(ConfigError) as refused:
        LocalModel.load(alone, LocalOptions(experts=ExpertOptions(mode="offload")))
    assert refused.value.hint == f"make it: kith model convert {alone}"


def test_a_store_cannot_be_mapped(made: Made) -> None:
    with pytest.raises(ConfigError, match="is an expert store"):
        LocalModel.load(made.store.path, LocalOptions(experts=ExpertOptions(mode="mmap")))


def test_a_store_of_an_earlier_version_of_the_model_is_refused(tmp_path: Path) -> None:
    made = make(tmp_path)
    data = bytearray(made.model.read_bytes())
    data[-8:] = b"retuned!"
    made.model.write_bytes(data)
    with pytest.raises(StoreError, match="has changed since the expert store"):
        LocalModel.load(made.model, LocalOptions(experts=ExpertOptions(mode="offload")))
