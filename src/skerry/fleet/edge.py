"""The process that calls on behalf of others: edges for foreign apps, and the front door.

An edge is a local address that leads to an app: what an app without Skerry finds in
``QUOTES_URL``. The front door is the one address for people. Both are the same thing, a proxy
over a client stack, and differ in who calls and whom; which it is tells the port.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Iterable
from dataclasses import replace

from skerry.app.asgi import Receive, Scope, Send, request_of, send_response
from skerry.app.body import RequestBody
from skerry.app.serve import Server, settle
from skerry.core.answer import answer
from skerry.core.errors import NoInstance, NotFound
from skerry.core.wire import TIMEOUT, Headers, Request, Response, parse_timeout
from skerry.discovery.fleet import FleetDiscovery
from skerry.filters.attempt import AttemptSettings
from skerry.filters.deadline import DeadlineSettings
from skerry.stack.client import ClientSettings
from skerry.stack.connector import Connector
from skerry.telemetry.metrics import Metrics
from skerry.transport.http import HttpTransport
from skerry.transport.unix import UnixTransport

from .channel import LIVE, EdgeSettings
from .paths import route_of
from .proxy import localised, relay
from .reports import Reporter
from .routes import Routes
from .standin import StandIns
from .tunnel import Way, tunnels

FRONT = "front"
"""Name under which the front door's calls are counted."""

# Foreign apps and people wait longer than Skerry's own apps, whose code says how long. Those who
# do say how long they wait are taken at their word.
_SETTINGS = ClientSettings(
    deadline=DeadlineSettings(timeout=60.0, idle=None), attempt=AttemptSettings(timeout=30.0)
)
_SAID = ClientSettings(deadline=DeadlineSettings(timeout=3600.0, idle=None), attempt=None)


class Edge:
    """An ASGI app over any number of listening sockets, told apart by their ports.

    Args:
        edges: local port → (who calls, whom).
        front: local port of the front door, if it is here.
        routes: where the front door's requests go.
        discovery: knows the instances.
        silent: apps in whose stead spans are recorded here.

    Attributes:
        counted: what callers count with.
    """

    def __init__(
        self,
        edges: dict[int, tuple[str, str]],
        front: int | None,
        routes: Routes,
        discovery: FleetDiscovery,
        silent: Iterable[str] = (),
    ) -> None:
        self.metrics = Metrics()
        self.counted = [self.metrics]
        self._standins = StandIns(silent)
        self._edges = edges
        self._front = front
        self._routes = routes
        self._discovery = discovery
        self._transport = HttpTransport()
        self._connectors: dict[tuple[str, bool], Connector] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the edge does not speak {scope['type']!r}")  # lifespan: optional
        request = request_of(scope, receive)
        response = await self.handle(scope["server"][1], request)
        read = not isinstance(request.body, RequestBody) or request.body.finished
        await send_response(response, request.method, receive, send, read)

    async def handle(self, port: int, request: Request) -> Response:
        """Answer one request that came in on ``port``."""
        if port == self._front and request.path == LIVE:
            return Response(200, Headers([(b"content-length", b"0")]), b"")
        way = self._way(port, request)
        if way is None:
            known = ", ".join(self._routes.prefixes)
            return answer(NotFound(detail=f"No route leads there. Routes: {known}"))
        caller, app, prefix, path = way
        said = parse_timeout(request.headers.find(TIMEOUT) or b"") is not None
        service = self._connector(caller, said).service(app)
        current = self._discovery.watch(app).current
        outside = any(address.outside for address in current)
        standin = self._standins.of(caller)
        response = await relay(
            request,
            service,
            path,
            prefix,
            outside=outside,
            route=route_of(path) if standin or self._standins.of(app) else "proxy",
            place=standin.place if standin else None,
        )
        return localised(response, (address.url for address in current), prefix)

    def find(self, port: int, request: Request) -> Way:
        """The way of an upgrade.

        Raises:
            NotFound: no route leads there.
            NoInstance: nobody is there.
        """
        way = self._way(port, request)
        if way is None:
            raise NotFound(detail="No route leads there.")
        caller, app, prefix, path = way
        current = self._discovery.watch(app).current
        if not current:
            raise NoInstance("no instance is running", app=app)
        series = self.metrics.series("attempt", caller, "upgrade", app)
        return Way(random.choice(current).url, path, prefix, series)

    def _way(self, port: int, request: Request) -> tuple[str, str, str, str] | None:
        """Who calls whom; the prefix that was cut off, and the rest of the path."""
        if port != self._front:
            caller, app = self._edges[port]
            return caller, app, "", request.path
        match = self._routes.find(request.headers.get("host") or "", request.path)
        return None if match is None else (FRONT, match.app, match.prefix, match.path)

    def _connector(self, caller: str, said: bool) -> Connector:
        found = self._connectors.get((caller, said))
        if found is None:
            settings = _SAID if said else _SETTINGS
            standin = self._standins.of(caller)
            metrics = self.metrics
            if standin is not None:
                metrics, settings = standin.calls, replace(settings, edit_call=standin.mark)
                if metrics not in self.counted:
                    self.counted.append(metrics)
            found = self._connectors[caller, said] = Connector(
                caller,
                self._discovery,
                self._transport,
                metrics,
                settings=settings,
                overrides=self._standins.settings(settings),
            )
        return found

    async def close(self) -> None:
        await self._discovery.close()
        await self._transport.close()
        await asyncio.to_thread(self._standins.stop)


async def serve_edge(settings: EdgeSettings, name: str, stop: asyncio.Event, drain: float) -> None:
    """Serve until ``stop``."""
    sockets = {fd: socket.socket(fileno=fd) for _, _, fd in settings.listeners}
    edges = {sockets[fd].getsockname()[1]: (caller, app) for caller, app, fd in settings.listeners}
    front = None
    if settings.front is not None:
        sockets[settings.front] = door = socket.socket(fileno=settings.front)
        front = door.getsockname()[1]
    control = UnixTransport(os.environ["SKERRY_CONTROL"])
    discovery = FleetDiscovery(control.connect())
    routes = Routes(settings.routes, settings.apps)
    edge = Edge(edges, front, routes, discovery, settings.silent)
    for app in {app for _, app in edges.values()} | set(settings.apps if front else ()):
        discovery.watch(app)  # so that upgrades, which do not wait, find what is known
    server = Server(edge, list(sockets.values()), drain, websocket=tunnels(edge.find))
    await server.start()
    settle()
    async with Reporter(name, edge.counted):
        await stop.wait()
        await server.stop()
    await edge.close()
    await control.close()
