"""The pure rules: how unimportant an expert is, what a layer's plan is, which expert leaves, which thresholds fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.runtime.errors import ConfigError
from kithnet.runtime.offload.cache import POLICIES, Records, hobbit, lcu, lfu, lru, policy, victim
from kithnet.runtime.offload.calibrate import thresholds
from kithnet.runtime.offload.heat import HALF_LIFE, Heat
from kithnet.runtime.offload.plan import Plan, Rules, plan, redirect, rows_of
from kithnet.runtime.offload.score import HIGH, LOW, SKIP, decide, unimportance

weights = st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=8)


def test_unimportance_is_the_weight_ranked_before() -> None:
    scores = unimportance(np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [2.0, 1.0, 1.0]]))
    assert np.allclose(scores, [[0, 0.5, 0.8], [0.9, 0.7, 0], [0, 0.5, 0.75]])


@given(weights)
def test_unimportance_falls_with_weight_and_starts_at_nothing(drawn: list[float]) -> None:
    scores = unimportance(np.array([drawn]))[0]
    order = np.argsort(-np.array(drawn), kind="stable")
    assert scores[order[0]] == 0
    assert (np.diff(scores[order]) > 0).all()
    assert (scores < 1).all()


def test_weights_that_are_all_nothing_lower_nothing_first() -> None:
    assert unimportance(np.zeros((1, 3))).tolist() == [[0, 0, 0]]


def test_scores_are_decided_by_two_thresholds() -> None:
    scores = np.array([[0.0, 0.6, 0.61, 0.9, 0.91]])
    assert decide(scores, 0.6, 0.9).tolist() == [[HIGH, HIGH, LOW, LOW, SKIP]]
    assert (decide(scores, 1.0, 1.0) == HIGH).all()
    assert (decide(scores, -1.0, 1.0) == LOW).all()


def planned(ids: list[list[int]], wanted: list[list[int]], **given: object) -> Plan:
    table = np.array(ids, np.int32)
    here = {"high": (), "low": (), **given}
    masks = [np.isin(np.arange(8), here[name]) for name in ("high", "low")]  # type: ignore[arg-type]
    protected = np.array(given.get("protected", [False] * len(ids)))
    rules = Rules(skip=bool(given.get("skip")), no_wait=bool(given.get("no_wait")))
    low = masks[1] if given.get("lowers", True) else None
    return plan(table, np.array(wanted, np.int8), protected, masks[0], low, int(str(given.get("room", 8))), rules)


def test_what_is_missing_is_read_as_precisely_as_it_is_wanted() -> None:
    made = planned([[1, 2, 3, 4]], [[HIGH, LOW, SKIP, HIGH]], high=(4,), skip=True)
    assert made == Plan(held=(4,), load=(1,), low=(2,), skip=(3,))


def test_what_is_here_is_used_rather_than_lowered_and_lowered_rather_than_left_out() -> None:
    made = planned([[1, 2, 3, 4]], [[LOW, SKIP, SKIP, LOW]], high=(1, 2), low=(3,), skip=True)
    assert made == Plan(held=(1, 2), low=(3, 4))


def test_without_skipping_the_least_important_are_read_low() -> None:
    assert planned([[1, 2]], [[HIGH, SKIP]]) == Plan(load=(1,), low=(2,))


def test_the_token_that_needs_an_expert_most_decides_for_all() -> None:
    assert planned([[1, 2], [2, 1]], [[HIGH, LOW], [HIGH, SKIP]]) == Plan(load=(1, 2))


def test_a_protected_token_and_a_model_without_low_precision_lower_nothing() -> None:
    assert planned([[1, 2], [3, 4]], [[SKIP, SKIP], [LOW, LOW]], protected=[True, False]) == Plan(
        load=(1, 2), low=(3, 4)
    )
    assert planned([[1, 2]], [[LOW, SKIP]], lowers=False) == Plan(load=(1, 2))


def test_where_nothing_waits_a_miss_takes_the_low_copy_that_is_here() -> None:
    made = planned([[1, 2, 5]], [[HIGH, HIGH, LOW]], high=(2,), low=(1, 5), no_wait=True)
    assert made == Plan(held=(2,), low=(1, 5), hot=(1,))
    kept = planned([[1, 2], [1, 3]], [[HIGH, HIGH], [HIGH, HIGH]], low=(1, 2, 3), no_wait=True, protected=[True, False])
    assert kept == Plan(load=(1, 2), low=(3,), hot=(3,))


def test_more_than_there_is_room_for_is_streamed() -> None:
    assert planned([[1, 2], [3, 4]], [[HIGH] * 2] * 2, high=(4,), room=2) == Plan(held=(4,), load=(1,), stream=(2, 3))


ids_of_a_batch = st.lists(st.permutations(range(8)).map(lambda drawn: drawn[:3]), min_size=1, max_size=6)


@given(ids_of_a_batch, st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)), st.integers(3, 8), st.data())
def test_every_selected_expert_is_planned_once(
    ids: list[list[int]], high: set[int], low: set[int], room: int, data: st.DataObject
) -> None:
    wanted = data.draw(
        st.lists(st.lists(st.sampled_from([0, 1, 2]), min_size=3, max_size=3), min_size=len(ids), max_size=len(ids))
    )
    kept = tuple(sorted(high))[:room]
    made = planned(ids, wanted, high=kept, low=tuple(low), room=room, skip=True)
    lists = made.held + made.load + made.stream + made.low + made.skip
    assert sorted(lists) == sorted({expert for row in ids for expert in row})
    assert len(made.in_graph) <= room
    out = redirect(np.array(ids, np.int32), made)
    for row, turned in zip(ids, out.tolist(), strict=True):
        for expert, instead in zip(row, turned, strict=True):
            assert instead == expert or expert not in made.in_graph


def test_streamed_rows_leave_those_of_the_graph_as_they_are() -> None:
    ids = np.array([[1, 2], [3, 1], [4, 2]], np.int32)
    assert redirect(ids, Plan(held=(1,), stream=(2, 3, 4))).tolist() == [[1, 2], [2, 1], [2, 2]]
    assert redirect(ids, Plan(held=(1,), low=(2,), skip=(3, 4))).tolist() == [[1, 1], [1, 1], [1, 1]]
    assert redirect(ids, Plan(low=(1, 2, 3, 4))).tolist() == ids.tolist()
    assert rows_of(ids, (1, 4)).tolist() == [0, 3, 4]


def used(*uses: tuple[int, list[int], list[int]], layers: int = 3, experts: int = 4) -> Records:
    """A record of passes; a use of layer 0 begins one."""
    records = Records(layers, experts, cost=0.5)
    for layer, high, low in uses:
        if layer == 0:
            records.begin_pass()
        records.use(layer, high, low)
    return records


def test_the_least_recently_used_leaves() -> None:
    records = used((0, [1], []), (1, [2], []), (2, [0], []), (0, [3], []), (1, [], [2]))
    order = np.argsort(lru(records, 0), axis=None, kind="stable")
    assert [divmod(int(at), 4) for at in order[-4:]] == [(0, 1), (2, 0), (0, 3), (1, 2)]


def test_the_least_frequently_used_leaves_and_of_those_the_least_recent() -> None:
    priorities = lfu(used((0, [1, 2], []), (0, [1], []), (0, [3], [])), 0)
    assert priorities[0, 1] > priorities[0, 3] > priorities[0, 2] > priorities[0, 0]


def test_lcu_weighs_low_uses_by_their_bytes_and_adds_nearness_for_the_last_pass() -> None:
    records = used((0, [1], [2]), (1, [3], []), (2, [0], []), (0, [], [2]))
    priorities = lcu(records, layer=0)
    assert priorities[0, 2] == pytest.approx(0.5 * 2 / 2 + 1 / 0.1)
    assert priorities[0, 1] == pytest.approx(1 / 2 + 1 / 0.1)
    assert priorities[1, 3] == pytest.approx(1 / 2 + 1 / 2.1)  # layer 1 comes 2 of 3 layers after layer 0 came back
    assert priorities[2, 0] == pytest.approx(1 / 2 + 1 / 1.1)
    assert priorities[0, 0] == 0


def test_lcu_forgets_nearness_of_older_passes() -> None:
    records = used((0, [1], []), (0, [2], []), (0, [3], []))
    assert lcu(records, 0)[0].tolist() == pytest.approx([0, 1 / 3, 1 / 3 + 10, 1 / 3 + 10])


def test_hobbits_policy_keeps_what_the_next_layers_will_ask_for() -> None:
    priorities = hobbit(Records(4, 2, 0.5), layer=1)
    assert priorities[:, 0].tolist() == pytest.approx([0.25 * 0.5, 0.25 * 0.25, 0.25, 0.25 * 0.75])


@pytest.mark.parametrize("name", POLICIES)
def test_a_new_sequence_begins_with_no_memory_of_uses(name: str) -> None:
    records = used((0, [1], [2]), (1, [3], []))
    fresh = policy(name)(Records(3, 4, 0.5), 1)
    assert not np.array_equal(policy(name)(records, 1), fresh)
    records.reset()
    assert np.array_equal(policy(name)(records, 1), fresh)


def test_many_uses_count_the_same_whether_asked_in_between_or_not() -> None:
    uses = [(i % 3, [i % 4, (i + 1) % 4], [(i + 2) % 4]) for i in range(3000)]
    late, early = used(), used()
    for records in (late, early):
        for layer, high, low in uses:
            records.use(layer, high, low)
            if records is early:
                assert records.used.max() == records.time
    for name in ("high", "low", "used", "seen"):
        assert np.array_equal(getattr(late, name), getattr(early, name))


def test_the_victim_is_the_lowest_that_may_leave() -> None:
    priorities = np.array([[3.0, 1.0], [2.0, 0.0]])
    assert victim(priorities, np.array([[True, True], [True, False]])) == (0, 1)
    assert victim(priorities, np.zeros((2, 2), np.bool_)) is None


def test_an_unknown_policy_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError) as refused:
        policy("mru")
    assert "lcu, lru, lfu, hobbit" in refused.value.hint


def test_thresholds_give_the_shares_that_were_asked_for() -> None:
    drawn = np.random.default_rng(0).dirichlet(np.ones(8), 4000)
    found = thresholds(drawn, (0.6, 0.3, 0.1))
    assert found.shares == pytest.approx((0.6, 0.3, 0.1), abs=0.01)
    got = np.bincount(decide(unimportance(drawn), found.t1, found.t2).reshape(-1), minlength=3) / drawn.size
    assert tuple(got) == pytest.approx(found.shares)
    assert thresholds(drawn, (0.6, 0.4, 0.0)).t2 == 1.0


def test_a_record_that_says_nothing_and_shares_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigError, match="empty"):
        thresholds(np.empty((0, 2)))
    with pytest.raises(ConfigError, match="no shares"):
        thresholds(np.ones((3, 2)), (0.9, 0.9, 0.0))


def test_a_promotion_has_to_be_twice_as_hot_as_what_it_drives_out() -> None:
    heat = Heat(2, 4)
    heat.use(0, np.array([1]), np.array([0.5]))
    heat.use(1, np.array([2, 3]), np.array([0.2, 0.3]))
    assert heat.hottest(1, [0, 2, 3]) == 3
    assert heat.pays((0, 1), (1, 2)) and not heat.pays((0, 1), (1, 3)) and not heat.pays((0, 1), None)


def test_heat_fades_by_half_in_32_tokens_however_many_have_been() -> None:
    heat = Heat(1, 2)
    for _ in range(20_000):
        heat.begin_pass()
    heat.use(0, np.array([[0], [0]]), np.array([[0.25], [0.75]]))
    for _ in range(HALF_LIFE):
        heat.begin_pass()
    heat.use(0, np.array([1]), np.array([0.5]))
    assert heat.of(0, 0) == pytest.approx(0.5) and heat.of(0, 1) == pytest.approx(0.5)
