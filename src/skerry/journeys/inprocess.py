"""Apps in this process as the place of a journey: no server, no socket, one bus in memory.

They are called as they are in a fleet whose apps share a process: through the whole client and
server stacks, with encoded bodies, over the loopback.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from skerry.app.app import App
from skerry.bus.driver import Driver
from skerry.bus.memory import Broker, Memory
from skerry.core.answer import answer
from skerry.core.errors import ConfigError, NotFound
from skerry.core.service import Service
from skerry.core.wire import Request, Response
from skerry.fleet.instance import CannotLoad, environment, load
from skerry.fleet.routes import Routes
from skerry.spec import Fleet
from skerry.stack.connector import Connector
from skerry.transport.loopback import provide, withdraw

from .place import CALLER, Place


@asynccontextmanager
async def inside(
    apps: Mapping[str, App], front: Mapping[str, str] | None = None
) -> AsyncIterator[Place]:
    """Run ``apps``, by name, for the length of a block, as a place for journeys.

    Args:
        front: path prefix → app: what the front door has in ``fleet.toml``.

    Raises:
        ConfigError: one of them does not start.
    """
    broker = Broker()
    async with AsyncExitStack() as stack:
        for name, app in apps.items():
            provide(name, app.inside)
            stack.callback(withdraw, name)
        for app in apps.values():
            await app.start({Driver: Memory(broker)} if app.has_events else None)
            stack.push_async_callback(app.stop)
        place = Place(Connector(CALLER), inside=_front(apps, front or {}))
        stack.push_async_callback(place.close)
        yield place


@asynccontextmanager
async def fleet_inside(fleet: Fleet, folder: Path) -> AsyncIterator[Place]:
    """Run the apps of a fleet in this process, each with what its table says of its environment.

    Args:
        folder: where their data goes: files in SQLite, gone with it.

    Raises:
        ConfigError: one of them is not written with Skerry, or cannot be imported or started.
    """
    front = fleet.front.routes if fleet.front is not None else {}
    async with AsyncExitStack() as stack:
        with _at(folder):
            apps: dict[str, App] = {}
            variables: dict[str, str] = {}
            for name, spec in fleet.apps.items():
                if spec.app is None:
                    raise ConfigError(
                        f"{name} has no application object, so it cannot run in this process: "
                        "run the journeys against the fleet (skerry up)"
                    )
                own = {key: value for key, value in spec.env.items() if "{" not in value}
                variables |= own
                with environment(own):
                    apps[name] = _loaded(name, spec.app, str(spec.path))
            with environment(variables):
                place = await stack.enter_async_context(inside(apps, front))
        yield place


def _loaded(name: str, target: str, folder: str) -> App:
    try:
        found: Any = load(target, folder)
    except CannotLoad as error:
        cause = error.__cause__
        why = f": {type(cause).__name__}: {cause}" if cause is not None else ""
        raise ConfigError(f"{name}: {error}{why}") from error
    if not isinstance(found, App):
        raise ConfigError(
            f"{name} is a {type(found).__name__}, and only Skerry's apps run in this process: "
            "run the journeys against the fleet (skerry up)"
        )
    return found


@contextmanager
def _at(folder: Path) -> Iterator[None]:
    """Data of apps goes below the folder that is the current one when they start, where no fleet
    says otherwise."""
    before = Path.cwd()
    control = os.environ.pop("SKERRY_CONTROL", None)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        if control is not None:
            os.environ["SKERRY_CONTROL"] = control


def _front(apps: Mapping[str, App], prefixes: Mapping[str, str]) -> Service[Request, Response]:
    """The front door: the same map that the fleet's has, and the loopback behind it."""
    routes = Routes(prefixes, apps)
    connector = Connector(CALLER)

    async def call(request: Request, /) -> Response:
        match = routes.find(request.headers.get("host") or "", request.path)
        if match is None:
            known = ", ".join(routes.prefixes) or "none"
            return answer(NotFound(detail=f"No route leads there. Routes: {known}"))
        headers = request.headers.copy()
        if match.prefix:
            headers.set("x-forwarded-prefix", match.prefix)
        onward = Request(request.method, match.path, request.query, headers, request.body)
        return await connector.service(match.app)(onward)

    return call
