"""What the tools compute is what trying everything out comes to."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.agents.tools import intervals as tools
from kithnet.agents.tools.intervals import DAY, Stretch

MINUTES = st.integers(0, 47).map(lambda half: half * 30)
LENGTHS = st.integers(1, 20).map(lambda half: half * 30)
STRETCHES = st.lists(st.builds(lambda start, length: Stretch(start, start + length), MINUTES, LENGTHS), max_size=9)


def minutes(stretch: Stretch) -> set[int]:
    """Every minute of the day that a stretch takes up."""
    return {at % DAY for at in range(stretch.start, stretch.end)}


@given(STRETCHES)
def test_a_largest_set_has_no_clash_and_none_is_larger(stretches: list[Stretch]) -> None:
    chosen = [stretches[place] for place in tools.compatible(stretches)]
    assert not any(minutes(a) & minutes(b) for a, b in combinations(chosen, 2))
    for size in range(len(chosen) + 1, len(stretches) + 1):
        for tried in combinations(stretches, size):
            assert any(minutes(a) & minutes(b) for a, b in combinations(tried, 2))


@given(STRETCHES, st.integers(1, 120))
def test_free_time_is_every_gap_that_is_long_enough(stretches: list[Stretch], least: int) -> None:
    taken = {at for one in stretches for at in minutes(one)}
    gaps, start = [], None
    for at in range(DAY + 1):
        if at < DAY and at not in taken:
            start = at if start is None else start
        elif start is not None:
            gaps.append((start, at))
            start = None
    assert tools.free(stretches, least=least) == tuple(gap for gap in gaps if gap[1] - gap[0] >= least)


@given(STRETCHES, MINUTES, LENGTHS)
def test_free_time_in_a_window_lies_within_it(stretches: list[Stretch], first: int, length: int) -> None:
    window = (first, min(DAY, first + length))
    taken = {at for one in stretches for at in minutes(one)}
    found = {at for start, end in tools.free(stretches, window) for at in range(start, end)}
    assert found == {at for at in range(*window) if at not in taken}


@given(STRETCHES)
def test_clashes_are_the_pairs_that_share_a_minute(stretches: list[Stretch]) -> None:
    shared = {
        (a, b) for a, b in combinations(range(len(stretches)), 2) if minutes(stretches[a]) & minutes(stretches[b])
    }
    assert set(tools.clashes(stretches)) == shared


@given(st.dictionaries(st.text(max_size=3), st.integers(), max_size=6), st.booleans())
def test_all_extremes_are_named(lengths: dict[str, int], most: bool) -> None:
    found = tools.extreme(lengths, most=most)
    assert bool(found) == bool(lengths)
    assert all((lengths[key] == lengths[found[0]]) == (key in found) for key in lengths)


@given(st.lists(st.lists(st.integers(0, 5), max_size=5), max_size=4))
def test_what_is_common_is_in_every_group(groups: list[list[int]]) -> None:
    wanted = set.intersection(*map(set, groups)) if groups else set()
    assert set(tools.common(groups)) == wanted


def test_what_runs_past_midnight_takes_up_the_early_hours() -> None:
    night, early, late = Stretch(22 * 60, 30 * 60), Stretch(5 * 60, 7 * 60), Stretch(20 * 60, 22 * 60)
    assert tools.overlap(night, early) and not tools.overlap(night, late)
    assert tools.free([night]) == ((6 * 60, 22 * 60),)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (1440, 1450), (10, 10 + DAY + 1)])
def test_what_is_no_stretch_of_a_day_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no stretch"):
        Stretch(start, end)
