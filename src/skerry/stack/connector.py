"""Makes the clients of a process: one for each app it calls, in each event loop that calls.

Nothing is opened, watched or started before the first call. What belongs to an event loop is
made in that loop; metrics and retry budgets are shared by all of them.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, ref

from skerry.core.clock import Clock, system
from skerry.core.errors import ConfigError
from skerry.core.instance import Address
from skerry.core.service import Service
from skerry.core.wire import Request, Response
from skerry.discovery.base import Discovery, Hub, Watch
from skerry.discovery.static import EnvironmentDiscovery, StaticDiscovery
from skerry.filters.balance import Balance, Candidate
from skerry.filters.breaker import Breaker
from skerry.filters.budget import RetryBudget
from skerry.telemetry.metrics import Metrics
from skerry.transport.base import Transport
from skerry.transport.http import HttpTransport
from skerry.transport.loopback import SCHEME, Loopback, provided

from .client import ClientSettings, Parts, client, describe
from .rows import Row
from .state import ClientState, TargetState


class Connector:
    """The clients of one app.

    Args:
        caller: the app that calls; what its counts are named by.
        discovery: knows where apps are. None for the environment's variables alone.
        transport: reaches them. None for the default HTTP transport, made at first use.
        metrics: where calls are counted.
        settings: of all clients.
        overrides: settings by app, instead of those; looked up when an app is first called.
        rng: where choices and jitter come from.
        local: whether apps that are in this process are called without a socket.
    """

    def __init__(
        self,
        caller: str,
        discovery: Discovery | None = None,
        transport: Transport | None = None,
        metrics: Metrics | None = None,
        clock: Clock = system,
        settings: ClientSettings | None = None,
        overrides: Mapping[str, ClientSettings] | None = None,
        rng: random.Random | None = None,
        local: bool = True,
    ) -> None:
        self.caller = caller
        self.metrics = metrics or Metrics()
        self._discovery = discovery or EnvironmentDiscovery()
        self._transport = transport
        self._loopback = Loopback() if local else None
        self._clock = clock
        self._settings = settings or ClientSettings()
        self._overrides = {} if overrides is None else overrides
        self._rng = rng or random.Random()
        self._clients: dict[str, _Client] = {}

    def service(self, app: str) -> Service[Request, Response]:
        """The client of ``app``: always the same one, good in any event loop.

        Raises:
            ConfigError: an address that was given for it is malformed.
        """
        found = self._clients.get(app)
        if found is None:
            self._discovery.check(app)
            found = self._clients[app] = _Client(self, app, self._loopback is not None)
        return found

    def instances(self, app: str) -> Sequence[Candidate]:
        """The instances of ``app`` as this event loop's client sees them: load and status."""
        found = self._clients.get(app)
        return found.instances() if found else ()

    def states(self) -> list[ClientState]:
        """How the clients that have been used are doing, those of every event loop."""
        return [state for one in list(self._clients.values()) if (state := one.state())]

    def describe(self, app: str) -> list[Row]:
        """The stack that calls to ``app`` go through, outermost first."""
        transport: object = self._transport
        if self._loopback is not None and provided(app):
            transport = self._loopback
        kind = HttpTransport if transport is None else type(transport)
        return describe(self.parts(app), kind.__name__)

    async def close(self) -> None:
        """Let go of this event loop's clients, then of the transports."""
        for one in self._clients.values():
            one.close()
        await self._discovery.close()
        if self._loopback is not None:
            await self._loopback.close()
        if self._transport is not None:
            await self._transport.close()

    def build(self, parts: Parts, *, local: bool) -> tuple[Service[Request, Response], Balance]:
        """A client for the running event loop, over the network or within the process."""
        if local and self._loopback is not None:
            watch: Watch = Hub([Address(SCHEME + parts.app, parts.app)], fixed=True)
            return client(parts, watch, self._loopback)
        if self._transport is None:
            self._transport = HttpTransport()
        return client(parts, self._discovery.watch(parts.app), self._transport)

    def parts(self, app: str) -> Parts:
        """What all filters of the client of ``app`` have in common, in whatever event loop."""
        settings = self._overrides.get(app, self._settings)
        budget = RetryBudget(settings.retry.budget if settings.retry else None, self._clock)
        return Parts(self.caller, app, settings, self.metrics, budget, self._clock, self._rng)


class _Here:
    """What one event loop has of one client; each half made when it is first called."""

    __slots__ = ("local", "loop", "made", "remote")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = ref(loop)
        self.local: Service[Request, Response] | None = None
        self.remote: Service[Request, Response] | None = None
        self.made: list[Balance] = []


class _Client:
    """The service that callers hold: finds what belongs to the event loop they are in."""

    def __init__(self, connector: Connector, app: str, local: bool) -> None:
        self._connector = connector
        self._app = app
        self._local = local
        self._parts: Parts | None = None
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Here] = WeakKeyDictionary()
        self._last: _Here | None = None

    def __call__(self, request: Request, /) -> Awaitable[Response]:
        # One read of _last: several threads, each with its loop, may be here at once.
        here = self._last
        if here is None or here.loop() is not asyncio.get_running_loop():
            here = self._enter()
        if self._local and provided(self._app):
            service = here.local or self._make(here, local=True)
        else:
            service = here.remote or self._make(here, local=False)
        return service(request)

    def instances(self) -> Sequence[Candidate]:
        return [candidate for balance in self._enter().made for candidate in balance.instances]

    def state(self) -> ClientState | None:
        """How it is doing; None while it has not been used."""
        if self._parts is None:
            return None
        made = [balance for here in list(self._by_loop.values()) for balance in here.made]
        found = [_target(one) for balance in made for one in balance.instances]
        budget = self._parts.budget
        return ClientState(self._app, round(budget.balance, 1), budget.reserve, found)

    def close(self) -> None:
        here = self._by_loop.pop(asyncio.get_running_loop(), None)
        self._last = None
        if here is not None:
            for balance in here.made:
                balance.close()

    def _enter(self) -> _Here:
        loop = asyncio.get_running_loop()
        here = self._by_loop.get(loop)
        if here is None:
            here = self._by_loop[loop] = _Here(loop)
        self._last = here
        return here

    def _make(self, here: _Here, *, local: bool) -> Service[Request, Response]:
        if self._parts is None:
            self._parts = self._connector.parts(self._app)
        service, balance = self._connector.build(self._parts, local=local)
        here.made.append(balance)
        if local:
            here.local = service
        else:
            here.remote = service
        return service


def _target(candidate: Candidate) -> TargetState:
    guard, latency = candidate.guard, candidate.latency
    return TargetState(
        id=candidate.address.id or candidate.address.url,
        url=candidate.address.url,
        breaker=guard.state if isinstance(guard, Breaker) else "",
        in_flight=candidate.outstanding,
        latency_ms=None if latency is None else round(latency * 1000, 1),
    )


class Connection:
    """A client of one URL; a service that its owner closes."""

    def __init__(self, connector: Connector, app: str) -> None:
        self.connector = connector
        self._service = connector.service(app)

    def __call__(self, request: Request, /) -> Awaitable[Response]:
        return self._service(request)

    async def close(self) -> None:
        await self.connector.close()


def connection(
    url: str,
    *,
    caller: str = "",
    app: str = "",
    metrics: Metrics | None = None,
    settings: ClientSettings | None = None,
    transport: Transport | None = None,
    clock: Clock = system,
) -> Connection:
    """A client, with all its filters, of whatever listens at ``url``.

    Args:
        url: scheme, host, and a path that goes before that of each request; several instances
            of one thing are separated by commas.
        app: what counts and errors call it; the URL's host otherwise.

    Raises:
        ConfigError: it is not an HTTP URL.
    """
    urls = [one.strip() for one in url.split(",") if one.strip()]
    app = app or urlsplit(url).netloc
    found = StaticDiscovery({app: urls})
    return Connection(
        Connector(caller, found, transport, metrics, clock, settings, local=False), app
    )


def default_connector(
    caller: str,
    metrics: Metrics | None = None,
    settings: ClientSettings | None = None,
    overrides: Mapping[str, ClientSettings] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Connector:
    """The connector that a process's surroundings ask for.

    Apps are looked for in this process, then in the environment (``SKERRY_APP_<NAME>``,
    ``<NAME>_URL``), then in the fleet that started the process (``SKERRY_CONTROL``).

    Raises:
        ConfigError: ``SKERRY_CONTROL`` is not the path of a socket.
    """
    environ = os.environ if environ is None else environ
    control = environ.get("SKERRY_CONTROL")
    fleet = None
    if control:
        path = Path(control)
        if not path.is_absolute() or (path.exists() and not path.is_socket()):
            raise ConfigError(
                f"SKERRY_CONTROL is not the path of a socket: {control!r}; it should look like "
                "/srv/fleet/.skerry/control.sock, and `skerry up` sets it for its apps"
            )
        from skerry.discovery.fleet import FleetDiscovery  # not needed outside of a fleet
        from skerry.transport.unix import UnixTransport

        fleet = FleetDiscovery(UnixTransport(control).connect(Address("http://control", "control")))
    discovery = EnvironmentDiscovery(environ, otherwise=fleet)
    return Connector(caller, discovery, metrics=metrics, settings=settings, overrides=overrides)
