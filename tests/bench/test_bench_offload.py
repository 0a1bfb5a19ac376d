"""The offload benchmark: its opponents are what they say, its children compute alike, and its bars come out of real runs."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import pytest

from kithnet.bench.offload import arms as of
from kithnet.bench.offload.arms import Run
from kithnet.bench.offload.cage import cage, kind
from kithnet.bench.offload.job import Job, Outcome
from kithnet.bench.offload.lowered import mixed_types, size_with, uniform_types, write_lowered
from kithnet.bench.offload.measure import Measured
from kithnet.bench.offload.subjects import QUICK, Sizes
from kithnet.bench.offload.suite import Wanted, bars_of, run
from kithnet.runtime.convert.experts import convert_experts
from kithnet.runtime.convert.gguffile import read_source
from kithnet.runtime.convert.synthetic import Shape, local_tokens, write_synthetic
from kithnet.runtime.errors import ConfigError
from kithnet.runtime.llama import LlamaModel

SMALL = Shape(layers=4, experts=8, top_k=2, width=256, neurons=256, values=6)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "small.gguf"
    write_synthetic(path, SMALL)
    return path


def test_the_uniform_opponent_is_the_most_exact_that_fits(model: Path) -> None:
    source = read_source(model)
    whole = sum(tensor.nbytes for tensor in source.tensors)
    kinds = [
        next(iter(found.values())) if (found := uniform_types(source, int(whole * share))) else ""
        for share in (1, 0.6, 0.5, 0.1)
    ]
    assert kinds == ["Q8_0", "Q4_K", "Q3_K", ""]


def test_the_static_opponent_fits_and_is_better_at_the_ends(model: Path, tmp_path: Path) -> None:
    source = read_source(model)
    low, high = (size_with(source, dict.fromkeys(range(4), name)) for name in ("Q3_K", "Q4_0"))
    room = (low + high) // 2
    uniform, mixed = uniform_types(source, room), mixed_types(source, room)
    assert uniform is not None and mixed is not None
    assert size_with(source, uniform) < size_with(source, mixed) <= room
    assert mixed == {0: "Q4_0", 1: "Q3_K", 2: "Q3_K", 3: "Q4_0"}
    write_lowered(model, tmp_path / "mixed.gguf", mixed)
    found = {t.name: t.tensor_type.name for t in gguf.GGUFReader(tmp_path / "mixed.gguf").tensors}
    assert [found[f"blk.{layer}.ffn_up_exps.weight"] for layer in range(4)] == [mixed[layer] for layer in range(4)]
    LlamaModel.load(tmp_path / "mixed.gguf").close()


def child(job: Job) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "kithnet.bench.offload.child"],
        input=job.as_json(),
        capture_output=True,
        text=True,
        check=False,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == ("error" in told), done.stderr
    return told


def test_children_compute_the_same_however_experts_are_kept(model: Path, tmp_path: Path) -> None:
    store = convert_experts(model, model.with_suffix(".experts")).store
    reference = str(tmp_path / "reference.npy")
    first = Job(str(model), "memory", local_tokens(model, 10), 4, keep=reference)
    tight = {"memory_bytes": 4 * 2 * 256 * 1024}
    exact = child(first)
    forced = [
        child(replace(first, how="mmap+willneed", reference=reference, keep="")),
        child(
            replace(first, model=str(store), how="offload", options=tight, reference=reference, keep="", timeline=True)
        ),
    ]
    assert len(exact["ms"]) == 6 and exact["kl"] is None
    assert [(told["digests"], told["kl"], told["agreement"]) for told in forced] == [(exact["digests"], 0.0, 1.0)] * 2
    assert forced[1]["stats"]["misses"] > 0 and forced[1]["timeline"]
    lowered = child(
        replace(first, model=str(store), how="offload", options={**tight, "t1": 0.5}, reference=reference, keep="")
    )
    assert lowered["digests"][-1] != exact["digests"][-1] and 0 < lowered["kl"] < 0.1
    free = child(replace(first, free=3))
    assert len(free["drawn"]) == 3


def test_a_child_says_what_went_wrong(tmp_path: Path) -> None:
    assert "cannot be read" in child(Job(str(tmp_path / "none.gguf"), "mmap", [1], 0))["error"]


def test_a_caged_process_cannot_take_more_than_its_limit() -> None:
    hungry = "import sys; from kithnet.bench.offload.cage import enter; enter(sys.argv[1]); x = bytearray(200 << 20); print(len(x))"
    with cage(64 << 20) as made:
        if made.folder is None:
            assert "cannot be made here" in kind()
            return
        done = subprocess.run([sys.executable, "-c", hungry, str(made.folder)], capture_output=True, check=False)
        assert done.returncode != 0 and not done.stdout
        assert 0 < made.peak() <= 64 << 20
        folder = made.folder
    assert not folder.exists() and "control group" in kind()


def test_bars_compare_within_a_repeat_and_name_the_arm() -> None:
    def taken(arm: str, *ms: float, share: float = 0.5, digest: str = "d", kl: float = 0.0) -> Measured:
        made = Measured("synthetic", share, Run(arm, Path(), "mmap", exact=arm in (of.STOCK, of.LRU)), 100, 100)
        made.outcomes = [Outcome([each] * 3, 0, [digest], kl, 0, 1, 50) for each in ms]
        made.peaks = [99] * len(ms)
        return made

    found = [
        taken(of.UNLIMITED, 10, share=1.0), taken(of.STOCK, 100, 400), taken(of.LRU, 50, 60, digest="e"),
        taken(of.PREFETCH, 25, 50, kl=0.2), taken(of.RESIDENT, 20, 20, kl=0.5), taken(of.STATIC, 11, 11, kl=0.3),
    ]  # fmt: skip
    bars = {bar.name: bar for bar in bars_of(found, "synthetic")}
    assert bars["50%: prefetch, times mmap"].value == 6 and bars["50%: prefetch, times lru"].value == 1.6
    assert bars["50%: resident-low, of unlimited"].value == 0.5 and not bars["50%: resident-low, of unlimited"].ok
    assert bars["synthetic 50%: KL of prefetch, beside static mixed"].ok
    assert bars["synthetic 50%: high-only runs with the logits of unlimited memory"].value == 0.5
    assert bars["synthetic 50%: memory of the process, of the limit"].value == 0.5


@pytest.mark.timeout(120)
def test_a_run_has_every_arm_or_says_why_not_and_writes_a_report(tmp_path: Path) -> None:
    heard: list[str] = []
    chosen = (of.STOCK, of.LRU, of.RESIDENT)
    sizes = Sizes(8_000_000, 4, 6, 2, 2, 2, 64, 3, True, (), (0.35,))
    wanted = Wanted(tmp_path, tmp_path / "dense.gguf", "", sizes, 7, "synthetic", chosen)
    result, report = run(wanted, lambda done, total, note: heard.append(note))
    arms = [row["arm"] for row in result.table]
    assert arms[:4] == [of.UNLIMITED, *chosen] and arms[-1] == "disk" and "replay: belady" in arms
    by_arm = {row["arm"]: row for row in result.table}
    assert "needs" in by_arm[of.RESIDENT]["note"] and by_arm[of.LRU]["KL"] == 0.0
    exact = next(bar for bar in result.bars if "logits of unlimited" in bar.name)
    assert exact.ok and "control group" in result.title
    page = report.read_text(encoding="utf-8")
    assert page.count("data:image/png") == 2 and "replay: belady" in page
    assert any("2 of 2" in note for note in heard)


def test_unknown_arms_and_shares_are_refused(tmp_path: Path) -> None:
    wanted = Wanted(tmp_path, tmp_path, "", QUICK, 7, "synthetic")
    with pytest.raises(ConfigError, match="no arm 'fast'"):
        run(replace(wanted, arms=("fast",)), lambda done, total, note: None)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        run(replace(wanted, sizes=replace(QUICK, shares=(35.0,))), lambda done, total, note: None)
