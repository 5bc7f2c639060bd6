"""How much retrying a client may do: a share of its requests, so that retries cannot be a storm.

After Finagle's ``RetryBudget``: each request earns a fraction of a retry, on top of a small
reserve for clients that have little traffic; what is earned expires.
"""

from __future__ import annotations

from dataclasses import dataclass

from skerry.core.clock import Clock, system
from skerry.core.errors import ConfigError

from .numbers import refuse_odd


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """How much may be retried.

    Attributes:
        share: retries for each request.
        per_second: retries a second that are allowed in any case.
        window: seconds after which what was earned and what was spent is forgotten.
    """

    share: float = 0.2
    per_second: float = 10.0
    window: float = 10.0

    def __post_init__(self) -> None:
        refuse_odd(self, "window")
        if self.share < 0 or self.per_second < 0:
            raise ConfigError(f"nobody can retry less than never: {self}")


_SLOTS = 10


class RetryBudget:
    """Counts requests and retries over a sliding window, shared by all calls of a client.

    The window is kept in slots of a tenth, with one more for the tenth that has begun. So
    whenever a retry is made, those of the ``window`` seconds up to then, it among them, are no
    more than the reserve and ``share`` of the requests of the last 1.1 windows. There are no
    timers; slots are turned when they are used.
    """

    __slots__ = ("_index", "_now", "_requests", "_reserve", "_retries", "_scale", "_share", "_tick")

    def __init__(self, settings: BudgetSettings | None = None, clock: Clock = system) -> None:
        settings = settings or BudgetSettings()
        self._share = settings.share
        self._reserve = settings.per_second * settings.window
        self._scale = _SLOTS / settings.window
        self._now = clock.now
        self._requests = [0] * (_SLOTS + 1)
        self._retries = [0] * (_SLOTS + 1)
        self._tick = int(self._now() * self._scale)
        self._index = 0

    def deposit(self) -> None:
        """One request has come in; retries of it are not requests."""
        if (tick := int(self._now() * self._scale)) != self._tick:
            self._turn(tick)
        self._requests[self._index] += 1

    def withdraw(self) -> bool:
        """Take one retry; False, and nothing taken, where none is left."""
        if self.balance < 1.0:
            return False
        self._retries[self._index] += 1
        return True

    @property
    def reserve(self) -> float:
        """How many retries a client without traffic may make."""
        return self._reserve

    @property
    def balance(self) -> float:
        """How many retries could be made now."""
        if (tick := int(self._now() * self._scale)) != self._tick:
            self._turn(tick)
        return self._reserve + self._share * sum(self._requests) - sum(self._retries)

    def _turn(self, tick: int) -> None:
        for _ in range(min(tick - self._tick, _SLOTS + 1)):
            self._index = (self._index + 1) % (_SLOTS + 1)
            self._requests[self._index] = self._retries[self._index] = 0
        self._tick = max(tick, self._tick)
