"""A limit in time on a block of code, cheap because nearly every limit is never reached.

``asyncio.timeout`` arms and disarms one loop timer for each use, two calls into the loop for
every request and every attempt. Here timeouts of one event loop share buckets of a few
milliseconds: arming is adding to a set, disarming is removing from it, and one loop timer
waits for the earliest bucket (after the hashed timing wheels of Varghese and Lauck, 1987).
A limit is never early and at most one bucket late.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from threading import get_ident
from types import TracebackType

from .clock import Clock, Timer, system

TICK = 0.008
"""Seconds in a bucket: how late an expiry can be."""

_PER_SECOND = 1 / TICK


class Timeout:
    """``with Timeout(when):`` cancels the block at ``when`` and raises ``TimeoutError``.

    A cancellation from outside passes through as what it is, also when both come together.
    Only inside a task.

    Args:
        when: the end, on the clock's ``now()``.
        clock: whose time it is.
    """

    __slots__ = ("_bucket", "_cancels", "_clock", "_task", "_timer", "_wheel", "expired", "when")

    def __init__(self, when: float, clock: Clock = system) -> None:
        self.when = when
        self.expired = False
        self._clock = clock
        self._task: asyncio.Task[object] | None = None
        self._cancels = 0
        self._wheel: _Wheel | None = None
        self._bucket: set[Timeout] | None = None
        self._timer: Timer | None = None

    def __enter__(self) -> Timeout:
        here = _here.get(get_ident())
        task = None if here is None else current_task(here.loop)
        if task is None:
            here = _look_around()
            task = current_task(here.loop)
            if task is None:
                raise RuntimeError("a Timeout needs a task to cancel; there is none here")
        self._task = task
        self._cancels = task.cancelling()
        self._wheel = here
        self._arm()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._bucket is not None:
            self._bucket.discard(self)
        else:
            self._disarm()
        if self.expired:
            assert self._task is not None
            if self._task.uncancel() <= self._cancels and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def extend(self, when: float) -> None:
        """Move the end; nothing happens if it has been reached."""
        if not self.expired:
            self._disarm()
            self.when = when
            self._arm()

    def _arm(self) -> None:
        if self._clock is not system:
            self._timer = self._clock.call_at(self.when, self.expire)
            return
        wheel = self._wheel
        assert wheel is not None
        tick = int(self.when * _PER_SECOND) + 1
        bucket = wheel.buckets.get(tick)
        if bucket is None:
            bucket = wheel.bucket(tick)
        bucket.add(self)
        self._bucket = bucket

    def _disarm(self) -> None:
        if self._bucket is not None:
            self._bucket.discard(self)
        elif self._timer is not None:
            self._timer.cancel()

    def expire(self) -> None:
        if self._task is not None and not self.expired:
            self.expired = True
            self._task.cancel()


class _Wheel:
    """Buckets of one event loop, by the tick at which they fall due.

    Most buckets are empty again long before that. So the loop timer is set for the earliest
    bucket only, and a turn throws out the empty ones: an idle process is not woken for
    requests that were answered long ago.
    """

    __slots__ = ("_earliest", "_handle", "buckets", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.buckets: dict[int, set[Timeout]] = {}
        self._earliest = 0
        self._handle: asyncio.TimerHandle | None = None

    def bucket(self, tick: int) -> set[Timeout]:
        """A new bucket for what falls due at ``tick``."""
        bucket = self.buckets[tick] = set()
        if self._handle is None or tick < self._earliest:
            self._set(tick)
        return bucket

    def _set(self, tick: int) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._earliest = tick
        wait = max(0.0, tick / _PER_SECOND - system.now())
        self._handle = self.loop.call_later(wait, self._turn)

    def _turn(self) -> None:
        self._handle = None
        now = system.now() * _PER_SECOND
        kept: dict[int, set[Timeout]] = {}
        for tick, bucket in self.buckets.items():
            if not bucket:
                continue
            if tick <= now:
                for timeout in bucket:
                    timeout.expire()
            else:
                kept[tick] = bucket
        self.buckets = kept
        if kept:
            self._set(min(kept))


# The wheel of the loop that each thread ran last. Asking asyncio which loop is running costs a
# system call in CPython 3.11; asking it for the current task of a loop we name does not, and
# there is none when that loop is no longer the one that runs.
_here: dict[int, _Wheel] = {}


def _look_around() -> _Wheel:
    """The wheel of the running loop; a loop that another ran in between gets a new one, and
    what was armed on the old one still falls due there."""
    loop = asyncio.get_running_loop()
    wheel = _here.get(get_ident())
    if wheel is None or wheel.loop is not loop:
        wheel = _here[get_ident()] = _Wheel(loop)
    return wheel
