"""A recurrent model has no prefixes to share: the engine evaluates each prompt from its start, and stays right."""

from collections.abc import Iterator

import numpy as np
import pytest

from kithnet.runtime.engine.context import Context
from kithnet.runtime.engine.core import Core
from kithnet.runtime.engine.jobs import Scored, ScoreRequest, Scoring
from kithnet.runtime.engine.stats import Counters
from kithnet.runtime.llama import LlamaModel
from kithnet.runtime.lora import Adapters

from .engine_jobs import Forced, alone
from .tiny_models import write_mamba

PROMPT = list(range(10, 60))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaModel]:
    loaded = LlamaModel.load(write_mamba(tmp_path_factory.mktemp("tiny") / "mamba.gguf"))
    yield loaded
    loaded.close()


@pytest.fixture
def core(model: LlamaModel) -> Iterator[Core]:
    context = Context(model, cells=512, sequences=16, threads=1)
    yield Core(context, Adapters(model, ()), Counters(), parallel=4)
    context.close()


def test_a_recurrent_model_is_known_for_one(model: LlamaModel) -> None:
    assert not model.divisible and model.generates


def test_prompts_that_begin_alike_are_each_evaluated_and_right(core: Core, model: LlamaModel) -> None:
    jobs = [Forced([*PROMPT, 100 + i], [70, 71]) for i in range(6)]
    for job in jobs:
        core.submit(job, lambda outcome: None)
    while not core.idle:
        core.step()
    for job in jobs:
        assert job.evaluated == len(job.prompt)
        for ours, fresh in zip(job.logits, alone(model, job.prompt.tolist(), [70, 71]), strict=True):
            assert np.allclose(ours, fresh, atol=1e-4)
    assert core.stats().cells_used == 0


def test_scores_of_continuations_are_right(core: Core, model: LlamaModel) -> None:
    outcomes: list[object] = []
    core.submit(Scoring(ScoreRequest(PROMPT, [[80, 81, 82], [90]])), outcomes.append)
    while not core.idle:
        core.step()
    (scored,) = outcomes
    assert isinstance(scored, Scored)
    rows = alone(model, PROMPT, [80, 81])
    expected = sum(
        float(r[t]) - float(np.logaddexp.reduce(r.astype(np.float64))) for r, t in zip(rows, [80, 81, 82], strict=True)
    )
    assert scored.logprobs[0] == pytest.approx(expected, abs=1e-3)


def test_a_batch_that_was_stopped_is_evaluated_again(core: Core, model: LlamaModel) -> None:
    job = Forced(PROMPT, [70, 71])
    core.submit(job, lambda outcome: None)
    core.step()
    running = core._running[0]
    core._undo([(running, running.strands[0], None)])  # type: ignore[list-item]
    while not core.idle:
        core.step()
    fresh = alone(model, PROMPT, [70, 71])
    assert np.allclose(job.logits[-1], fresh[-1], atol=1e-4)
