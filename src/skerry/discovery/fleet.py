"""Instances as the supervisor of a fleet knows them: a stream of changes from its control API.

The supervisor may go away, and apps must not notice: what was known last stays in force, and
the stream is opened again, with growing pauses, until there is a supervisor to talk to.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from weakref import WeakKeyDictionary

from msgspec import DecodeError, Struct, ValidationError, json

from skerry.core.clock import Clock, system
from skerry.core.errors import CallError
from skerry.core.instance import Address
from skerry.core.service import Service
from skerry.core.wire import Headers, Request, Response, Stream

from .base import Hub, Watch

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0  # seconds
_LONGEST_LINE = 16 << 20  # bytes; the registry of a very large fleet is a few hundred KiB


class _Registry(Struct):
    """One line of ``GET /registry``: everything there is at that moment."""

    apps: dict[str, list[Address]]


_decode = json.Decoder(_Registry).decode


class FleetDiscovery:
    """Watches the registry of a fleet.

    Every event loop that watches reads a stream of its own, from its first watch on.

    Args:
        control: the control API.
        rng: jitter for the pauses, so that a fleet's apps do not all come back at once.
    """

    def __init__(
        self,
        control: Service[Request, Response],
        clock: Clock = system,
        rng: random.Random | None = None,
    ) -> None:
        self._control = control
        self._clock = clock
        self._rng = rng or random.Random()
        self._readers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Reader] = WeakKeyDictionary()

    def watch(self, app: str, /) -> Watch:
        """The instances of ``app``. Only inside an event loop."""
        loop = asyncio.get_running_loop()
        reader = self._readers.get(loop)
        if reader is None:
            reader = self._readers[loop] = _Reader(self._control, self._clock, self._rng)
        return reader.watch(app)

    def check(self, app: str, /) -> None:
        """A fleet's addresses are right."""

    async def close(self) -> None:
        """End the stream of this event loop."""
        reader = self._readers.pop(asyncio.get_running_loop(), None)
        if reader is not None:
            await reader.close()


class _Reader:
    """The stream of one event loop, and what it said last."""

    def __init__(
        self, control: Service[Request, Response], clock: Clock, rng: random.Random
    ) -> None:
        self._control = control
        self._clock = clock
        self._rng = rng
        self._known: dict[str, list[Address]] = {}
        self._hubs: dict[str, Hub] = {}
        self._task = asyncio.get_running_loop().create_task(self._run())

    def watch(self, app: str) -> Hub:
        hub = self._hubs.get(app)
        if hub is None:
            why = f"the fleet has no running instance of {app!r}"
            hub = self._hubs[app] = Hub(self._known.get(app, ()), why_empty=why)
        return hub

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                async for line in self._lines():
                    self._take(_decode(line))
                    pause = _FIRST_PAUSE
            except (CallError, OSError, DecodeError, ValidationError):
                pass  # gone, or not (yet) what it should be: what is known stays known
            await self._clock.sleep(pause * self._rng.uniform(0.5, 1.0))
            pause = min(_LONGEST_PAUSE, 2.0 * pause)

    async def _lines(self) -> AsyncIterator[bytes]:
        request = Request(
            "GET", "/registry", headers=Headers([(b"accept", b"application/x-ndjson")])
        )
        response = await self._control(request)
        body = response.body
        if not isinstance(body, Stream):
            return
        try:
            if response.status != 200:
                return
            rest = b""
            async for chunk in body:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield line
                if len(rest) > _LONGEST_LINE:
                    return
        finally:
            await body.aclose()

    def _take(self, registry: _Registry) -> None:
        self._known = registry.apps
        for app, hub in self._hubs.items():
            hub.set(sorted(registry.apps.get(app, ())))
