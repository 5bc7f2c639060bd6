"""``App``: what a deployable is, declared, and served as ASGI.

The app only collects and wires. What it collects is in ``declare`` and ``resources``, what
becomes of it in ``endpoint``, what surrounds it in ``skerry.stack.server``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, TypeVar, overload
from urllib.parse import unquote

from msgspec import structs

from skerry.contract.operation import Contract
from skerry.core.answer import answer
from skerry.core.clock import system
from skerry.core.context import attach, extract
from skerry.core.errors import BadRequest, ConfigError, NotFound, Problem
from skerry.core.service import Service
from skerry.core.stack import Stack
from skerry.core.wire import Headers, Request, Response
from skerry.stack.client import ClientSettings
from skerry.stack.connector import Connector, default_connector
from skerry.stack.rows import Row, rows
from skerry.stack.server import ServerSettings, server_stack
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
from .binding import caller_locals
from .builtin import Builtin
from .calls import Calls
from .cors import Cors, CorsSettings
from .declare import Declaration, Routes
from .endpoint import Endpoint
from .inprocess import as_service
from .mount import Lifespan, Mounts, below
from .resources import Container, Health, Resource, validate
from .resources import Scope as ResourceScope
from .router import Router
from .threads import Threads

log = logging.getLogger("skerry.app")

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S")
_Route = tuple[Service[Request, Response], str, float | None]  # name and timeout


class App(Routes):
    """One deployable: endpoints, resources and settings under a name.

    An instance is an ASGI application: any ASGI server runs it, and it mounts and is mounted
    like any other.

    Args:
        name: what other apps call it by: a DNS label, as ``quotes``.
        version: of its contract.
        description: for its contract.
        server: limits and defaults of its server stack, and edits of it.
        clients: the same for calls to other apps; for one of them alone, see ``calls``.
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
        body_limit: int = 1 << 20,
        threads: int = 40,
    ) -> None:
        super().__init__()
        if not name or not all(c.isalnum() or c == "-" for c in name) or not name[0].isalpha():
            raise ConfigError(f"an app's name is letters, digits and '-': {name!r} is not")
        self.name = name
        self.version = version
        self.description = description
        self.metrics = Metrics()
        self.draining = False
        self._server = server or ServerSettings()
        self._calls = Calls(name, clients)
        self._body_limit = body_limit
        self._threads = threads
        self._resources: dict[Any, Resource] = {}
        self._settings: dict[Any, str] = {}
        self._mounts = Mounts()
        self._asgi: ASGIApp | None = None
        self._wrapped = False
        self._endpoints: list[Endpoint] | None = None
        self._connector: Connector | None = None
        self._running: _Running | None = None
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
            made = Resource(function, scope, health, caller_locals(function))
            if made.type in self._resources or made.type in self._settings:
                raise ConfigError(f"{self.name}: two things provide {made.type!r}")
            self._resources[made.type] = made
            return made

        return declare if function is None else declare(function)

    def settings(self, kind: type[S], *, prefix: str = "") -> type[S]:
        """Register ``kind`` as settings, read from the environment at start; also a decorator."""
        self._settings[kind] = prefix
        return kind

    def mount(self, path: str, app: Any) -> None:
        """Serve another ASGI or WSGI app below ``path``; endpoints declared here go first."""
        self._mounts.add(path, app)
        self._asgi = self._asgi or self._dispatch

    def middleware(self, factory: Callable[..., ASGIApp], *args: Any, **options: Any) -> None:
        """Put ASGI middleware around the app; what is added last is outermost."""
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
        )

    def describe(self, endpoint: str = "") -> list[Row]:
        """The server stack of an endpoint, slot by slot, for ``skerry stack``."""
        declared = next((d for d in self.declarations if d.name == endpoint), None)
        timeout = self._server.timeout if declared is None else declared.timeout
        settings = self._server if timeout is None else replace(self._server, timeout=timeout)
        return rows("server", server_stack(settings, endpoint, app=self.name, metrics=self.metrics))

    def endpoints(self) -> list[Endpoint]:
        """The endpoints with their types worked out.

        Raises:
            ConfigError: a declaration is ambiguous or contradicts another.
        """
        if self._endpoints is None or len(self._endpoints) != len(self.declarations):
            validate(self._resources, self._known)
            found = [Endpoint(declared, self._known) for declared in self.declarations]
            names: dict[str, Declaration] = {}
            for declared in self.declarations:
                other = names.setdefault(declared.name, declared)
                if other is not declared:
                    raise ConfigError(
                        f"{self.name}: two operations are named {declared.name!r} "
                        f"({other.method} {other.path} and {declared.method} {declared.path}); "
                        "give one a name="
                    )
            needs = (need for made in self._resources.values() for need in made.needs.values())
            self._calls.check([*needs, *(a.type for made in found for a in made.arguments)])
            self._endpoints = found
        return self._endpoints

    def _known(self, kind: Any) -> bool:
        try:
            return kind in self._resources or kind in self._settings or hasattr(kind, "__app__")
        except TypeError:  # an unhashable annotation is nobody's type
            return False

    def _make(self, kind: Any) -> Any:
        if kind in self._settings:
            return settings_module.load(kind, prefix=self._settings[kind])
        if hasattr(kind, "__app__"):
            return kind(self.connector.service(kind.__app__))
        raise ConfigError(f"{self.name}: nothing provides {kind!r}")

    # -- run ---------------------------------------------------------------------------------

    async def start(self, overrides: Mapping[Any, Any] | None = None) -> None:
        """Open the resources and build every endpoint's stack. Once; then nothing happens.

        Raises:
            ConfigError: a declaration, a setting or a resource is not as it must be.
        """
        if self._running is not None:
            return
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            if self._running is None:
                running = _Running(self, overrides or {})
                await running.open()
                self._running = running

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
        return {} if running is None else await running.container.health()

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
            service, timeout = running.unmatched, self._server.timeout
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
            await self._lifespan(receive, send)
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
        mount = self._mounts.find(path)
        if mount is not None and (
            scope["type"] == "websocket" or not self._running.router.knows(path)
        ):
            await mount[1](below(scope, mount[0]), receive, send)
        elif scope["type"] == "http":
            await serve_http(self.service, scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:
            if not isinstance(error, ConfigError):
                log.exception("%s did not start", self.name)
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await self.stop()
        except Exception as error:
            log.exception("%s did not close its resources", self.name)
            await send({"type": "lifespan.shutdown.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})


class _Running:
    """What exists between start and stop: open resources, built stacks, the routing table."""

    def __init__(self, app: App, overrides: Mapping[Any, Any]) -> None:
        self._app = app
        self.container = Container(app._resources, app._make, overrides)
        self.router: Router[_Route] = Router()
        self._threads = Threads(app._threads, app.name)
        self._exit = AsyncExitStack()
        self.unmatched = self._stack("", app._server.timeout).build(self._refuse)

    async def open(self) -> None:
        app = self._app
        endpoints = app.endpoints()
        for kind in app._settings:
            self.container.instance_value(kind)
        async with AsyncExitStack() as opening:
            await self.container.open()
            opening.push_async_callback(self.container.close)
            opening.push_async_callback(self._threads.close)
            for _, mounted in app._mounts:
                lifespan = Lifespan(mounted)
                await lifespan.start()
                opening.push_async_callback(lifespan.stop)
            for endpoint in endpoints:
                self._add(endpoint)
            own = {endpoint.declaration.path for endpoint in endpoints}
            for path, handler in app._builtin.paths.items():
                if path not in own:  # a catch-all does not answer for the app's health
                    self.router.add("GET", path, (handler, path[1:], None))
            self._exit = opening.pop_all()

    def _add(self, endpoint: Endpoint) -> None:
        app, declared = self._app, endpoint.declaration
        service = endpoint.build(self.container, self._threads, app._body_limit)
        timeout = app._server.timeout if declared.timeout is None else declared.timeout
        built = self._stack(declared.name, timeout).build(service)
        self.router.add(declared.method, declared.path, (built, declared.name, timeout))

    def _stack(self, route: str, timeout: float) -> Stack[Request, Response]:
        settings = replace(self._app._server, timeout=timeout)
        return server_stack(settings, route, app=self._app.name, metrics=self._app.metrics)

    async def close(self) -> None:
        await self._exit.aclose()

    async def _refuse(self, request: Request) -> Response:
        """Answer what no endpoint answers: a mounted app, a redirect, or a problem."""
        try:
            path = unquote(request.path, errors="strict")
        except UnicodeDecodeError:
            return answer(BadRequest(detail="The path is not UTF-8."))
        mount = self._app._mounts.find(path)
        if mount is not None and not self.router.knows(path):
            prefix, app = mount
            below_it = structs.replace(request, path=request.path[len(prefix) :] or "/")
            return await as_service(app, prefix)(below_it)
        try:
            self.router.match(request.method, path)
        except NotFound as error:
            other = self.router.redirect(path)
            return answer(error) if other is None else _redirect(request)
        except Problem as error:
            return answer(error)
        return answer(NotFound())


def _redirect(request: Request) -> Response:
    """To the same path with or without its last slash.

    As a relative reference, so that it holds wherever the app is mounted or proxied.
    """
    *_, last = request.path.rstrip("/").split("/")
    target = f"../{last}" if request.path.endswith("/") else f"./{last}/"
    if request.query:
        target += f"?{request.query}"
    fields = [(b"location", target.encode("latin-1")), (b"content-length", b"0")]
    return Response(307, Headers(fields), b"")
