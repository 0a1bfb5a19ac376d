"""What `AsyncExecutor` promises beyond the seam: it is busy, bounded and fair."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.runtime.executor import AsyncExecutor, Job, SerialExecutor

claims = st.frozensets(st.sampled_from("abcd"), min_size=1, max_size=3)


def starts(executor: AsyncExecutor, wanted: list[frozenset[str]], steps: list[int]) -> list[int]:
    """The order in which jobs with these claims start, each working for so many turns of the loop."""
    order: list[int] = []

    async def work(number: int) -> None:
        order.append(number)
        for _ in range(steps[number]):
            await asyncio.sleep(0)

    async def run() -> None:
        jobs = [Job(number, one) for number, one in enumerate(wanted)]
        async for _ in executor.run(jobs, work):
            pass

    asyncio.run(run())
    return order


@given(
    wanted=st.lists(claims, max_size=30),
    steps=st.lists(st.integers(0, 5), min_size=30, max_size=30),
    in_flight=st.integers(1, 5),
    patience=st.integers(0, 4),
)
@settings(max_examples=200, deadline=None)
def test_a_job_is_overtaken_by_at_most_patience_jobs_that_share_its_claims(
    wanted: list[frozenset[str]], steps: list[int], in_flight: int, patience: int
) -> None:
    order = starts(AsyncExecutor(in_flight, patience), wanted, steps)
    assert sorted(order) == list(range(len(wanted)))
    for place, number in enumerate(order):
        overtakers = [other for other in order[:place] if other > number and wanted[other] & wanted[number]]
        assert len(overtakers) <= patience


def test_a_job_of_two_busy_people_is_not_passed_over_for_ever() -> None:
    wanted = [frozenset("a"), frozenset("b"), frozenset("ab"), *[frozenset("a"), frozenset("b")] * 50]
    steps = [1, 2, 0, *[2, 2] * 50]
    order = starts(AsyncExecutor(2, patience=4), wanted, steps)
    assert order.index(2) <= 6


def test_jobs_without_shared_claims_fill_every_slot() -> None:
    running, most = 0, 0

    async def work(_: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    async def run() -> None:
        async for _ in AsyncExecutor(3).run([Job(number) for number in range(12)], work):
            pass

    asyncio.run(run())
    assert most == 3


def test_work_goes_on_while_the_caller_is_busy_with_an_outcome() -> None:
    ended: list[int] = []

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        ended.append(number)

    async def run() -> int:
        async for _ in AsyncExecutor(2).run([Job(number) for number in range(10)], work):
            await asyncio.sleep(0.05)
            return len(ended)
        return 0

    assert asyncio.run(run()) == 10


def test_the_serial_executor_starts_the_next_job_only_when_it_is_asked_for() -> None:
    started: list[int] = []

    async def work(number: int) -> None:
        started.append(number)

    async def run() -> list[list[int]]:
        jobs = [Job(number) for number in range(3)]
        return [list(started) async for _ in SerialExecutor().run(jobs, work)]

    assert asyncio.run(run()) == [[0], [0, 1], [0, 1, 2]]


def test_two_hundred_dialogues_cost_little_beside_their_own_work() -> None:
    async def work(_: int) -> None:
        await asyncio.sleep(0)

    async def run() -> int:
        pairs = [frozenset({f"p{number % 20}", f"p{(number * 7 + 1) % 20}"}) for number in range(200)]
        jobs = [Job(number, pair) for number, pair in enumerate(pairs)]
        return len([outcome async for outcome in AsyncExecutor(8).run(jobs, work)])

    assert asyncio.run(run()) == 200


@pytest.mark.parametrize("wrong", [{"in_flight": 0}, {"patience": -1}])
def test_an_executor_that_could_not_work_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        AsyncExecutor(**wrong)
