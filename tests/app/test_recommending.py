"""`kith model recommend`: what fits, how fast it can be, and what a person sees."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from kithnet.app import doctor, recommending
from kithnet.app.cli import main
from kithnet.app.recommending import Machine, Offer, offer, recommend
from kithnet.runtime.catalogue import BITS, CATALOGUE, Bits, Listed, find
from kithnet.runtime.offload.fit import RESERVE
from kithnet.runtime.speed import DiskSpeed, disk_speed, memory_speed

GB = 1_000_000_000
DISK = DiskSpeed(1e9, True, "a temporary file")
MIXED = Listed(
    "mixed", "Mixed", "olmoe", "mit", 1000, 1000, 1000, 10, 8, 2, 100, 1000, False,
    "hf:a/b/c-{type}.gguf", "made up", 20, 4, ("T",),
)  # fmt: skip
"""A layer: attention 2 * 1000 * 100 * 10 = 2,000,000, a router of 20,000, 20 experts of 3,000,000. Embedding 1,000,000.
A token's keys and values: 2 * 10 * 2 * 100 * 2 = 8,000 bytes."""
TRUNK_READ, EXPERTS, KV = 21_200_000, 600_000_000, 2 * 1000 * 8000


@pytest.fixture(autouse=True)
def a_type_of_eight_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BITS, "T", Bits(8, 8, 8, 8))


def model(name: str) -> Listed:
    found = find(name)
    assert found
    return found


def made(of: Listed, kind: str, machine: Machine) -> Offer:
    found = offer(of, kind, machine)
    assert found
    return found


def test_in_memory_a_token_reads_weights_keys_and_values_once() -> None:
    found = made(MIXED, "T", Machine(2 * GB, 10e9, DISK))
    assert (found.how, found.disk_read) == ("memory", 0)
    assert found.needed == TRUNK_READ + 1_000_000 + EXPERTS + KV
    assert found.memory_read == TRUNK_READ + EXPERTS // 5 + 2048 * 8000
    assert found.tokens_per_second == pytest.approx(10e9 / 157_584_000)


def test_what_is_not_held_of_the_experts_is_read_from_the_disk() -> None:
    budget = EXPERTS // 4
    memory = TRUNK_READ + 1_000_000 + KV + RESERVE + budget
    found = made(MIXED, "T", Machine(memory, 10e9, DISK))
    assert (found.how, found.needed) == ("by need", memory - RESERVE)
    assert found.disk_read == 90_000_000  # three quarters of the 120 MB that a token uses
    assert found.tokens_per_second == pytest.approx(1 / (157_584_000 / 10e9 + 0.09))


def test_by_need_takes_the_experts_that_one_layer_chooses_and_a_disk() -> None:
    least = TRUNK_READ + 1_000_000 + KV + RESERVE + 4 * 3_000_000
    assert made(MIXED, "T", Machine(least, 10e9, DISK)).how == "by need"
    assert offer(MIXED, "T", Machine(least - 1, 10e9, DISK)) is None
    assert offer(MIXED, "T", Machine(least, 10e9, None)) is None
    granite = model("granite-3.1-3b-a800m")
    assert offer(granite, "Q8_0", Machine(3 * GB, 10e9, DISK)) is None, "not tested to be read by need"


def test_a_dense_model_fits_or_does_not() -> None:
    dense = model("qwen3-8b")
    needed = dense.size("Q4_K_M").total + 2 * 8192 * dense.kv_bytes_per_token
    assert made(dense, "Q4_K_M", Machine(needed + RESERVE, 10e9, DISK)).needed == needed
    assert offer(dense, "Q4_K_M", Machine(needed + RESERVE - 1, 10e9, DISK)) is None


def test_the_largest_that_is_fast_enough_comes_first_and_slow_ones_last() -> None:
    found = recommend(Machine(24 * GB, 30e9, DISK))
    names = [one.model.name for one in found]
    assert names[0] == "qwen3-30b-a3b"  # in memory, and a token uses a tenth of it
    assert names[-1] == "qwen3-14b"  # 9 GB a token
    assert [one.usable for one in found] == sorted((one.usable for one in found), reverse=True)
    assert names.index("qwen3-4b") < names.index("olmoe-1b-7b")  # 6.9 B of which a token uses 1.3 count as 3


def test_a_model_comes_in_the_most_exact_type_that_is_fast_enough() -> None:
    kinds = {speed: made_for(speed) for speed in (20e9, 40e9, 5e9)}
    assert kinds == {20e9: "Q4_K_M", 40e9: "Q8_0", 5e9: "Q4_K_M"}


def made_for(bandwidth: float) -> str:
    return recommend(Machine(24 * GB, bandwidth, DISK), [model("qwen3-4b")])[0].kind


@given(
    memory=some.integers(0, 100 * GB),
    bandwidth=some.floats(1e8, 1e12),
    disk=some.one_of(some.none(), some.floats(1e6, 1e11).map(lambda speed: DiskSpeed(speed, False, ""))),
)
def test_nothing_that_is_offered_needs_more_than_there_is(
    memory: int, bandwidth: float, disk: DiskSpeed | None
) -> None:
    machine = Machine(memory, bandwidth, disk)
    found = recommend(machine)
    for one in found:
        assert one.needed + RESERVE <= memory
        assert one.tokens_per_second <= bandwidth / one.memory_read * (1 + 1e-9)
        assert (one.disk_read > 0) == (one.how == "by need")
        assert one.how == "memory" or (one.model.by_need and disk)
    told = recommending.contract(machine, found)
    assert len(told["models"]) + len(told["too_large"]) == len(CATALOGUE)
    assert json.loads(json.dumps(told)) == told
    assert recommending.as_text(machine, found)


def test_speeds_are_measured_and_nothing_is_left_behind(tmp_path: Path) -> None:
    assert 1e8 < memory_speed(GB, seconds=0.05) < 1e13
    found = disk_speed(tmp_path / "not" / "yet")
    assert found
    assert (found.of, found.bytes_per_second > 0) == ("a temporary file", True)
    assert list(tmp_path.iterdir()) == []
    assert disk_speed(tmp_path, write=False) is None


def test_a_model_that_is_here_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "some.gguf"
    path.write_bytes(bytes(40 << 20))
    found = disk_speed(tmp_path, write=False)
    assert found
    assert found.of == str(path)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that is always the same, and a home that is not there yet."""
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(recommending, "memory_speed", lambda free: 20e9)
    monkeypatch.setattr(recommending, "disk_speed", lambda folder, *, write: DISK)
    monkeypatch.setattr(recommending, "free_memory", lambda: 8 * GB)


def test_the_command_prints_the_contract(measured: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "recommend", "--memory", "4GB", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["memory"], told["memory_speed"], told["disk"]["direct"]) == (4 * GB, 20 * GB, True)
    first = told["models"][0]
    assert first["usable"]
    assert first["needed"] + RESERVE <= 4 * GB
    assert first["fetch"] in (first["name"], model(first["name"]).reference(first["type"]))
    assert "qwen3-8b" in told["too_large"]
    assert not (tmp_path / "home").exists()


def test_text_for_a_person_says_what_to_do_next(measured: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "recommend"]) == 0
    text = capsys.readouterr().out
    assert "8.0 GB of memory, read at 20.0 GB/s; the disk at 1,000 MB/s (past the page cache" in text
    assert "Next: kith model fetch " in text
    assert main(["model", "recommend", "--memory", "100MB"]) == 0
    assert "no model of the table fits" in capsys.readouterr().out


@pytest.mark.parametrize("size", ["plenty", "", "0GB", "-8GB"])
def test_a_size_that_is_none_is_exit_status_2(size: str, measured: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "recommend", f"--memory={size}", "--json"]) == 2
    said = json.loads(capsys.readouterr().out)["error"]
    assert (said["type"], said["hint"]) == ("ConfigError", "write it as 2GB, 800MB or 1.5GiB")


def test_the_doctor_names_the_best_that_fits(measured: None, tmp_path: Path) -> None:
    best = recommend(Machine(8 * GB, 20e9, DISK))[0]
    found = doctor._best(tmp_path)
    assert (found.name, found.ok, found.needed, found.mend) == ("best model", True, False, "")
    assert found.detail == recommending.in_short(best)
    assert f"(kith model fetch {best.fetch})" in found.detail
