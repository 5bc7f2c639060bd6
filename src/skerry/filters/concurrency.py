"""How many events a handler works on at the same time; what is taken ahead waits here."""

from __future__ import annotations

import asyncio

from skerry.bus.attempt import Attempt
from skerry.core.service import Service


class Concurrency:
    """Lets so many attempts through at a time, in the order they came.

    Args:
        limit: of one handler in one instance.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._places = asyncio.Semaphore(limit)

    async def __call__(self, attempt: Attempt, service: Service[Attempt, None], /) -> None:
        async with self._places:
            await service(attempt)

    def __repr__(self) -> str:
        return f"Concurrency({self._limit})"
