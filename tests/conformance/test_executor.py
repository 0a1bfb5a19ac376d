"""What every `Executor` must do, run against each of ours."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.runtime.errors import ModelUnavailable
from kithnet.runtime.executor import AsyncExecutor, Executor, Job, Outcome, SerialExecutor

MAKERS: dict[str, Callable[[], Executor]] = {
    "serial": SerialExecutor,
    "one in flight": lambda: AsyncExecutor(1),
    "three in flight": lambda: AsyncExecutor(3),
    "many, in strict order": lambda: AsyncExecutor(16, patience=0),
}
every_executor = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())

people = st.sampled_from("abcdef")
plans = st.lists(st.tuples(st.frozensets(people, max_size=3), st.integers(0, 3), st.booleans()), max_size=14)


async def collect(
    executor: Executor, jobs: list[Job[int]], work: Callable[[int], Awaitable[str]]
) -> list[Outcome[int, str]]:
    return [outcome async for outcome in executor.run(jobs, work)]


@every_executor
@given(plan=plans)
@settings(max_examples=60, deadline=None)
def test_claims_never_overlap_and_every_job_runs_exactly_once(
    make: Callable[[], Executor], plan: list[tuple[frozenset[str], int, bool]]
) -> None:
    jobs = [Job(number, claims) for number, (claims, _, _) in enumerate(plan)]
    held: Counter[str] = Counter()
    ran: list[int] = []

    async def work(number: int) -> str:
        claims, steps, fails = plan[number]
        assert not any(held[claim] for claim in claims)
        held.update(claims)
        try:
            for _ in range(steps):
                await asyncio.sleep(0)
                assert all(held[claim] == 1 for claim in claims)
            ran.append(number)
            if fails:
                raise ModelUnavailable("the endpoint is away")
            return f"done {number}"
        finally:
            held.subtract(claims)

    outcomes = asyncio.run(collect(make(), jobs, work))
    assert sorted(ran) == list(range(len(plan)))
    assert sorted(outcome.item for outcome in outcomes) == list(range(len(plan)))
    for outcome in outcomes:
        fails = plan[outcome.item][2]
        assert (outcome.error is not None, outcome.result) == (fails, None if fails else f"done {outcome.item}")


@every_executor
def test_a_kithnet_error_ends_its_own_job_only(make: Callable[[], Executor]) -> None:
    async def work(number: int) -> str:
        if number == 1:
            raise ModelUnavailable("the endpoint is away")
        return str(number)

    jobs = [Job(number, frozenset({"ross"})) for number in range(3)]
    outcomes = {outcome.item: outcome for outcome in asyncio.run(collect(make(), jobs, work))}
    assert (outcomes[0].result, outcomes[2].result) == ("0", "2")
    assert isinstance(outcomes[1].error, ModelUnavailable)
    assert all(outcome.seconds >= 0 for outcome in outcomes.values())


@every_executor
def test_a_defect_in_one_job_stops_the_others_and_is_raised(make: Callable[[], Executor]) -> None:
    under_way: Counter[str] = Counter()

    async def work(number: int) -> str:
        under_way["started"] += 1
        try:
            if number == 2:
                raise ZeroDivisionError
            await asyncio.sleep(0 if number < 2 else 60)
            return str(number)
        finally:
            await asyncio.sleep(0)  # cleaning up takes a moment, and is waited for
            under_way["ended"] += 1

    with pytest.raises(ZeroDivisionError):
        asyncio.run(collect(make(), [Job(number) for number in range(40)], work))
    assert under_way["started"] == under_way["ended"] < 40


@every_executor
def test_two_defects_at_once_raise_the_first(make: Callable[[], Executor]) -> None:
    async def work(number: int) -> str:
        await asyncio.sleep(0)
        raise ZeroDivisionError if number == 0 else RuntimeError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(collect(make(), [Job(number) for number in range(6)], work))


@every_executor
def test_leaving_early_cancels_what_runs(make: Callable[[], Executor]) -> None:
    under_way: Counter[str] = Counter()

    async def work(number: int) -> str:
        under_way["started"] += 1
        try:
            await asyncio.sleep(0 if number == 0 else 60)
            return str(number)
        finally:
            under_way["ended"] += 1

    async def leave() -> str | None:
        async with aclosing(make().run([Job(number) for number in range(40)], work)) as outcomes:
            async for outcome in outcomes:
                assert outcome.item == 0
                break
        assert under_way["started"] == under_way["ended"]
        return "left"

    assert asyncio.run(leave()) == "left"


@every_executor
def test_cancelling_the_caller_waits_until_the_jobs_have_cleaned_up(make: Callable[[], Executor]) -> None:
    cleaned: list[int] = []

    async def work(number: int) -> str:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.append(number)
        return ""

    async def cancel() -> int:
        task = asyncio.create_task(collect(make(), [Job(number) for number in range(4)], work))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(asyncio.all_tasks())

    assert asyncio.run(cancel()) == 1
    assert cleaned


@every_executor
def test_no_jobs_is_no_outcomes(make: Callable[[], Executor]) -> None:
    async def work(number: int) -> str:
        raise AssertionError

    assert asyncio.run(collect(make(), [], work)) == []
