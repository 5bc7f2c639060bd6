"""Tries again what failed, where that is safe, in time, and within the budget.

Only the layer directly above a failure retries. What this one gives up on leaves it with a
marker that says so, or three layers with three attempts each would make 27 of one request.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from skerry.core.clock import Clock, system
from skerry.core.context import current
from skerry.core.errors import CallError, Retry
from skerry.core.service import Service
from skerry.core.wire import PUSHBACK, Request, Response, Stream
from skerry.telemetry.metrics import Counter, Metrics
from skerry.telemetry.spans import resends

from .budget import BudgetSettings, RetryBudget
from .numbers import refuse_odd


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """When to try again.

    Attributes:
        attempts: how many in all, the first included.
        backoff: seconds that the wait before the first retry is at most; doubled each time.
        longest: seconds that it never exceeds.
        budget: how much retrying there may be in all.
    """

    attempts: int = 3
    backoff: float = 0.025
    longest: float = 1.0
    budget: BudgetSettings = field(default_factory=BudgetSettings)

    def __post_init__(self) -> None:
        refuse_odd(self, "attempts")


_BUSY = frozenset({429, 502, 503, 504})
_IN_FLIGHT = 409  # where the server says when to come back: no other conflict goes away
_RETRY_AFTER = b"retry-after"


class Retrier:
    """The filter that retries. Its waits have *full jitter*: anything from nothing to the limit
    (Marc Brooker, "Exponential Backoff And Jitter", 2015).

    Args:
        settings: see there.
        budget: shared by everything that is one client.
        metrics: counts retries and spent budgets.
        caller, app: whose client of what this is.
        rng: where jitter comes from; seed it and it repeats.
    """

    def __init__(
        self,
        settings: RetrySettings,
        budget: RetryBudget,
        metrics: Metrics,
        caller: str = "",
        app: str = "",
        clock: Clock = system,
        rng: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self._budget = budget
        self._app = app
        self._clock = clock
        self._rng = rng or random.Random()
        self._retries: Counter = metrics.counter(
            "skerry_retries", "Attempts after the first.", app=caller, peer=app
        )
        self._spent: Counter = metrics.counter(
            "skerry_retry_budget_spent",
            "Failures that were not retried because the budget was spent.",
            app=caller,
            peer=app,
        )

    async def __call__(self, request: Request, service: Service[Request, Response], /) -> Response:
        self._budget.deposit()
        attempt = 1
        mark = None
        try:
            while True:
                try:
                    response = await service(request)
                except CallError as error:
                    if not _repeatable(error.retry, request):
                        raise
                    wait = self._wait(attempt, 0.0)
                    if wait is None:
                        error.retry = Retry.NEVER
                        raise
                else:
                    if response.status < _IN_FLIGHT or not _passing(response):
                        return response
                    least = self._least_wait(request, response)
                    if least is None:
                        return response
                    wait = self._wait(attempt, least)
                    if wait is None:
                        response.headers.set(PUSHBACK.decode(), "-1")
                        return response
                    if isinstance(response.body, Stream):
                        await response.body.aclose()
                await self._clock.sleep(wait)
                before = resends.set(attempt)
                mark = mark or before  # that of the first goes back to what was outside
                attempt += 1
        finally:
            if mark is not None:
                resends.reset(mark)

    def _wait(self, attempt: int, least: float) -> float | None:
        """Seconds until the next attempt, paid for; None if there is to be none."""
        settings = self.settings
        if attempt >= settings.attempts:
            return None
        most = min(settings.longest, settings.backoff * 2.0 ** (attempt - 1))
        wait = least + self._rng.uniform(0.0, most)
        deadline = current().deadline
        if deadline is not None and self._clock.now() + wait >= deadline:
            return None
        if not self._budget.withdraw():
            self._spent.add()
            return None
        self._retries.add()
        return wait

    def _least_wait(self, request: Request, response: Response) -> float | None:
        """Seconds the server wants to be left alone for; None if the answer is to stand."""
        pushback = response.headers.find(PUSHBACK)
        if pushback is not None:
            # gRPC A6: whatever is not a number of milliseconds means not to try again.
            if not pushback.isdigit() or not _repeatable(Retry.SAFE, request):
                return None
            return float(pushback) / 1000
        if not _repeatable(Retry.REPEATABLE, request):
            return None
        after = response.headers.find(_RETRY_AFTER)
        return 0.0 if after is None else _seconds(after, self._clock.wall())

    def __repr__(self) -> str:
        s = self.settings
        return (
            f"Retry(attempts={s.attempts}, backoff={s.backoff:g}–{s.longest:g} s, "
            f"budget={s.budget.share:.0%} + {s.budget.per_second:g}/s over {s.budget.window:g} s)"
        )


def _passing(response: Response) -> bool:
    if response.status == _IN_FLIGHT:
        return response.headers.find(PUSHBACK) is not None
    return response.status in _BUSY


def _repeatable(retry: Retry, request: Request) -> bool:
    body = request.body
    if retry is Retry.SAFE:  # nothing was done; all that could be missing is the body
        return isinstance(body, bytes) or not body.read_started
    return retry is Retry.REPEATABLE and isinstance(body, bytes) and request.repeatable


def _seconds(value: bytes, now: float) -> float:
    """``Retry-After`` (RFC 9110, 10.2.3): seconds, or a date; zero where it is neither."""
    if value.isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value.decode("latin-1"))
        return max(0.0, when.timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0
