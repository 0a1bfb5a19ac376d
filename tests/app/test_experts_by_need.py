"""Offloaded experts as a person meets them: settings, statistics, metrics, what fits."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from kithnet.app import engine_stats, engines, fitting
from kithnet.app.doctor import Question, examine
from kithnet.app.runs import Run
from kithnet.app.server.metrics import Metrics
from kithnet.app.trace_view import line
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.config import Config
from kithnet.runtime.convert.experttypes import is_expert
from kithnet.runtime.convert.gguffile import GgufDraft, read_source
from kithnet.runtime.errors import ConfigError, UnknownModel
from kithnet.runtime.local import LocalModel
from kithnet.runtime.offload.calibrate import Thresholds
from kithnet.runtime.offload.fit import RESERVE, expect, fit
from kithnet.runtime.offload.options import ExpertOptions, least_memory
from kithnet.runtime.offload.tuning import Tried, keep
from kithnet.runtime.scripted import ScriptedModel
from kithnet.runtime.trace import MemoryTrace, TraceWriter

from ..runtime.offload.running import Made, make


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("experts"))


def config(made: Made, *settings: str) -> Config:
    return Config.load(None, [f"model.name={made.store.path}", "model.context=128", "model.parallel=2", *settings])


def opened(made: Made, *settings: str) -> LocalModel:
    model = engines.open_chat_model(config(made, *settings), made.store.path.parent)
    assert isinstance(model, LocalModel)
    return model


def say(model: LocalModel) -> None:
    asyncio.run(model.reply([Message("user", "Hello")], ReplySpec(max_tokens=8, raw=True)))


def test_a_store_runs_within_the_memory_that_the_settings_give_it(made: Made) -> None:
    least = least_memory(made.store, ExpertOptions())
    model = opened(made, f"experts.memory={least}", "experts.policy=lru", "experts.prefetch=1")
    say(model)
    stats = model.expert_stats()
    asyncio.run(model.close())
    assert stats is not None
    assert stats.peak_bytes <= stats.budget_bytes == least
    assert stats.evictions > 0


def test_a_model_whose_gguf_is_gone_is_found_by_the_name_of_its_store(made: Made, tmp_path: Path) -> None:
    for file in (made.store.path, made.store.trunk):
        (tmp_path / file.name).symlink_to(file)
    assert engines.model_path("llama", tmp_path) == tmp_path / "llama.experts"
    with pytest.raises(UnknownModel):
        engines.model_path("mixtral", tmp_path)


def test_mixed_precision_takes_the_calibrated_thresholds_or_says_how_to_get_them(tmp_path: Path) -> None:
    fresh = make(tmp_path)
    with pytest.raises(ConfigError) as refused:
        opened(fresh, "experts.precision=mixed")
    assert "kith model calibrate llama" in refused.value.hint
    shares = (0.5, 0.5, 0.0)
    keep(fresh.store.path, Tried(Thresholds(0.0, 1.0, shares), 0.01, 0.99, 0.8))
    least = least_memory(fresh.store, ExpertOptions(t1=0.0))
    model = opened(fresh, "experts.precision=mixed", f"experts.memory={least}")
    say(model)
    stats = model.expert_stats()
    asyncio.run(model.close())
    assert stats is not None
    assert stats.low_misses > 0


def test_settings_of_experts_are_checked_when_they_are_read() -> None:
    with pytest.raises(ConfigError, match="no size"):
        Config.load(None, ["experts.memory=lots"])
    with pytest.raises(ConfigError, match=r"experts\.mode"):
        Config.load(None, ["experts.mode=disk"])


def test_what_the_engine_did_is_an_event_that_stats_shows(made: Made, tmp_path: Path) -> None:
    run = Run("ask-1", tmp_path)
    model = opened(made, "experts.prefetch=1")
    say(model)
    with TraceWriter(run.trace) as trace:
        engine_stats.emit(trace, model)
    asyncio.run(model.close())
    told = engine_stats.of_run(run)
    assert told is not None
    assert told["requests"] == 1
    assert 0 < told["experts"]["hit_rate"] < 1
    assert told["experts"]["bytes_per_token"] > 0
    text = engine_stats.as_text(told)
    assert f"{told['experts']['misses']:,} misses" in text
    assert "of predictions right" in text
    assert "there when needed" in line({"seq": 1, "t": 0.0, "at": "", "kind": "engine", **told})


def test_of_a_model_elsewhere_there_is_nothing_to_tell(tmp_path: Path) -> None:
    trace = MemoryTrace()
    engine_stats.emit(trace, ScriptedModel([]))
    assert trace.events == []
    with TraceWriter(tmp_path / "trace.jsonl") as written:
        written.emit("run", run="r")
    assert engine_stats.of_run(Run("r", tmp_path)) is None
    assert engine_stats.as_text(None) == "Engine: the model runs elsewhere"


def test_metrics_have_every_count_of_offloading_and_none_where_there_is_none(made: Made) -> None:
    model = opened(made)
    say(model)
    text = Metrics(model.stats, model.expert_stats).text().decode()
    stats = model.expert_stats()
    asyncio.run(model.close())
    assert stats is not None
    assert f"kith_experts_misses {float(stats.misses)}" in text
    assert f"kith_experts_bytes_read {float(stats.bytes_read)}" in text
    assert "kith_engine_requests 1.0" in text
    assert "kith_experts" not in Metrics(model.stats, lambda: None).text().decode()


def test_a_model_that_fits_is_said_to(made: Made) -> None:
    found = fitting.look(made.model, 0)
    assert found.fit.verdict == "fits"
    weights = sum(part.nbytes for one in made.store.records if one.precision == "high" for part in one.parts)
    assert found.fit.experts == weights
    assert fitting.line(found).startswith("fits: ")
    assert fitting.contract(found)["store"] == str(made.store.path)


def test_doctor_warns_of_a_model_that_would_be_paged_in_and_out_and_says_what_to_do(made: Made, tmp_path: Path) -> None:
    source = read_source(made.model)
    grown = [
        replace(one, shape=(one.shape[0], one.shape[1] << 20, one.shape[2])) if is_expert(one.name) else one
        for one in source.tensors
    ]
    large = tmp_path / "large.gguf"
    GgufDraft(source, grown).begin(large)  # all holes: half a terabyte that takes no disk
    assert large.stat().st_blocks * 512 < 1 << 20
    checks = examine(Question(tmp_path, str(large), "none"))
    warned = [check for check in checks if check.name == "model memory"]
    assert [(check.ok, check.needed) for check in warned] == [(False, False)]
    assert warned[0].detail.startswith("too large: needs")
    assert warned[0].mend.startswith("choose a smaller model")


def test_a_model_that_does_not_fit_is_to_be_offloaded_and_what_that_costs_is_told(made: Made) -> None:
    found = fitting.look(made.model, 1 << 62)  # keys and values as large as anything
    assert found.fit.verdict == "too small"
    assert fitting.mend(found).startswith("choose a smaller model")
    room = fit(10, 100, 0, 60 + RESERVE, 20)
    outlook = fitting.Outlook("m", room, "m.experts", expect(made.store, 50, 1e6), 1e6)
    assert room.verdict == "offload"
    assert "--experts offload" in fitting.line(outlook)
    assert fitting.mend(outlook) == "run it with --experts offload"
    assert "after: kith model convert m" in fitting.mend(fitting.Outlook("m", room, ""))
