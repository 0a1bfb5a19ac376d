"""Which evaluated prompt a new prompt builds on."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kithnet.runtime.prefix import SHORT_TAIL, PrefixTable, Tokens, shared_prefix


def tokens(*parts: tuple[int, int]) -> Tokens:
    """Tokens start..stop of each part, one after another."""
    return np.concatenate([np.arange(a, b, dtype=np.int32) for a, b in parts])


def test_a_continued_conversation_stays_in_its_slot() -> None:
    table = PrefixTable(3)
    table.store(1, tokens((0, 50)))
    plan = table.plan(tokens((0, 80)))
    assert (plan.slot, plan.keep, plan.source) == (1, 50, None)


def test_a_fork_is_copied_into_a_free_slot_so_that_both_prompts_survive() -> None:
    table = PrefixTable(3)
    table.store(0, tokens((0, 200)))
    plan = table.plan(tokens((0, 100), (500, 600)))
    assert plan.slot != 0
    assert (plan.keep, plan.source) == (100, 0)


def test_a_fork_near_the_end_of_a_slot_takes_the_slot_over() -> None:
    table = PrefixTable(3)
    table.store(0, tokens((0, 100)))
    plan = table.plan(tokens((0, 100 - SHORT_TAIL), (500, 600)))
    assert (plan.slot, plan.keep, plan.source) == (0, 100 - SHORT_TAIL, None)


def test_asking_the_same_again_replaces_the_earlier_reply_and_takes_no_other_slot() -> None:
    table = PrefixTable(3)
    table.store(0, tokens((0, 100), (700, 800)))
    plan = table.plan(tokens((0, 100)))
    assert (plan.slot, plan.keep, plan.source) == (0, 99, None)


def test_a_short_prompt_does_not_cut_down_a_long_conversation_that_begins_with_it() -> None:
    table = PrefixTable(3)
    table.store(0, tokens((0, 1000)))
    plan = table.plan(tokens((0, 100)))
    assert (plan.keep, plan.source) == (99, 0)


def test_the_least_recently_used_slot_makes_room() -> None:
    table = PrefixTable(3)
    for slot in (2, 0, 1):
        table.store(slot, tokens((slot * 1000, slot * 1000 + 100)))
    table.store(2, tokens((2000, 2100)))
    assert table.plan(tokens((7000, 7100))).slot == 0


def test_the_last_prompt_token_is_always_evaluated() -> None:
    table = PrefixTable(2)
    table.store(0, tokens((0, 50)))
    assert table.plan(tokens((0, 50))).keep == 49
    assert table.plan(tokens((0, 20))).keep == 19


def test_a_recurrent_state_is_continued_whole_or_not_at_all() -> None:
    table = PrefixTable(2, divisible=False)
    table.store(0, tokens((0, 50)))
    assert table.plan(tokens((0, 60))).keep == 50
    forked = table.plan(tokens((0, 49), (90, 99)))
    assert (forked.keep, forked.source) == (0, None)


def test_a_slot_in_use_is_never_the_victim() -> None:
    table = PrefixTable(2)
    table.store(0, tokens((0, 5)))
    assert table.victim(keeping=0) is None
    table.store(1, tokens((0, 5)))
    assert table.victim(keeping=0) == 1


@given(
    held=st.lists(st.lists(st.integers(0, 3), max_size=60), min_size=1, max_size=5),
    prompt=st.lists(st.integers(0, 3), min_size=1, max_size=60),
)
def test_what_a_plan_keeps_is_a_true_prefix_of_its_source(held: list[list[int]], prompt: list[int]) -> None:
    table = PrefixTable(len(held))
    for slot, content in enumerate(held):
        table.store(slot, content)
    wanted = np.array(prompt, np.int32)
    plan = table.plan(wanted)
    source = table.slots[plan.slot if plan.source is None else plan.source].tokens
    assert 0 <= plan.keep < len(prompt)
    assert shared_prefix(source, wanted) >= plan.keep
    assert plan.source != plan.slot
    longest = max(shared_prefix(slot.tokens, wanted) for slot in table.slots)
    assert plan.keep == min(longest, len(prompt) - 1)
