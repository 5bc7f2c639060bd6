"""An app between its start and its stop: open resources, built stacks, the routing table."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, TypeAlias
from urllib.parse import unquote

from skerry.bus.relaying import RelaySettings
from skerry.core.answer import answer
from skerry.core.errors import BadRequest, NotFound, Problem
from skerry.core.service import Filter, Service
from skerry.core.stack import Stack
from skerry.core.wire import Headers, Request, Response
from skerry.stack.consumer import consumer_stack
from skerry.stack.server import ServerSettings, server_stack
from skerry.telemetry.export import Recording
from skerry.telemetry.metrics import Metrics

from .bus import Bus
from .declare import concerning
from .endpoint import Endpoint
from .handlers import Handler
from .inprocess import as_service
from .keys import Keys
from .lifespan import Lifespan
from .mount import Mount, Mounted, find
from .resources import Container
from .router import Router
from .threads import Threads
from .tolerance import UnknownFields

Route: TypeAlias = tuple[Service[Request, Response], str, float | None]
"""What answers, what its series is called, and the seconds it may take."""


class Running:
    """What there is of an app while it runs.

    Args:
        app: its name.
        settings: of its stacks.
        metrics: where its requests are counted.
        container: its resources, still closed.
        threads: for its plain functions.
        relay: how its outbox is emptied.
    """

    def __init__(
        self,
        app: str,
        settings: ServerSettings,
        metrics: Metrics,
        container: Container,
        threads: Threads,
        relay: RelaySettings,
    ) -> None:
        self.container = container
        self.router: Router[Route] = Router()
        self.mounts: list[Mounted] = []
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._threads = threads
        self._relay = relay
        self._unknown = UnknownFields(app, metrics)
        self._bus: Bus | None = None
        self._keys = Keys(app, settings.idempotency, metrics)
        self._exit = AsyncExitStack()
        self._refusal: Route = (self._stack("").build(self._refuse), "", settings.timeout)

    async def open(
        self,
        endpoints: Iterable[Endpoint],
        mounts: Iterable[Mount],
        builtin: Mapping[str, Callable[[Request], Awaitable[Response]]],
        body_limit: int,
        spans: Recording | None = None,
    ) -> None:
        """Open the resources, start what is mounted, and fill the routing table.

        Args:
            builtin: what every app answers, by path; an endpoint of the app's own goes first.
            spans: what becomes of those of all this, until the last of it is closed.
        """
        async with AsyncExitStack() as opening:
            if spans is not None:
                spans.start()
                opening.push_async_callback(asyncio.to_thread, spans.stop)
            await self.container.open()
            opening.push_async_callback(self.container.close)
            opening.push_async_callback(self._threads.close)
            for mount in mounts:
                lifespan = Lifespan(mount.app)
                await lifespan.start()
                opening.push_async_callback(lifespan.stop)
                timeout = self._timeout(mount.timeout)
                stack = self._stack(mount.route, timeout)
                self.mounts.append(Mounted(mount, lifespan.state, stack, timeout))
            if any(endpoint.declaration.idempotent for endpoint in endpoints):
                await self._keys.open(self.container)
                opening.push_async_callback(self._keys.close)
            for endpoint in endpoints:
                with concerning(endpoint.declaration):
                    self._add(endpoint, body_limit)
            own = {endpoint.declaration.path for endpoint in endpoints}
            for path, handler in builtin.items():
                if path not in own:  # a catch-all does not answer for the app's health
                    self.router.add("GET", path, (handler, path[1:], None))
            self._exit = opening.pop_all()

    async def join(self, bus: Bus, handlers: Iterable[Handler]) -> None:
        """Take part in the bus until ``close``, which ends that first of all."""
        kept = await self._kept(bus)
        services = []
        for handler in handlers:
            stack = consumer_stack(
                handler.subscription.name,
                app=self._app,
                settings=handler.declaration.settings,
                metrics=self._metrics,
                inbox=None if kept is None else kept.inbox(handler.subscription),
            )
            services.append((handler, stack.build(handler.build(self.container, self._threads))))
        bus.handle(services, kept)
        self._bus = bus
        self._exit.push_async_callback(bus.stop)
        await bus.start()

    async def _kept(self, bus: Bus) -> Any:
        """The ``Kept`` of an app that has a ``Database`` among its resources; None otherwise."""
        module = sys.modules.get("skerry.data.database")
        database = None if module is None else self.container.values.get(module.Database)
        if database is None:
            return None
        from .kept import Kept

        kept = Kept(self._app, database, bus.driver, self._metrics, self._relay)
        await kept.open()
        return kept

    async def health(self) -> dict[str, str | None]:
        """What is wrong with each resource that has a check, and with the bus."""
        found = await self.container.health()
        return found if self._bus is None else {**found, "bus": await self._bus.health()}

    async def finish_events(self, patience: float) -> None:
        """Handle no more events; see ``Bus.finish``."""
        if self._bus is not None:
            await self._bus.finish(patience)

    async def close(self) -> None:
        await self._exit.aclose()

    def elsewhere(self, path: str) -> Route:
        """What answers where no endpoint does: a mounted app, a redirect, or a problem.

        Args:
            path: still encoded.
        """
        try:
            mounted = self.mounted(unquote(path, errors="strict"))
        except UnicodeDecodeError:
            mounted = None
        if mounted is None:
            return self._refusal
        return as_service(mounted), mounted.route, mounted.timeout

    def mounted(self, path: str) -> Mounted | None:
        """The mounted app that answers for a decoded path; endpoints go first."""
        found = find(self.mounts, path)
        return None if found is not None and self.router.knows(path) else found

    def _add(self, endpoint: Endpoint, body_limit: int) -> None:
        declared = endpoint.declaration
        service = endpoint.build(self.container, self._threads, body_limit, self._unknown)
        timeout = self._timeout(declared.timeout)
        keys = None
        if declared.idempotent is not None:
            keys = self._keys.filter(declared, endpoint.body_limit(body_limit))
        operation = f"{declared.method} {declared.operation_path}"
        built = self._stack(declared.name, timeout, keys, operation).build(service)
        self.router.add(declared.method, declared.path, (built, declared.name, timeout))

    def _timeout(self, declared: float | None) -> float:
        return self._settings.timeout if declared is None else declared

    def _stack(
        self,
        route: str,
        timeout: float | None = None,
        keys: Filter[Request, Response] | None = None,
        operation: str = "",
    ) -> Stack[Request, Response]:
        settings = replace(self._settings, timeout=self._timeout(timeout))
        return server_stack(
            settings,
            route,
            app=self._app,
            metrics=self._metrics,
            idempotency=keys,
            operation=operation,
        )

    async def _refuse(self, request: Request) -> Response:
        try:
            path = unquote(request.path, errors="strict")
            self.router.match(request.method, path)
        except UnicodeDecodeError:
            return answer(BadRequest(detail="The path is not UTF-8."))
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
