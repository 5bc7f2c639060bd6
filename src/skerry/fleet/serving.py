"""uvicorn, for a process that has its sockets already and may serve several apps.

uvicorn's own ``serve`` takes the process's signals for itself, which only one can do, and wakes
ten times a second to look whether it should end. Here the process decides, and an idle server
sleeps: it wakes once a second for the ``Date`` header.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Any

import uvicorn

from skerry.core.errors import Error

LINGER = 0.1
"""Seconds in which a server that stops still answers on the connections it has."""


class NotStarted(Error):
    """The app's own start-up failed; its log says how."""


class Server(uvicorn.Server):
    """One app on one or more listening sockets.

    Args:
        app: an ASGI 3 application.
        sockets: listening; closed at the end.
        drain: seconds that requests in flight get at the end.
        websocket: asyncio protocol class for upgrades; uvicorn's choice by default.
    """

    def __init__(
        self,
        app: Any,
        sockets: list[socket.socket],
        drain: float = 10.0,
        websocket: Any = "auto",
    ) -> None:
        config = uvicorn.Config(
            app,
            interface="asgi3",
            http="httptools",
            ws=websocket,
            lifespan="auto",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=75,
            # uvicorn counts whole seconds; 0 would mean for ever
            timeout_graceful_shutdown=max(1, round(drain)),
        )
        super().__init__(config)
        self._sockets = sockets
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run the app's start-up and accept connections.

        Raises:
            NotStarted: the start-up failed.
        """
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        try:
            await self.startup(sockets=self._sockets)
        except SystemExit:
            raise NotStarted("the app's start-up failed") from None
        await self.on_tick(0)
        self._task = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            await self.on_tick(0)

    async def stop(self) -> None:
        """Accept nothing more, finish what is in flight, run the app's shutdown.

        A connection that is closed while it is idle may be just about to carry a request, which
        then is lost. So for a moment every answer says that it is the last on its connection:
        the busy ones end in order, and only those that are idle for longer are closed.
        """
        self.should_exit = True
        if self._task is not None:
            self._task.cancel()
        if not self.started:
            return
        for server in self.servers:
            server.close()
        if self.server_state.connections:
            last = (b"connection", b"close")
            self.server_state.default_headers = [*self.server_state.default_headers, last]
            await asyncio.sleep(LINGER)
        await self.shutdown(sockets=self._sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
