"""Chooses, for each attempt, the better of two instances picked at random.

Two random choices are nearly as good as looking at all, and unlike looking at all they do not
send a herd of clients to the one instance that has just become the best (Mitzenmacher, *The
Power of Two Choices in Randomized Load Balancing*, 2001). Better is first by status, then by
load: how long an answer takes times how many are waited for already.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

from skerry.core.clock import Clock, system
from skerry.core.errors import BreakerOpen, CallError, NoInstance
from skerry.core.instance import Address, Status
from skerry.core.service import Service
from skerry.core.wire import Request, Response, Stream
from skerry.discovery.base import Watch

from .latency import PeakEwma
from .numbers import refuse_odd

_UNKNOWN = 1e6  # seconds a first answer is thought to take while it is waited for


@dataclass(frozen=True, slots=True)
class BalanceSettings:
    """How instances are compared.

    Attributes:
        decay: seconds after which a latency seen weighs 1/e of one seen now.
        penalty: seconds that failures alone can raise an instance's estimate to.
        wait: seconds to wait for an instance while there is none at all.
    """

    decay: float = 10.0
    penalty: float = 1.0
    wait: float = 1.0

    def __post_init__(self) -> None:
        refuse_odd(self, "decay")

    def __str__(self) -> str:
        return (
            f"Balance(power of two choices, peak EWMA over {self.decay:g} s, "
            f"waits {self.wait:g} s for an instance)"
        )


@runtime_checkable
class Guard(Protocol):
    """Whoever knows whether calling an instance is worth it: its breaker."""

    @property
    def status(self) -> Status: ...


class Guarded(NamedTuple):
    """What the factory of a balancer makes of an address: an instance and its guard.

    Attributes:
        service: the instance through its own filters.
        guard: what knows its status; None where nothing does.
    """

    service: Service[Request, Response]
    guard: Guard | None = None


class _AlwaysOpen:
    status = Status.OPEN


_OPEN = Status.OPEN
_ALWAYS_OPEN = _AlwaysOpen()


class Candidate:
    """One instance as the balancer sees it; an ``Instance``.

    Attributes:
        address: where it is.
        guard: knows its status.
        outstanding: calls under way, until the end of their bodies.
    """

    __slots__ = (
        "_idle",
        "_latency",
        "_now",
        "_quiet_since",
        "_service",
        "_unanswered",
        "address",
        "guard",
        "outstanding",
    )

    def __init__(
        self, address: Address, endpoint: Guarded, settings: BalanceSettings, clock: Clock
    ) -> None:
        self.address = address
        self.outstanding = 0
        self._service = endpoint.service
        self.guard: Guard = endpoint.guard or _ALWAYS_OPEN
        self._now = clock.now
        self._latency = PeakEwma(settings.decay, settings.penalty, clock.now())
        self._idle: asyncio.Future[None] | None = None
        # An average knows nothing of an instance that has stopped answering; how long it has
        # been quiet, with answers due, is known before any of them comes.
        self._unanswered = 0
        self._quiet_since = 0.0

    @property
    def status(self) -> Status:
        return self.guard.status

    @property
    def load(self) -> float:
        return self.cost(self._now())

    @property
    def latency(self) -> float | None:
        """Seconds that an answer takes, as far as is known."""
        return self._latency.read(self._now()) or None

    def cost(self, now: float) -> float:
        """Seconds that one more call is expected to take. An instance that nothing is known of
        gets one call to be known by, and no second one before that is answered."""
        cost = self._latency.read(now)
        if cost <= 0.0:
            return _UNKNOWN * self.outstanding
        if self._unanswered and now - self._quiet_since > cost:
            cost = now - self._quiet_since
        return cost * (self.outstanding + 1)

    async def __call__(self, request: Request, /) -> Response:
        started = self._now()
        self.outstanding += 1
        if not self._unanswered:
            self._quiet_since = started
        self._unanswered += 1
        try:
            response = await self._service(request)
        except BaseException as error:
            self._unanswered -= 1
            self._release()
            self._raised(error, started)
            raise
        self._quiet_since = now = self._now()
        self._unanswered -= 1
        if response.status < 500 and response.status != 429:
            self._latency.observe(now - started, now)
        else:
            self._failed(now - started, now)
        if response.body.__class__ is not bytes and isinstance(response.body, Stream):
            response.body.on_end(self._release)
            return response
        self.outstanding -= 1
        if self._idle is not None:
            self._tell_idle()
        return response

    async def close(self) -> None:
        """Wait for the calls under way; what they run over belongs to the transport."""
        if self.outstanding:
            self._idle = self._idle or asyncio.get_running_loop().create_future()
            await self._idle

    def _raised(self, error: BaseException, started: float) -> None:
        now = self._now()
        if isinstance(error, asyncio.CancelledError):
            self._latency.observe_at_least(now - started, now)
        elif isinstance(error, CallError) and not isinstance(error, BreakerOpen):
            self._failed(now - started, now)

    def _failed(self, seconds: float, now: float) -> None:
        self._latency.observe_failure(seconds, now)
        if self.guard.status is not _OPEN:
            # From now on status speaks; and when it is time to ask the instance how it is, its
            # past must not keep it from being chosen.
            self._latency.forget()

    def _release(self, _: BaseException | None = None) -> None:
        self.outstanding -= 1
        if self._idle is not None:
            self._tell_idle()

    def _tell_idle(self) -> None:
        if not self.outstanding and self._idle is not None:
            _wake(self._idle)
            self._idle = None


class Balance:
    """One service out of the instances that a watch names, as they come and go.

    An instance that leaves gets no new calls, and those under way go on to their end. Belongs
    to one event loop.

    Args:
        watch: names the instances.
        make: reaches one through its own filters; called once for each that appears.
        app: who is called, for errors.
        rng: where the choices come from; seed it and they repeat.

    Raises:
        NoInstance: there is none, and none appeared for ``settings.wait``.
    """

    def __init__(
        self,
        watch: Watch,
        make: Callable[[Address], Guarded],
        settings: BalanceSettings,
        app: str = "",
        clock: Clock = system,
        rng: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self._watch = watch
        self._make = make
        self._app = app
        self._clock = clock
        self._now = clock.now
        self._random = (rng or random.Random()).random
        self._candidates: list[Candidate] = []
        self._waiting: set[asyncio.Future[None]] = set()
        self._unsubscribe = watch.subscribe(self._update)
        self._update(watch.current)

    @property
    def instances(self) -> Sequence[Candidate]:
        return tuple(self._candidates)

    def __call__(self, request: Request, /) -> Awaitable[Response]:
        candidates = self._candidates
        count = len(candidates)
        if count > 1:
            return self._pick(candidates, count)(request)
        if count:
            return candidates[0](request)
        return self._call_later(request)

    def _pick(self, candidates: list[Candidate], count: int) -> Candidate:
        first = int(self._random() * count)
        second = int(self._random() * (count - 1))
        if second >= first:
            second += 1
        one, other = candidates[first], candidates[second]
        if one.guard.status is _OPEN:
            if other.guard.status is not _OPEN:
                return one
            now = self._now()
            return one if one.cost(now) <= other.cost(now) else other
        if other.guard.status is _OPEN:
            return other
        best = min(candidate.status.value for candidate in candidates)
        equals = [candidate for candidate in candidates if candidate.status.value == best]
        return min(equals, key=lambda candidate: (candidate.load, self._random()))

    async def _call_later(self, request: Request) -> Response:
        if not self._watch.fixed and self.settings.wait > 0:
            appeared: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            end = self._clock.now() + self.settings.wait
            timer = self._clock.call_at(end, partial(_wake, appeared))
            self._waiting.add(appeared)
            try:
                await appeared
            finally:
                timer.cancel()
                self._waiting.discard(appeared)
        if not self._candidates:
            raise NoInstance(self._watch.why_empty(), app=self._app)
        return await self(request)

    def _update(self, addresses: Sequence[Address]) -> None:
        known = {candidate.address.url: candidate for candidate in self._candidates}
        self._candidates = [
            known.get(address.url)
            or Candidate(address, self._make(address), self.settings, self._clock)
            for address in {address.url: address for address in addresses}.values()
        ]
        if self._candidates:
            for appeared in self._waiting:
                _wake(appeared)

    def close(self) -> None:
        """Follow the watch no longer, and know no instance any more."""
        self._unsubscribe()
        self._candidates = []

    def __repr__(self) -> str:
        return str(self.settings)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
