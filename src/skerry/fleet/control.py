"""The control API: how the command line, the console and the instances talk to the supervisor.

A Skerry app like any other, on a Unix socket that only its owner may open.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from skerry.app import App
from skerry.app.serve import Server
from skerry.core.errors import NotFound
from skerry.core.wire import Headers, Response, Stream
from skerry.telemetry.exposition import text as exposition
from skerry.telemetry.metrics import Snapshot

from .control_apps import add_apps
from .control_stacks import add_stacks
from .guard import Guard, token_in
from .loglines import Line, Wanted, understood
from .logsearch import find
from .state import State
from .status import FleetStatus, fleet_status
from .supervisor import Supervisor

_NDJSON = (b"content-type", b"application/x-ndjson")
_MOST_LINES = 100_000

TraceId = Annotated[str, Meta(pattern="^([0-9a-fA-F]{1,32})?$")]
Level = Literal["", "debug", "info", "warning", "error", "critical"]
_LARGEST_REPORT = 16 << 20  # bytes


class BusAddress(Struct):
    """Where the events go.

    Attributes:
        url: with credentials; empty while the broker is not ready.
    """

    url: str


def control_app(supervisor: Supervisor) -> App:
    """The control API of one supervisor."""
    app = App("control", description="Control of one running fleet.", body_limit=_LARGEST_REPORT)

    @app.get("/instances")
    async def instances() -> FleetStatus:
        """Every app, instance and backing, with its state and its counts."""
        return fleet_status(supervisor)

    @app.get("/registry", name="registry", media_type="application/x-ndjson")
    async def registry() -> Response:
        """The instances that can be called, now and at every change, one line of JSON each."""
        return Response(200, Headers([_NDJSON]), Stream(supervisor.registry.watch()))

    @app.post("/instances/{name}/report", status=204, raises=[NotFound])
    async def report(name: str, snapshot: Snapshot) -> None:
        """What a process has counted since it started."""
        if all(replica.name != name for replica in supervisor.everything()):
            raise NotFound(detail=f"no process is named {name!r}")
        supervisor.tally.report(name, snapshot)

    add_apps(app, supervisor)
    add_stacks(app, supervisor)

    @app.get("/bus")
    async def bus() -> BusAddress:
        """Where the events of the fleet go."""
        return BusAddress(supervisor.bus_url())

    @app.post("/down", status=202)
    async def down() -> None:
        """Begin to stop the fleet."""
        supervisor.over.set()

    @app.get("/logs", raises=[NotFound], media_type="application/x-ndjson")
    async def logs(
        app: str = "",
        follow: bool = False,
        lines: int = 100,
        trace: TraceId = "",
        level: Level = "",
        grep: str = "",
    ) -> AsyncIterator[Line]:
        """The last lines of an app, an instance or everything, and those that follow.

        Args:
            trace: only what was logged in this trace.
            level: only what is that bad, or worse.
            grep: only what has this text in it, in capitals or not.
        """
        whose = sources(supervisor, app)
        wanted = Wanted(trace.lower(), level, grep)
        return await printed(supervisor, whose, max(0, min(lines, _MOST_LINES)), follow, wanted)

    @app.get("/metrics/fleet", media_type="text/plain")
    async def metrics() -> Response:
        """What all processes have counted, in the text format of Prometheus."""
        body = exposition(supervisor.tally.all()).encode()
        return Response(200, Headers([(b"content-type", b"text/plain; version=0.0.4")]), body)

    return app


def sources(supervisor: Supervisor, name: str) -> Callable[[str], bool]:
    """Which logs are meant by the name of an app, a backing, an instance or a process.

    Raises:
        NotFound: none is.
    """
    if not name:
        return lambda source: True
    found = {
        replica.name
        for replica in supervisor.everything()
        if replica.name == name or any(name in (seat.app, seat.id) for seat in replica.seats)
    }
    if not found and name != "fleet":
        raise NotFound(detail=f"nothing named {name!r} runs here")
    return (found or {name}).__contains__


async def printed(
    supervisor: Supervisor,
    whose: Callable[[str], bool],
    count: int,
    follow: bool,
    wanted: Wanted,
) -> AsyncIterator[Line]:
    """The last lines as of now, and those that follow without a gap between them."""
    folder = supervisor.logs.folder
    follower = supervisor.logs.follow(whose) if follow else None
    past = await asyncio.to_thread(find, folder, whose, count, wanted)
    # What was printed while we read is in both.
    seen = Counter(map(_identity, past)) if follow else Counter()

    async def lines() -> AsyncIterator[Line]:
        for line in past:
            yield line
        if follower is not None:
            async for more in follower:
                for line in map(understood, more):
                    if seen and seen[_identity(line)] > 0:
                        seen[_identity(line)] -= 1
                    elif wanted.fits(line):
                        yield line

    return lines()


def _identity(line: Line) -> tuple[str, str, str]:
    return line.time, line.source, line.text


@asynccontextmanager
async def serve_control(
    supervisor: Supervisor, state: State, port: int | None
) -> AsyncIterator[None]:
    """Serve the control API for the length of the block.

    Args:
        port: of a TCP socket that it listens on as well, guarded by the fleet's token.

    Raises:
        PortTaken: the port is not free.
    """
    app = control_app(supervisor)
    servers = []
    if port is not None:
        guarded = Guard(app, token_in(state.folder))
        servers.append(Server(guarded, [supervisor.sockets.hold("control", port).dup()], drain=1.0))
    path = state.clear_control()
    servers.append(Server(app, [bind_control(path)], drain=1.0))
    try:
        for server in servers:
            await server.start()
        yield
    finally:
        for server in servers:
            await server.stop()
        path.unlink(missing_ok=True)


def bind_control(path: Path) -> socket.socket:
    """A listening Unix socket that only its owner may connect to."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # there must be no moment at which others could connect
    try:
        listening.bind(os.fspath(path))
    finally:
        os.umask(before)
    listening.listen(512)
    return listening
