"""Places, budgets, reads: the arena, the loader, how a budget is divided, what fits."""

import ctypes
import os
from pathlib import Path

import pytest

from kithnet.runtime.errors import ConfigError, StorageError
from kithnet.runtime.offload.arena import PAGE, Arena
from kithnet.runtime.offload.fit import RESERVE, disk_speed, expect, fit, free_memory
from kithnet.runtime.offload.loader import BLOCK, Load, Loader, Urgency
from kithnet.runtime.offload.options import ExpertOptions, divide, least_memory
from kithnet.runtime.sizes import parse_size

from .running import decode, make, offloaded, one_by_one, plain, same, tight


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE


def test_places_that_are_not_held_take_no_memory_and_read_as_zeros() -> None:
    size = 16 << 20
    arena = Arena([size, size], 8, 2 * size)
    before = resident()
    for layer, expert in ((0, 0), (0, 7), (1, 3), (1, 7)):
        address = arena.take(layer, expert)
        ctypes.memset(address, 7, size)
        assert resident() - before < 1.2 * size
        arena.give_back(layer, expert)
        assert ctypes.string_at(address, 8) == bytes(8)
    assert resident() - before < 0.2 * size
    assert (arena.used, arena.peak) == (0, size)
    arena.close()


def test_places_lie_side_by_side_and_the_budget_is_hard() -> None:
    arena = Arena([PAGE, 2 * PAGE], 3, 4 * PAGE)
    assert arena.address(0, 2) - arena.address(0, 0) == 2 * PAGE
    assert arena.address(1, 0) - arena.address(0, 2) == PAGE
    arena.take(1, 0)
    arena.take(0, 0)
    assert arena.fits(0)
    assert not arena.fits(1)
    with pytest.raises(StorageError, match="exceed the budget"):
        arena.take(1, 1)
    arena.close()


def test_a_place_moves_with_its_memory_and_leaves_zeros_behind() -> None:
    size = 8 << 20
    arena = Arena([size, size], 4, size)
    here = arena.take(0, 1)
    ctypes.memset(here, 7, size)
    before = resident()
    for old, new in (((0, 1), (1, 3)), ((1, 3), (0, 0)), ((0, 0), (0, 1))):
        there = arena.move(old, new)
        assert ctypes.string_at(there + size - 8, 8) == bytes([7]) * 8
        assert ctypes.string_at(arena.address(*old), 8) == bytes(8)
        assert arena.used == arena.peak == size
        assert abs(resident() - before) < 0.1 * size
    arena.give_back(0, 1)
    assert ctypes.string_at(arena.address(0, 1), 8) == bytes(8)
    assert before - resident() > 0.9 * size
    arena.close()


class Room:
    """Memory to read to, and the loads of a file's parts."""

    def __init__(self, parts: int, size: int) -> None:
        self.size = size
        self.arena = Arena([size], parts, parts * size)

    def load(self, part: int, urgency: Urgency = Urgency.DEMAND) -> Load:
        return Load(self.arena.take(0, part), part * self.size, self.size, urgency, f"part {part}")

    def bytes_of(self, part: int) -> bytes:
        return ctypes.string_at(self.arena.address(0, part), self.size)


def written(path: Path, size: int) -> bytes:
    data = os.urandom(size)
    path.write_bytes(data)
    return data


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("size", [PAGE, BLOCK + PAGE, 3 * BLOCK])
def test_what_is_read_is_what_is_in_the_file(tmp_path: Path, direct: bool, size: int) -> None:
    data = written(tmp_path / "file", 4 * size)
    room, loader = Room(4, size), Loader(tmp_path / "file", readers=2, direct=direct)
    loads = [room.load(part) for part in range(4)]
    for load in loads:
        loader.submit(load)
    assert loader.wait(loads)
    assert all(load.whole for load in loads)
    assert b"".join(map(room.bytes_of, range(4))) == data
    assert loader.bytes_read == 4 * size
    loader.close()
    loader.close()


def test_what_is_needed_now_is_read_before_what_may_be_needed_later(tmp_path: Path) -> None:
    size = 8 * BLOCK
    written(tmp_path / "file", 3 * size)
    room, loader = Room(3, size), Loader(tmp_path / "file", readers=1)
    promoted, predicted, needed = (room.load(i, urgency) for i, urgency in enumerate(reversed(Urgency)))
    for load in (promoted, predicted, needed):
        loader.submit(load)
    loader.wait([needed])
    assert not promoted.whole
    loader.hasten(promoted, Urgency.DEMAND)
    loader.wait([promoted])
    assert not predicted.whole
    loader.wait([predicted])
    loader.close()


def test_a_cancelled_load_is_settled_and_not_whole_and_reads_no_further(tmp_path: Path) -> None:
    size = 32 * BLOCK
    written(tmp_path / "file", 2 * size)
    room, loader = Room(2, size), Loader(tmp_path / "file", readers=1)
    first, second = room.load(0), room.load(1, Urgency.PREFETCH)
    loader.submit(first)
    loader.submit(second)
    loader.cancel(second)
    loader.settle(second)
    assert second.settled
    assert not second.whole
    loader.wait([first])
    assert loader.bytes_read <= size + BLOCK
    loader.close()


def test_waiting_ends_when_it_is_stopped(tmp_path: Path) -> None:
    size = 64 * BLOCK
    written(tmp_path / "file", size)
    room, loader = Room(1, size), Loader(tmp_path / "file", readers=1)
    load = room.load(0)
    loader.submit(load)
    assert not loader.wait([load], stopped=lambda: True)
    loader.close()


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("missing", [1, 100, PAGE + 100])
def test_a_short_file_is_an_error_that_names_the_record(tmp_path: Path, direct: bool, missing: int) -> None:
    written(tmp_path / "file", 2 * PAGE - missing)
    room, loader = Room(1, 2 * PAGE), Loader(tmp_path / "file", direct=direct)
    load = room.load(0)
    loader.submit(load)
    with pytest.raises(StorageError, match=r"part 0 could not be read: the file ends .* early"):
        loader.wait([load])
    assert not load.whole
    loader.close()


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read: No such file"):
        Loader(tmp_path / "file")


def test_a_budget_is_divided_between_the_precisions(tmp_path: Path) -> None:
    store = make(tmp_path).store
    high, low = store.bytes_of("high"), store.bytes_of("low")
    assert divide(store, ExpertOptions()) == divide(store, ExpertOptions(memory_bytes=10 * high))
    assert divide(store, ExpertOptions()).high == high
    assert divide(store, ExpertOptions()).low == 0
    mixed = divide(store, ExpertOptions(t1=0.6, memory_bytes=high // 2, low_share=0.3))
    assert mixed.total == high // 2
    assert mixed.low == int(high // 2 * 0.3)
    resident = divide(store, ExpertOptions(resident_low=True, memory_bytes=low + high // 4))
    assert (resident.low, resident.high) == (low, high // 4)


@pytest.mark.parametrize("options", [{}, {"t1": 0.5}, {"t1": 0.5, "low_share": 0.9}, {"resident_low": True}])
def test_the_least_budget_works_and_a_byte_less_does_not(tmp_path: Path, options: dict[str, float]) -> None:
    store = make(tmp_path).store
    least = least_memory(store, ExpertOptions(**options))  # type: ignore[arg-type]
    budget = divide(store, ExpertOptions(memory_bytes=least, **options))  # type: ignore[arg-type]
    assert budget.high >= store.top_k * store.record(0, 0, "high").nbytes
    with pytest.raises(ConfigError, match=f"give {least:,} bytes"):
        try:
            divide(store, ExpertOptions(memory_bytes=least - 1, **options))  # type: ignore[arg-type]
        except ConfigError as error:
            raise ConfigError(error.hint) from error


@pytest.mark.parametrize(
    "bad", [{"t1": 2.0}, {"t1": 0.5, "t2": 0.4}, {"prefetch": 9}, {"readers": 0}, {"mode": "disk"}]
)
def test_options_out_of_range_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        ExpertOptions(**bad)  # type: ignore[arg-type]


def test_a_model_is_judged_by_what_is_free() -> None:
    gb = 10**9
    assert fit(gb, 4 * gb, gb // 2, 8 * gb, gb).verdict == "fits"
    tight = fit(gb, 4 * gb, gb // 2, 4 * gb, gb)
    assert (tight.verdict, tight.budget) == ("offload", 4 * gb - gb - gb // 2 - RESERVE)
    assert fit(gb, 4 * gb, gb // 2, 2 * gb, gb).verdict == "too small"
    assert fit(gb, 0, gb // 2, 2 * gb, 0).verdict == "fits"
    assert fit(2 * gb, 0, gb // 2, 2 * gb, 0).verdict == "too small"
    assert free_memory() > 0


def test_what_to_expect_follows_from_what_is_read(tmp_path: Path) -> None:
    store = make(tmp_path).store
    high = store.bytes_of("high")
    none, half = expect(store, high, 1e9), expect(store, high // 2, 1e9)
    assert (none.hit_rate, none.bytes_per_token) == (1.0, 0.0)
    assert half.hit_rate == pytest.approx(0.5)
    assert half.bytes_per_token == pytest.approx(high * 0.5 * store.top_k / store.experts)
    assert half.seconds == pytest.approx(half.bytes_per_token / 1e9)
    assert disk_speed(store) > 0


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("1.5 GiB", 3 << 29), ("800mb", 800 * 10**6), ("4096", 4096)]
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "2 TBs"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no size"):
        parse_size(text)


def test_once_loaded_a_trunk_is_never_read_again(tmp_path: Path) -> None:
    made = make(tmp_path)
    batches = one_by_one(10)
    with plain(made.model) as model:
        expected = decode(model, None, batches)
    with offloaded(made.store, tight(made.store)) as (trunk, experts):
        with made.store.trunk.open("r+b") as file:
            file.write(bytes(made.store.trunk.stat().st_size))
        assert same(expected, decode(trunk, experts.hook, batches))
