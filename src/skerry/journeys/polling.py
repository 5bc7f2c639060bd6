"""``eventually``: what apps tell each other by events is true a moment later."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

from skerry.core.clock import Clock, system
from skerry.core.errors import CallError, Problem

from .explain import message

T = TypeVar("T")

NOT_YET = (AssertionError, LookupError, Problem, CallError)
"""Exceptions that mean *not yet*. Any other is a mistake, and is raised at once."""


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]],
    *,
    within: float = 5.0,
    every: float = 0.1,
    not_yet: tuple[type[Exception], ...] = NOT_YET,
    clock: Clock = system,
) -> T: ...


@overload
async def eventually(
    condition: Callable[[], T],
    *,
    within: float = 5.0,
    every: float = 0.1,
    not_yet: tuple[type[Exception], ...] = NOT_YET,
    clock: Clock = system,
) -> T: ...


async def eventually(
    condition: Callable[[], Any],
    *,
    within: float = 5.0,
    every: float = 0.1,
    not_yet: tuple[type[Exception], ...] = NOT_YET,
    clock: Clock = system,
) -> Any:
    """Call ``condition`` until it returns something true; that.

    ::

        async def settled() -> Payment:
            payment = await payments.get_payment(id)
            assert payment.state == "settled"
            return payment

        payment = await eventually(settled, within=10)

    Args:
        within: seconds, a last call that hangs included.
        every: seconds between a failure and the next call.
        not_yet: exceptions after which it is called again.

    Raises:
        AssertionError: time is up; with what the last call raised or returned.
    """
    until = clock.now() + within
    last: Exception | None = None
    said = "it has not been answered once"
    while (left := until - clock.now()) > 0:
        try:
            async with asyncio.timeout(left) as limit:
                value = condition()
                if inspect.isawaitable(value):
                    value = await value
            if value:
                return value
            last, said = None, f"it returned {value!r}"
        except not_yet as error:
            last, said = error, f"{type(error).__name__}: {message(error)}"
        except TimeoutError as error:
            if not limit.expired():
                raise
            last = error
            break
        await clock.sleep(min(every, max(0.0, until - clock.now())))
    raise AssertionError(f"not within {within:g} s; at last: {said}") from last
