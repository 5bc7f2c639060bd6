"""Serve an app with uvicorn, and leave in order.

uvicorn's own ``serve`` takes the process's signals for itself, which only one of several can do,
and wakes ten times a second to look whether it should end. Here whoever runs the process decides,
and an idle server sleeps: it wakes once a second for the ``Date`` header.

On SIGTERM or SIGINT, ``run`` says at ``/readyz`` that the app is draining, takes no new
connections, finishes what has begun within a bound, closes the app's resources, and lets the
process end, whatever threads still run.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Callable, Generator
from typing import Any

import uvicorn

from skerry.core.errors import ConfigError, Error
from skerry.telemetry import logs

from .ending import bounded_end
from .nowebsocket import NoWebSocket
from .protocol import HttpProtocol

DRAIN = 10.0
"""Seconds that requests in flight have to finish."""

LINGER = 0.1
"""Seconds in which a server that stops still answers on the connections it has."""

LAST_WORDS = 0.5
"""Seconds in which requests that are cut off can say so, and close what they hold."""

YOUNG = 10_000
"""Objects that come to be before the garbage collector looks which of them are already lost."""

log = logging.getLogger("skerry.app")


class NotStarted(Error):
    """The app's own start-up failed; its log says how."""


class Server(uvicorn.Server):
    """One app on one or more listening sockets.

    Args:
        app: an ASGI 3 application.
        sockets: listening; closed at the end.
        drain: seconds that requests in flight get at the end.
        websocket: asyncio protocol class for upgrades; by default that of the library which is
            installed, websockets or wsproto.
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
            http=HttpProtocol,
            ws=websocket,
            lifespan="auto",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=75,
        )
        super().__init__(config)
        self._sockets = sockets
        self._drain = drain
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run the app's start-up and accept connections.

        Raises:
            NotStarted: the start-up failed.
        """
        self.config.load()
        if self.config.ws_protocol_class is None:
            self.config.ws_protocol_class = NoWebSocket
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
        """Accept nothing more, finish what is in flight, events too, run the app's shutdown.

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
        for listening in self._sockets:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.gather(self._finish(), self._finish_events())
        await self.lifespan.shutdown()

    async def _finish_events(self) -> None:
        """Let an app of Skerry's own finish what its handlers of events are at, within the bound
        that requests have; before its resources close, and not after the requests."""
        finish = getattr(self.config.app, "finish_events", None)
        if finish is not None:
            await finish(self._drain)

    async def _finish(self) -> None:
        """Wait for what is in flight, and no longer than may be."""
        state = self.server_state
        try:
            async with asyncio.timeout(self._drain):
                while state.connections or state.tasks:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        except TimeoutError:
            log.warning("%s requests were not done after %g s", len(state.tasks), self._drain)
            with _without_cancellations(logging.getLogger("uvicorn.error")):
                for task in state.tasks:
                    task.cancel()
                if state.tasks:
                    await asyncio.wait(list(state.tasks), timeout=LAST_WORDS)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextlib.contextmanager
def _without_cancellations(logger: logging.Logger) -> Generator[None, None, None]:
    """uvicorn logs each WebSocket that we cut off as an error of its app, traceback and all."""

    def is_news(record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))

    logger.addFilter(is_news)
    try:
        yield
    finally:
        logger.removeFilter(is_news)


def run(
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    drain: float = DRAIN,
    ready: Callable[[str], object] = lambda url: None,
) -> None:
    """Serve one app in this process until it is told to stop: ``run(app)``. What it logs is
    written to standard error, unless somebody has said otherwise.

    Args:
        app: any ASGI application.
        port: 0 for one that is free.
        drain: seconds that requests in flight have to finish.
        ready: is told the address, once it can be called.

    Raises:
        ConfigError: the address cannot be listened on.
        NotStarted: the app's own start-up failed.
    """
    logs.as_last_resort()
    logs.join_libraries()
    runner = asyncio.Runner(loop_factory=loop_factory())
    code = 1
    try:
        runner.run(_run(app, _listen(host, port), drain, ready))
        code = 0
    finally:
        with bounded_end(code):
            runner.close()


async def _run(
    app: Any, listening: socket.socket, drain: float, ready: Callable[[str], object]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    host, port = listening.getsockname()[:2]
    server = Server(app, [listening], drain)
    await server.start()
    settle()
    ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
    try:
        await stop.wait()
    finally:
        if hasattr(app, "draining"):
            app.draining = True
        await server.stop()


def settle() -> None:
    """Tell the garbage collector that start-up is over, in a process that does nothing but serve.

    What there is now stays, so it is never searched again. And the requests under way at one
    time are more objects than CPython by default lets come to be between two searches, nearly
    all of which would find that they are still needed.
    """
    gc.collect()
    gc.freeze()
    young, *older = gc.get_threshold()
    if 0 < young < YOUNG:
        gc.set_threshold(YOUNG, *older)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=2048, family=_family(host))
    except (OSError, OverflowError) as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error}") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop where there is one, asyncio's own otherwise."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
