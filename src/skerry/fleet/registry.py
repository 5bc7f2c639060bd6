"""Which instances there are to call, told to whoever watches.

Every change tells the whole set: a watcher that was away for a while, or missed a few changes,
is right again with the next line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from skerry.core.instance import Address

Apps = Mapping[str, Sequence[Address]]


class Registry:
    """The current set, and those who wait for the next one."""

    def __init__(self) -> None:
        self._line = _encode({})
        self._version = 0
        self._changed = asyncio.Event()

    def publish(self, apps: Apps) -> None:
        """Make this the current set; nobody is told what they know."""
        line = _encode(apps)
        if line != self._line:
            self._line = line
            self._version += 1
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    async def watch(self) -> AsyncIterator[bytes]:
        """The current set as a line of JSON, and every later one; a slow reader skips some."""
        while True:
            seen = self._version
            yield self._line
            while self._version == seen:
                await self._changed.wait()


def _encode(apps: Apps) -> bytes:
    return msgspec.json.encode({"apps": apps}, order="sorted") + b"\n"
