"""Keeps a delivery ours while its handler works, and ends the work when it is no longer.

A handler may take longer than a lease: what shows that its instance is alive is that somebody
says so now and then. A handler whose delivery has gone to another must stop: whatever it goes
on to do is being done twice.
"""

from __future__ import annotations

import asyncio
import logging

from skerry.bus.attempt import Attempt
from skerry.bus.driver import LeaseLost
from skerry.core.clock import Clock, system
from skerry.core.errors import CallError
from skerry.core.failpoint import hit
from skerry.core.service import Service

log = logging.getLogger("skerry.bus")

_BEATS = 3  # in each lease, so that one may be late and one may be lost


class KeepLease:
    """Extends the lease of an attempt's delivery as long as the attempt lasts.

    Raises:
        LeaseLost: the delivery went to another while the handler worked; it was cancelled.
    """

    def __init__(self, lease: float, clock: Clock = system) -> None:
        self.lease = lease
        self._clock = clock

    async def __call__(self, attempt: Attempt, service: Service[Attempt, None], /) -> None:
        task = asyncio.current_task()
        assert task is not None
        lost = False

        def lose() -> None:
            nonlocal lost
            lost = True
            task.cancel()

        beating = asyncio.create_task(self._beat(attempt, lose))
        cancels = task.cancelling()
        try:
            await service(attempt)
        except asyncio.CancelledError as error:
            if lost and task.uncancel() <= cancels:
                raise LeaseLost(f"{attempt!r} took longer than its lease") from error
            raise
        finally:
            beating.cancel()

    async def _beat(self, attempt: Attempt, lose: object) -> None:
        assert callable(lose)
        while True:
            await self._clock.sleep(self.lease / _BEATS)
            try:
                await attempt.delivery.extend()
                if attempt.held is not None and not attempt.written:
                    await attempt.held.extend()
            except LeaseLost:
                hit("consumer.lease_lost")
                lose()
                return
            except CallError as error:
                # The broker may be back before the lease is over; if not, it will say so.
                log.warning("%r: its lease was not extended: %s", attempt, error)

    def __repr__(self) -> str:
        return f"KeepLease({self.lease:g} s)"
