"""Who gets room in a batch."""

from hypothesis import given
from hypothesis import strategies as st

from kithnet.runtime.engine.schedule import BESIDE, prompt_room, shares


def test_a_short_prompt_passes_a_long_one_that_still_advances() -> None:
    assert shares([8000, 20], 512) == [492, 20]
    assert shares([8000, 4000, 4000], 512) == [256, 256, 0]


def test_a_lone_prompt_gets_all_the_room() -> None:
    assert shares([8000], 512) == [512]
    assert shares([7], 512) == [7]
    assert shares([], 512) == []


def test_prompts_are_bounded_beside_replies_only() -> None:
    assert prompt_room(512, 0) == 512
    assert prompt_room(512, 16) == BESIDE
    assert prompt_room(100, 90) == 10


@given(st.lists(st.integers(1, 1000), max_size=20), st.integers(0, 600))
def test_room_is_neither_wasted_nor_exceeded_and_the_oldest_always_advances(waiting: list[int], room: int) -> None:
    given_out = shares(waiting, room)
    assert all(0 <= share <= most for share, most in zip(given_out, waiting, strict=True))
    assert sum(given_out) == min(sum(waiting), room)
    if waiting and room:
        assert given_out[0] >= min(waiting[0], (room + 1) // 2)
