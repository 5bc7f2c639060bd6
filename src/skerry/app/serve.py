"""Serve apps with uvicorn, and leave in order.

On SIGTERM or SIGINT an app first says at ``/readyz`` that it is draining, then takes no new
connections, finishes what it has begun within a bound, and closes its resources.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn

DRAIN = 10.0
"""Seconds that requests in flight have to finish."""


@dataclass(frozen=True, slots=True)
class Listener:
    """An ASGI app and the sockets it answers on; an empty list of sockets means ``port``."""

    app: Any
    sockets: Sequence[socket.socket] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    options: dict[str, Any] = field(default_factory=dict)


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: there may be several in one process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    *listeners: Listener, drain: float = DRAIN, stop: asyncio.Event | None = None
) -> None:
    """Serve until SIGTERM, SIGINT or ``stop``; then drain.

    Args:
        drain: seconds for requests in flight.

    Raises:
        SystemExit: with status 3, an app did not start; it has said why.
    """
    stop = stop or asyncio.Event()
    servers = [_Server(_config(listener, drain)) for listener in listeners]
    tasks = [
        asyncio.create_task(server.serve(sockets=list(listener.sockets) or None))
        for server, listener in zip(servers, listeners, strict=True)
    ]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(number, stop.set)
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait([asked, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for listener in listeners:
        if hasattr(listener.app, "draining"):
            listener.app.draining = True
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*tasks, return_exceptions=True)
    asked.cancel()
    if not all(server.started for server in servers):
        raise SystemExit(3)


def _config(listener: Listener, drain: float) -> uvicorn.Config:
    options: dict[str, Any] = {
        "host": listener.host,
        "port": listener.port,
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "proxy_headers": False,
        "lifespan": "auto",
        "ws": "auto",
        "timeout_graceful_shutdown": max(1, round(drain)),
        "timeout_keep_alive": 75,
        "backlog": 2048,
    }
    return uvicorn.Config(listener.app, **(options | listener.options))


def run(app: Any, *, host: str = "127.0.0.1", port: int = 8000, drain: float = DRAIN) -> None:
    """Serve one app in this process until it is told to stop: ``run(app)``."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(Listener(app, host=host, port=port), drain=drain))


def loop_factory() -> Any:
    """uvloop's loop where there is one, asyncio's own otherwise."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
