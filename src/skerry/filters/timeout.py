"""A limit in time on a block of code, cheap because nearly every limit is never reached.

``asyncio.timeout`` arms and disarms one loop timer for each use, two calls into the loop for
every request and every attempt. Here timeouts of one event loop share buckets of a few
milliseconds: arming is adding to a set, disarming is removing from it, and one loop timer
waits for the earliest bucket (after the hashed timing wheels of Varghese and Lauck, 1987).
A limit is never early and at most one bucket late.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import CancelledError, current_task
from types import TracebackType

from skerry.core.clock import Clock, Timer, system

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

    Attributes:
        expired: whether the end came before the block was left.
    """

    __slots__ = ("_armed", "_cancels", "_clock", "_task", "expired", "when")

    def __init__(self, when: float, clock: Clock = system) -> None:
        self.when = when
        self.expired = False
        self._clock = clock

    def __enter__(self) -> Timeout:
        wheel = _here.wheel
        task = None if wheel is None else current_task(wheel.loop)
        if wheel is None or task is None:
            wheel = _look_around()
            task = current_task(wheel.loop)
            if task is None:
                raise RuntimeError("a Timeout needs a task to cancel; there is none here")
        self._task = task
        self._cancels = task.cancelling()
        if self._clock is system:
            tick = int(self.when * _PER_SECOND) + 1
            bucket = wheel.buckets.get(tick)
            if bucket is None:
                bucket = wheel.bucket(tick)
            bucket.add(self)
            self._armed: set[Timeout] | Timer = bucket
        else:
            self._armed = self._clock.call_at(self.when, self.expire)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        armed = self._armed
        if isinstance(armed, set):
            armed.discard(self)
        else:
            armed.cancel()
        if self.expired and self._task.uncancel() <= self._cancels and kind is CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        if not self.expired:
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


class _Here(threading.local):
    """The wheel of the loop that each thread ran last.

    Asking asyncio which loop is running costs a system call in CPython 3.11; asking it for the
    current task of a loop we name does not, and there is none when that loop is no longer the
    one that runs.
    """

    wheel: _Wheel | None = None


_here = _Here()


def _look_around() -> _Wheel:
    """The wheel of the running loop; a loop that another ran in between gets a new one, and
    what was armed on the old one still falls due there."""
    loop = asyncio.get_running_loop()
    wheel = _here.wheel
    if wheel is None or wheel.loop is not loop:
        wheel = _here.wheel = _Wheel(loop)
    return wheel
