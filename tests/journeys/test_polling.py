"""Waiting for what becomes true a moment later."""

from __future__ import annotations

import asyncio

import pytest

from skerry import NotFound, eventually


async def test_it_is_what_the_condition_returns_when_that_is_true() -> None:
    answers = iter([None, 0, [], "there"])
    assert await eventually(lambda: next(answers), every=0.001) == "there"


async def test_failures_that_mean_not_yet_are_tried_again() -> None:
    raised = iter([AssertionError("a"), NotFound(detail="b"), KeyError("c")])

    async def look() -> int:
        for error in raised:
            raise error
        return 5

    assert await eventually(look, every=0.001) == 5


async def test_time_up_says_how_it_was_at_last() -> None:
    async def settled() -> bool:
        raise AssertionError("the payment is pending")

    with pytest.raises(AssertionError) as caught:
        await eventually(settled, within=0.05, every=0.01)
    said = "not within 0.05 s; at last: AssertionError: the payment is pending"
    assert str(caught.value) == said
    assert isinstance(caught.value.__cause__, AssertionError)


async def test_an_assertion_without_a_return_is_told_so() -> None:
    async def forgets() -> None:
        assert True

    with pytest.raises(AssertionError, match="it returned None"):
        await eventually(forgets, within=0.03, every=0.01)


async def test_a_mistake_is_raised_at_once() -> None:
    calls = 0

    def wrong() -> bool:
        nonlocal calls
        calls += 1
        raise TypeError("a mistake")

    with pytest.raises(TypeError, match="a mistake"):
        await eventually(wrong)
    assert calls == 1


async def test_a_call_that_hangs_is_within_the_time() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.05 s"):
        await eventually(lambda: asyncio.sleep(60, True), within=0.05)


async def test_a_timeout_of_its_own_is_the_conditions() -> None:
    async def own() -> bool:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await eventually(own, within=5)
