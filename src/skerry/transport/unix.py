"""HTTP over a Unix socket: how an instance talks to the fleet's control API.

The same HTTP as over TCP. A socket that is not there, or that nobody listens at any more, is a
``ConnectError``, as a refused connection is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from os import PathLike, fspath

from skerry.core.instance import Address
from skerry.core.service import Service
from skerry.core.wire import Request, Response

from .base import DEFAULTS, TransportSettings
from .http1 import Connection
from .native import Pools


class UnixTransport:
    """HTTP/1.1 to whoever listens at ``path``.

    Args:
        path: of the socket; it need not exist yet.
    """

    def __init__(self, path: str | PathLike[str], settings: TransportSettings = DEFAULTS) -> None:
        self._path = fspath(path)
        self._pools = Pools(settings)

    def connect(self, address: Address | None = None, /) -> Service[Request, Response]:
        """The service behind the socket, whatever the address: there is only one."""

        async def dial(protocol: Callable[[], Connection]) -> Connection:
            loop = asyncio.get_running_loop()
            transport, connection = await loop.create_unix_connection(protocol, self._path)
            try:
                # asyncio takes a full backlog (EAGAIN) for a connection that is on its way, and
                # the first writable moment for its arrival.
                transport.get_extra_info("socket").getpeername()
            except OSError:
                transport.abort()
                raise
            return connection

        return self._pools.service(False, "localhost", dial)

    async def close(self) -> None:
        await self._pools.close()
