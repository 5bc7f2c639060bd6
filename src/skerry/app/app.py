"""``App``: what a deployable is, declared, and served as ASGI.

The app only collects and wires. What it collects is in ``declare`` and ``resources``, what
becomes of it in ``endpoint``, what surrounds it in ``skerry.stack.server``.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, get_args, overload
from urllib.parse import unquote

from skerry.bus.driver import Driver
from skerry.bus.relaying import RelaySettings
from skerry.bus.urls import driver_of
from skerry.contract.operation import Contract
from skerry.core import failpoint
from skerry.core.clock import system
from skerry.core.context import attach, extract
from skerry.core.errors import ConfigError, Problem
from skerry.core.service import Service
from skerry.core.wire import Request, Response
from skerry.stack.client import ClientSettings
from skerry.stack.connector import Connector, default_connector
from skerry.stack.rows import Row, rows
from skerry.stack.server import ServerSettings, server_stack
from skerry.stack.state import ClientState
from skerry.telemetry.export import recording_from
from skerry.telemetry.metrics import Metrics

from . import settings as settings_module
from .asgi import (
    ASGIApp,
    Receive,
    Scope,
    Send,
    is_read,
    request_of,
    route_path,
    send_response,
    serve_http,
)
from .binding import caller_locals, place
from .builtin import Builtin
from .bus import Bus, bus_url
from .calls import Calls
from .cors import Cors, CorsSettings
from .declare import Declaration, Routes, check_together, concerning
from .endpoint import Endpoint
from .handlers import Handler, Handlers, describe
from .inprocess import as_service
from .keys import Keys
from .lifespan import answer_lifespan
from .mount import Mount, find, mount_at
from .reception import receptions
from .resources import Container, Health, Resource, validate
from .resources import Scope as ResourceScope
from .running import Running
from .threads import Threads

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S")
_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class App(Routes, Handlers):
    """One deployable: endpoints, resources and settings under a name.

    An instance is an ASGI application: any ASGI server runs it, and it mounts and is mounted
    like any other.

    Args:
        name: what other apps call it by: a DNS label, as ``quotes``.
        version: of its contract.
        description: for its contract.
        server: limits and defaults of its server stack, and edits of it.
        clients: the same for calls to other apps; for one of them alone, see ``calls``.
        relay: how its outbox is emptied, if it has a database.
        body_limit: the largest request body in bytes that an endpoint reads.
        threads: how many plain ``def`` functions may run at once.

    Raises:
        ConfigError: the name is not one.
    """

    def __init__(
        self,
        name: str,
        version: str = "0.1.0",
        *,
        description: str = "",
        server: ServerSettings | None = None,
        clients: ClientSettings | None = None,
        relay: RelaySettings | None = None,
        body_limit: int = 1 << 20,
        threads: int = 40,
    ) -> None:
        Routes.__init__(self)
        Handlers.__init__(self)
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"an app's name is at most 63 letters, digits and '-', a letter first and no '-' "
                f"last: {name!r} is not"
            )
        self.name = name
        self.version = version
        self.description = description
        self.metrics = Metrics()
        self.draining = False
        self._server = server or ServerSettings()
        self._calls = Calls(name, clients)
        self._body_limit = body_limit
        self._relay = relay or RelaySettings()
        self._threads = threads
        self._resources: dict[Any, Resource] = {}
        self._settings: dict[Any, str] = {}
        self._mounts: list[Mount] = []
        self._asgi: ASGIApp | None = None
        self._wrapped = False
        self._endpoints: list[Endpoint] | None = None
        self._connector: Connector | None = None
        self._running: Running | None = None
        self._starting: asyncio.Lock | None = None
        self._builtin = Builtin(self.contract, self.metrics, self._health, lambda: self.draining)

    # -- declare ---------------------------------------------------------------------------

    @overload
    def resource(self, function: Callable[..., Any], /) -> Resource: ...
    @overload
    def resource(
        self,
        function: None = None,
        /,
        *,
        scope: ResourceScope = "instance",
        health: Health | None = None,
    ) -> Callable[[Callable[..., Any]], Resource]: ...
    def resource(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        scope: ResourceScope = "instance",
        health: Health | None = None,
    ) -> Any:
        """Declare the decorated function as what opens a resource.

        It yields the value, or returns it; the annotation's type is how functions ask for it.

        Args:
            scope: open it once for each instance, or once for each request.
            health: a check that ``/readyz`` runs; see ``Resource.health``.
        """

        def declare(function: Callable[..., Any]) -> Resource:
            self._not_running(f"resource {place(function)}")
            if scope not in get_args(ResourceScope):
                scopes = " or ".join(map(repr, get_args(ResourceScope)))
                raise ConfigError(f"{place(function)}: scope is {scopes}, not {scope!r}")
            made = Resource(function, scope, health, caller_locals(function))
            if made.type in self._resources or made.type in self._settings:
                raise ConfigError(f"{self.name}: two things provide {made.type!r}")
            self._resources[made.type] = made
            return made

        return declare if function is None else declare(function)

    def settings(self, kind: type[S], *, prefix: str = "") -> type[S]:
        """Register ``kind`` as settings, read from the environment at start; also a decorator."""
        self._not_running(f"settings {kind.__qualname__}")
        self._settings[kind] = prefix
        return kind

    def mount(self, path: str, app: Any, *, timeout: float | None = None) -> None:
        """Serve another ASGI or WSGI app below ``path``; endpoints declared here go first.

        Args:
            timeout: seconds until an answer of its must begin; by default the app's.
        """
        self._not_running(f"mount {path}")
        self._mounts.append(mount_at(path, app, timeout, self._mounts))
        self._asgi = self._asgi or self._dispatch

    def middleware(self, factory: Callable[..., ASGIApp], *args: Any, **options: Any) -> None:
        """Put ASGI middleware around the app; what is added last is outermost."""
        self._not_running("middleware")
        self._asgi = factory(self._asgi or self._dispatch, *args, **options)
        self._wrapped = True

    def cors(self, **options: Any) -> None:
        """Allow calls from pages of other origins; see ``CorsSettings`` for the options."""
        self.middleware(Cors, CorsSettings(**options))

    def client(self, name: str) -> Any:
        """A client of another app, by the contract that app serves; no generated file needed."""
        from skerry.clients.dynamic import connect

        self._calls.made(name)
        return connect(self.connector.service(name), name)

    def calls(self, other: str | type[Any], settings: ClientSettings) -> None:
        """Set how one other app is called, in place of what ``clients`` says for all::

            app.calls(Schools, ClientSettings(deadline=DeadlineSettings(timeout=0.5)))

        Args:
            other: the class of its client, or its name.

        Raises:
            ConfigError: an edit of the stack did not go well, or this is said twice. At start:
                nothing here has such a client.
        """
        self._calls.set(other, settings)

    # -- what follows from it ----------------------------------------------------------------

    @property
    def connector(self) -> Connector:
        """How this app reaches others; made when first needed."""
        if self._connector is None:
            self._connector = default_connector(
                self.name, self.metrics, self._calls.default, self._calls.by_app
            )
        return self._connector

    def peers(self) -> list[str]:
        """The apps that its endpoints and resources ask for clients of."""
        return sorted(self._calls.known)

    def client_states(self) -> list[ClientState]:
        """How the clients it has used are doing."""
        return [] if self._connector is None else self._connector.states()

    def contract(self) -> Contract:
        """What this app promises."""
        return Contract(
            name=self.name,
            version=self.version,
            description=self.description,
            operations=tuple(
                endpoint.operation
                for endpoint in self.endpoints()
                if not endpoint.declaration.hidden
            ),
            sends=tuple(dict.fromkeys(self.published)),
            receives=receptions(self.handlers),
        )

    def describe(self, endpoint: str = "") -> list[Row]:
        """The server stack of an endpoint, slot by slot, for ``skerry stack``."""
        declared = next((d for d in self.declarations if d.name == endpoint), None)
        timeout = self._server.timeout if declared is None else declared.timeout
        settings = self._server if timeout is None else replace(self._server, timeout=timeout)
        keys = None
        if declared is not None and declared.idempotent is not None:
            keys = Keys(self.name, settings.idempotency, self.metrics).filter(declared, 0)
        stack = server_stack(
            settings, endpoint, app=self.name, metrics=self.metrics, idempotency=keys
        )
        return rows("server", stack)

    def describe_handler(self, name: str) -> list[Row]:
        """The stack of one of its handlers, likewise."""
        declared = next(declared for declared in self.handlers if declared.name == name)
        return describe(self.name, declared, self._resources)

    def endpoints(self) -> list[Endpoint]:
        """The endpoints with their types worked out.

        Raises:
            ConfigError: a declaration is ambiguous or contradicts another.
        """
        if self._endpoints is None or len(self._endpoints) != len(self.declarations):
            validate(self._resources, self._known)
            check_together(self.declarations)
            found = []
            for declared in self.declarations:
                with concerning(declared):
                    found.append(Endpoint(declared, self._known))
            needs = (need for made in self._resources.values() for need in made.needs.values())
            self._calls.check([*needs, *(a.type for made in found for a in made.arguments)])
            self._endpoints = found
        return self._endpoints

    def _known(self, kind: Any) -> bool:
        try:
            return (
                kind in self._resources
                or kind in self._settings
                or hasattr(kind, "__app__")
                or (kind in (Bus, Driver) and self.has_events)
            )
        except TypeError:  # an unhashable annotation is nobody's type
            return False

    def _make(self, kind: Any) -> Any:
        if kind in self._settings:
            return settings_module.load(kind, prefix=self._settings[kind])
        if hasattr(kind, "__app__"):
            return kind(self.connector.service(kind.__app__))
        raise ConfigError(f"{self.name}: nothing provides {kind!r}")

    def _add(self, declarations: Iterable[Declaration], prefix: str = "") -> None:
        declarations = list(declarations)
        for declared in declarations:
            self._not_running(str(declared))
        super()._add(declarations, prefix)

    def _not_running(self, what: str) -> None:
        if self._running is not None or (self._starting is not None and self._starting.locked()):
            raise ConfigError(f"{what}: {self.name} has started; declare it before that")

    async def publish(self, *events: Any, delay: float = 0.0) -> None:
        """Publish events while the app runs; see ``Bus.publish``."""
        if self._running is None:
            raise ConfigError(f"{self.name} does not run, so it cannot publish")
        bus: Bus = self._running.container.instance_value(Bus)
        await bus.publish(*events, delay=delay)

    # -- run ---------------------------------------------------------------------------------

    async def start(self, overrides: Mapping[Any, Any] | None = None) -> None:
        """Open the resources and build every endpoint's stack. Once; then nothing happens.

        Args:
            overrides: values to inject in place of resources, settings and clients, by type.

        Raises:
            ConfigError: a declaration, a setting or a resource is not as it must be; there are
                overrides, and the app is running or has nothing of that type.
        """
        if self._running is not None and overrides is None:
            return
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            if self._running is None:
                self._running = await self._open(overrides or {})
            elif overrides is not None:
                raise ConfigError(f"{self.name} is running; it cannot be started with overrides")

    async def _open(self, overrides: Mapping[Any, Any]) -> Running:
        failpoint.arm_from(os.environ)
        for kind in overrides:
            if not self._known(kind):
                raise ConfigError(
                    f"{self.name}: nothing provides {kind!r}; it cannot be overridden"
                )
        endpoints = self.endpoints()
        container = Container(self._resources, self._make, overrides)
        for kind in self._settings:
            container.instance_value(kind)
        threads = Threads(self._threads, self.name)
        running = Running(self.name, self._server, self.metrics, container, threads, self._relay)
        bus = self._bus(container, overrides)
        spans = recording_from(os.environ, self.metrics, self.name, self.version)
        await running.open(endpoints, self._mounts, self._builtin.paths, self._body_limit, spans)
        if bus is not None:
            handlers = [Handler(self.name, declared, self._known) for declared in self.handlers]
            await running.join(bus, handlers)
        return running

    def _bus(self, container: Container, overrides: Mapping[Any, Any]) -> Bus | None:
        if not self.has_events:
            return None
        driver = overrides.get(Driver) or driver_of(bus_url())
        bus = container.values[Bus] = Bus(self.name, driver, self.published, self.metrics)
        return bus

    @property
    def has_events(self) -> bool:
        """Whether this app has anything to do with the bus."""
        return bool(self.handlers or self.published)

    async def finish_events(self, patience: float) -> None:
        """Handle no more events; handlers that are at work have so many seconds. Before ``stop``,
        while requests are still answered."""
        if self._running is not None:
            await self._running.finish_events(patience)

    async def stop(self) -> None:
        """Close what ``start`` opened, and connections to other apps."""
        running, self._running = self._running, None
        connector, self._connector = self._connector, None
        self._starting = None
        try:
            if running is not None:
                await running.close()
        finally:
            if connector is not None:
                await connector.close()

    async def _health(self) -> dict[str, str | None]:
        running = self._running
        return {} if running is None else await running.health()

    def service(self, request: Request) -> Awaitable[Response]:
        """The whole app as a function from request to response: what ASGI, the loopback and
        tests call, each in a task of its own.

        The context that the request brings becomes the task's. It is not taken back: the task
        ends with the request.
        """
        running = self._running
        if running is None:
            return self._service_when_started(request)
        path = request.path
        try:
            if "%" in path:
                path = unquote(path, errors="strict")
            (service, request.route, timeout), request.params = running.router.match(
                request.method, path
            )
        except (Problem, UnicodeDecodeError):
            service, request.route, timeout = running.elsewhere(request.path)
        attach(extract(request.headers, system.now(), timeout))
        return service(request)

    @property
    def inside(self) -> Service[Request, Response]:
        """What apps of this process are to call: the service, and what middleware is around it.

        Middleware may well decide who is let in, so that where an app runs must not skip it.
        """
        return as_service(self) if self._wrapped else self.service

    async def _service_when_started(self, request: Request) -> Response:
        await self.start()
        return await self.service(request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await answer_lifespan(self.name, self.start, self.stop, receive, send)
        elif self._asgi is not None:
            await self._asgi(scope, receive, send)
        elif kind == "http":
            # As ``serve_http`` does it; in a row, because this is the way of every request.
            request = request_of(scope, receive)
            response = await self.service(request)
            body = response.body
            if body.__class__ is not bytes or request.method == "HEAD":
                read = is_read(request)
                await send_response(response, request.method, receive, send, read)
                return
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status,
                    "headers": response.headers.raw,
                }
            )
            await send({"type": "http.response.body", "body": body})
        else:
            await self._dispatch(scope, receive, send)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What middleware is put around: mounted apps, and our own endpoints before them."""
        await self.start()
        assert self._running is not None
        path = route_path(scope)
        if scope["type"] == "http":
            mounted = self._running.mounted(path)
            if mounted is None:
                await serve_http(self.service, scope, receive, send)
            else:
                await mounted(scope, receive, send)
        elif scope["type"] == "websocket":
            mounted = find(self._running.mounts, path)
            if mounted is None:
                await receive()
                await send({"type": "websocket.close", "code": 1000})
            else:
                await mounted(scope, receive, send)
