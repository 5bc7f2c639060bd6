"""What an instance tells its fleet: what it has counted, once a second when that has changed.

Whoever listens may be gone or slow. Then nothing is told, and nothing else changes: an instance
works without its fleet.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote

import msgspec

from skerry.core.errors import CallError
from skerry.core.wire import JSON, Headers, Request, read_all
from skerry.telemetry.metrics import Metrics, Snapshot, merge
from skerry.transport.unix import UnixTransport

from .telling import Teller

EVERY = 1.0
_TIMEOUT = 2.0


class Reporter:
    """Reports for the length of an ``async with`` block, and once more at its end.

    Args:
        name: of this process.
        metrics: what its apps count with.
        teller: what else is told; None for nothing.
    """

    def __init__(self, name: str, metrics: Sequence[Metrics], teller: Teller | None = None) -> None:
        self._target = f"/instances/{quote(name)}"
        self._metrics = metrics
        self._teller = teller
        self._told: Snapshot = {"series": [], "counters": []}
        path = os.environ.get("SKERRY_CONTROL", "")
        self._transport = UnixTransport(path) if path and metrics else None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Reporter:
        if self._transport is not None:
            self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None and self._transport is not None:
            self._task.cancel()
            await self.tell()
            await self._transport.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self.tell()

    async def tell(self) -> None:
        """Report now, if there is anything new."""
        if self._transport is None:
            return
        snapshot = merge(metrics.snapshot() for metrics in self._metrics)
        if snapshot != self._told and await self._post(self._transport, "report", snapshot):
            self._told = snapshot
        if self._teller is not None and (news := self._teller.news()):
            self._teller.told(await self._post(self._transport, "insight", news))

    async def _post(self, transport: UnixTransport, what: str, value: Any) -> bool:
        """Whether it was heard."""
        request = Request(
            "POST",
            f"{self._target}/{what}",
            headers=Headers([(b"content-type", JSON)]),
            body=msgspec.json.encode(value),
            route=what,
        )
        with contextlib.suppress(CallError, TimeoutError):
            async with asyncio.timeout(_TIMEOUT):
                response = await transport.connect()(request)
                await read_all(response.body)
            return response.status < 300
        return False
