"""The core on the real small model: never wrong, whatever is shared, evicted, batched or cancelled."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kithnet.runtime.engine.context import Context, Logits
from kithnet.runtime.engine.core import Core
from kithnet.runtime.engine.jobs import Generated, Job, Scored, ScoreRequest, Scoring, log_softmax
from kithnet.runtime.engine.kvtypes import KvTypes
from kithnet.runtime.engine.stats import Counters
from kithnet.runtime.errors import KithnetError
from kithnet.runtime.llama import LlamaModel
from kithnet.runtime.lora import AdapterFile, Adapters

from .engine_jobs import Forced, alone
from .lora_files import write_adapter

pytestmark = pytest.mark.model

TEXT = " ".join(
    f"On day {i} Ross told Rachel that number {i * 7 % 13} was the house where they met." for i in range(60)
)
Outcome = Generated | Scored | KithnetError


@pytest.fixture(scope="module")
def model(chat_model_path: Path) -> Iterator[LlamaModel]:
    loaded = LlamaModel.load(chat_model_path)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def tokens(model: LlamaModel) -> list[int]:
    return model.tokenise(TEXT, begin=True, special=False)


@pytest.fixture()
def make(model: LlamaModel) -> Iterator["Maker"]:
    maker = Maker(model)
    yield maker
    maker.close()


class Maker:
    """Makes cores and closes their contexts at the end."""

    def __init__(self, model: LlamaModel) -> None:
        self._model = model
        self._contexts: list[Context] = []

    def __call__(
        self, *, cells: int = 2048, sequences: int = 24, parallel: int = 16, adapters: list[AdapterFile] | None = None,
        kv: str = "q8_0",
    ) -> Core:  # fmt: skip
        """q8_0: with it logits do not depend on the shape of a batch (docs/engine.md)."""
        context = Context(self._model, cells=cells, sequences=sequences, threads=1, kv=KvTypes.parse(kv))
        self._contexts.append(context)
        return Core(context, Adapters(self._model, adapters or ()), Counters(), parallel=parallel)

    def close(self) -> None:
        for context in self._contexts:
            context.close()


def run(core: Core, *jobs: Job) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}
    for i, job in enumerate(jobs):
        core.submit(job, lambda outcome, i=i: outcomes.__setitem__(i, outcome))  # type: ignore[misc]
    for _ in range(3000):
        if core.idle:
            break
        core.step()
    return [outcomes[i] for i in range(len(jobs))]


def same(job: Forced, reference: list[Logits]) -> bool:
    return len(job.logits) == len(reference) and all(
        np.array_equal(a, b) for a, b in zip(job.logits, reference, strict=True)
    )


def divergence(reference: Logits, ours: Logits) -> float:
    """KL divergence in nats."""
    p, q = log_softmax(reference), log_softmax(ours)
    return float((np.exp(p) * (p - q)).sum())


@pytest.mark.parametrize("kv", ["f16", "q8_0"])
def test_a_shared_prefix_gives_the_logits_of_a_fresh_context_to_the_last_bit(
    make: Maker, model: LlamaModel, tokens: list[int], kv: str
) -> None:
    core = make(kv=kv)
    prefix, own, follow = tokens[:300], tokens[400:440], tokens[500:508]
    run(core, Forced(prefix, follow), Forced(tokens[600:700], follow))
    job = Forced([*prefix, *own], follow)
    run(core, job)
    assert job.evaluated == len(own)
    assert same(job, alone(model, [*prefix, *own], follow, chunks=(len(prefix), len(own)), kv=kv))


def test_sixteen_at_once_give_what_each_gives_alone(make: Maker, model: LlamaModel, tokens: list[int]) -> None:
    core = make()
    jobs = [Forced([*tokens[:40], 500 + i, *tokens[100 + i : 110 + 2 * i]], tokens[700:706]) for i in range(16)]
    run(core, *jobs)
    for i in (0, 7, 15):
        assert same(jobs[i], alone(model, jobs[i].prompt.tolist(), tokens[700:706]))
    assert core.counters.steps < 16  # they really shared batches


def test_requests_that_come_together_evaluate_their_common_prefix_once(make: Maker, tokens: list[int]) -> None:
    core = make()
    jobs = [Forced([*tokens[:200], 500 + i, *tokens[300:319]], []) for i in range(8)]
    run(core, *jobs)
    assert sum(job.evaluated for job in jobs) == 220 + 7 * 20
    assert core.tree.tokens == 200 + 8 * 20


def test_answers_stay_right_while_prompts_are_evicted_all_the_time(
    make: Maker, model: LlamaModel, tokens: list[int]
) -> None:
    """Freed cells are filled in any order, which changes the order of llama.cpp's sums: equal up to rounding.

    Rounding moved the distribution by 0.02 nats at most over 153 outputs (docs/engine.md); a prefix that is not the
    right one moves it by whole nats.
    """
    core = make(cells=256, sequences=10, parallel=3)
    draw = random.Random(5)
    starts = [tokens[a : a + 40] for a in (0, 200, 400)]
    jobs = [
        Forced(draw.choice(starts) + tokens[at : at + draw.randint(10, 80)], tokens[900 : 900 + draw.randint(0, 6)])
        for at in (draw.randrange(500, 700) for _ in range(30))
    ]
    outcomes = run(core, *jobs)
    assert all(isinstance(outcome, Generated) for outcome in outcomes)
    assert core.counters.evictions > 20
    assert sum(job.evaluated for job in jobs) < sum(len(job.prompt) for job in jobs) * 0.8
    for job in draw.sample(jobs, 8):
        reference = alone(model, job.prompt.tolist(), tokens[900 : 900 + len(job.logits) - 1])
        for ours, theirs in zip(job.logits, reference, strict=True):
            assert divergence(theirs, ours) < 0.1
            assert ours.argmax() == theirs.argmax() or theirs.max() - theirs[ours.argmax()] < 1


def test_no_cell_and_no_sequence_is_lost(make: Maker, tokens: list[int]) -> None:
    core = make(cells=256, sequences=10, parallel=4)
    for round_ in range(4):
        jobs = [Forced(tokens[i * 30 + round_ : i * 30 + round_ + 60], tokens[:4]) for i in range(6)]
        jobs[2].cancelled = round_ % 2 == 0
        run(core, *jobs, Scoring(ScoreRequest(tokens[:60], [tokens[70:76], tokens[80:81], tokens[90:94]])))
    held = {sequence for sequence, _, _ in core.tree.sequences()}
    assert len(held) + len(core._free) == 10
    assert not held & set(core._free)
    assert core.tree.pinned_tokens() == 0
    while core.tree.evict(0):
        pass
    assert core.tree.tokens == 0


def test_a_cancelled_job_leaves_what_it_had_evaluated_for_others(make: Maker, tokens: list[int]) -> None:
    core = make()
    first = Forced(tokens[:700], tokens[:50])
    core.submit(first, lambda outcome: None)
    core.step()
    first.cancelled = True
    core.step()
    assert core.idle and first.freed
    assert core.counters.cancelled == 1
    second = Forced(tokens[:700], [])
    run(core, second)
    assert second.evaluated == 700 - 512


def test_a_reply_never_pauses_long_for_a_long_prompt(make: Maker, tokens: list[int]) -> None:
    core = make()
    talking = Forced(tokens[:20], tokens[100:140])
    core.submit(talking, lambda outcome: None)
    core.step()
    core.submit(Forced(tokens[200:1000], []), lambda outcome: None)
    said = len(talking.logits)
    for _ in range(5):
        core.step()
    assert len(talking.logits) == said + 5


def test_a_short_prompt_passes_a_long_one(make: Maker, tokens: list[int]) -> None:
    core = make()
    long, short = Forced(tokens[:1000], []), Forced(tokens[30:60], [])
    core.submit(long, lambda outcome: None)
    core.submit(short, lambda outcome: None)
    core.step()
    assert short.result is not None and long.result is None


def test_more_jobs_than_cells_wait_their_turn_in_order(make: Maker, tokens: list[int]) -> None:
    core = make(cells=256, parallel=16)
    order: list[int] = []
    for i in range(5):
        core.submit(Forced(tokens[40 * i : 40 * i + 100], tokens[:40]), lambda outcome, i=i: order.append(i))  # type: ignore[misc]
    most = 0
    while not core.idle:
        core.step()
        most = max(most, core.stats().running)
    assert order == [0, 1, 2, 3, 4]
    assert most == 1  # two would need 280 cells


def test_scores_in_one_batch_are_those_of_each_continuation_alone(
    make: Maker, model: LlamaModel, tokens: list[int]
) -> None:
    core = make(sequences=6)
    choices = [tokens[100 : 101 + n] for n in range(9)]
    job = Scoring(ScoreRequest(tokens[:80], choices))
    (outcome,) = run(core, job)
    assert isinstance(outcome, Scored)
    for choice, logprob in zip(choices, outcome.logprobs, strict=True):
        rows = alone(model, tokens[:80], choice[:-1])
        expected = sum(
            float(row[t]) - float(np.logaddexp.reduce(row.astype(np.float64)))
            for row, t in zip(rows, choice, strict=True)
        )
        assert logprob == pytest.approx(expected, abs=1e-6)
    assert outcome.evaluated == 80 + sum(len(c) - 1 for c in choices)


def test_adapters_are_never_mixed(make: Maker, tmp_path: Path, tokens: list[int]) -> None:
    files = [AdapterFile(name, write_adapter(tmp_path / f"{name}.gguf", seed=i)) for i, name in enumerate(("a", "b"))]
    core = make(adapters=files)
    prompt, follow = tokens[:60], tokens[80:84]
    together = {name: Forced(prompt, follow, adapter=name) for name in ("", "a", "b")}
    run(core, *together.values())
    for name, job in together.items():
        again = make(adapters=files)
        lone = Forced(prompt, follow, adapter=name)
        run(again, lone)
        assert same(job, lone.logits)
        assert job.evaluated == 60
    assert not np.array_equal(together["a"].logits[0], together["b"].logits[0])


def test_a_saved_state_wakes_to_the_same_logits(make: Maker, model: LlamaModel, tokens: list[int]) -> None:
    core = make()
    run(core, Forced(tokens[:300], tokens[300:310], owner="monica"))
    last = core.last_of("monica")
    assert last is not None and last[1].tolist() == tokens[:310]
    state = core.state_of(*last)
    other = make()
    run(other, Forced(tokens[500:600], []))
    assert other.put_state(*last, state, "monica")
    job = Forced(tokens[:330], tokens[330:335])
    run(other, job)
    assert job.evaluated == 20
    reference = Forced(tokens[:330], tokens[330:335])
    run(core, reference)
    assert same(job, reference.logits)


def test_a_state_finds_no_room_beside_what_runs(make: Maker, tokens: list[int]) -> None:
    core = make()
    run(core, Forced(tokens[:300], [], owner="monica"))
    last = core.last_of("monica")
    assert last is not None
    state = core.state_of(*last)
    small = make(cells=256)
    small.submit(Forced(tokens[:100], tokens[:20]), lambda outcome: None)
    small.step()
    assert not small.put_state(*last, state, "monica")
    while not small.idle:
        small.step()
