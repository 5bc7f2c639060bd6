"""From a unit of the plan to the process that runs it: which executable, sockets and variables."""

from __future__ import annotations

import socket
import sys
from functools import partial
from pathlib import Path

from skerry.core.errors import ConfigError
from skerry.spec import AppSpec, Fleet

from . import channel as wire
from .attendants import Attendants
from .bus import VARIABLE
from .launcher import CAN_FORK, executed
from .plan import (
    Addresses,
    Unit,
    app_environment,
    has_package,
    is_foreign,
    shell_command,
)
from .probe import probe
from .replica import Recipe, Seat
from .sockets import PortTaken, Sockets, url_of
from .standin import is_silent

EDGE = "edge"
"""Name of the built-in process that hosts the front door and the edges."""

# Otherwise the last words of a process stay in it when it is killed.
_UNBUFFERED = {"PYTHONUNBUFFERED": "1"}

_EDGE_SOCKETS = 200  # in one process: what one message to the nursery can carry


class Recipes:
    """Makes recipes for one fleet; knows every address in it.

    Args:
        control: path of the control API's socket.
        drain: seconds that requests in flight get when a process is told to stop.

    Attributes:
        attendants: the recipes of what runs beside the apps.
        backings: URL by app and backing, as far as the backings are there.
        edges: who calls whom through a local proxy: foreign apps, whatever apps they need.
    """

    def __init__(self, fleet: Fleet, sockets: Sockets, control: Path, drain: float) -> None:
        self.fleet = fleet
        self.sockets = sockets
        self.control = control
        self.drain = drain
        self.attendants = Attendants(sockets, control, drain)
        self.backings: dict[tuple[str, str], str] = {}
        self.edges: list[tuple[str, str]] = []

    def use(self, fleet: Fleet) -> None:
        """From now on make recipes for this fleet. Blocks: it looks at the sources of apps."""
        self.fleet = fleet
        before = {_edge_socket(*edge) for edge in self.edges}
        self.edges = [
            (caller.name, need)
            for caller in fleet.apps.values()
            if caller.kind != "outside" and any(need in fleet.apps for need in caller.needs)
            if is_foreign(caller)
            for need in caller.needs
            if need in fleet.apps
        ]
        for name in before - {_edge_socket(*edge) for edge in self.edges}:
            self.sockets.release(name)

    # -- addresses -------------------------------------------------------------------------

    def addresses(self) -> Addresses:
        apps = {name: url for name, app in self.fleet.apps.items() if (url := self._any_url(app))}
        edges = {edge: url_of(self.sockets.hold(_edge_socket(*edge))) for edge in self.edges}
        return Addresses(self.backings, apps, edges)

    def _any_url(self, app: AppSpec) -> str:
        if app.url is not None or not app.http:
            return app.url or ""
        try:
            return self._url(app, 1)
        except ConfigError:  # a pinned port that is taken: its own app says so when it starts
            return ""

    def _url(self, app: AppSpec, number: int) -> str:
        name = f"{app.name}-{number}"
        pinned = _pinned(app, number)
        if app.kind == "command":
            return f"http://127.0.0.1:{self.sockets.reserved(name, pinned)}"
        return url_of(self.sockets.hold(name, pinned))

    # -- apps ------------------------------------------------------------------------------

    def unit(self, unit: Unit, number: int) -> Recipe:
        """The recipe of the ``number``-th process of a unit, from 1.

        Raises:
            ConfigError: a port is taken, a variable has no value, an interpreter lacks Skerry.
        """
        addresses = self.addresses()
        if unit.grouped:
            return self._group(unit, number, addresses)
        (app,) = unit.members
        if app.kind == "command":
            return self._command(app, number, addresses)
        return self._app(app, number, addresses)

    def _app(self, app: AppSpec, number: int, addresses: Addresses) -> Recipe:
        name = f"{app.name}-{number}"
        env = {**self._identity(app, number), **app_environment(app, addresses)}
        job = wire.Job(name, (self._member(app, number, 0, {}),), drain=self.drain)
        argv = _executed(app, job)
        if argv:
            env |= _UNBUFFERED
        pinned = _pinned(app, number)
        return Recipe(
            seats=(self._seat(app, number),),
            env=env,
            cwd=str(app.path),
            job=job,
            argv=argv,
            fds=(self.sockets.hold(name, pinned).fileno(),),
        )

    def _group(self, unit: Unit, number: int, addresses: Addresses) -> Recipe:
        members, seats, fds = [], [], []
        for index, app in enumerate(unit.members):
            env = {**self._identity(app, number), **app_environment(app, addresses)}
            members.append(self._member(app, number, index, env))
            seats.append(self._seat(app, number))
            pinned = _pinned(app, number)
            fds.append(self.sockets.hold(f"{app.name}-{number}", pinned).fileno())
        job = wire.Job(f"{unit.name}.{number}", tuple(members), drain=self.drain)
        return Recipe(
            seats=tuple(seats),
            env=self._common(),
            cwd=str(self.fleet.root),
            job=job,
            argv=() if CAN_FORK else executed(Path(sys.executable), job),
            fds=tuple(fds),
        )

    def _command(self, app: AppSpec, number: int, addresses: Addresses) -> Recipe:
        assert app.command is not None
        if app.http:
            pinned = _pinned(app, number)
            self.sockets.reserve(f"{app.name}-{number}", pinned)
        seat = self._seat(app, number)
        env = {**self._identity(app, number), **app_environment(app, addresses)}
        env |= _UNBUFFERED
        if seat.url:
            env["PORT"] = seat.url.rpartition(":")[2]
        return Recipe(
            seats=(seat,),
            env=env,
            cwd=str(app.path),
            argv=shell_command(app.command),
            group=True,
        )

    def _seat(self, app: AppSpec, number: int) -> Seat:
        default = "/" if app.kind == "command" else "/readyz"
        name = f"{app.name}-{number}"
        if not app.http and app.kind == "command":
            return Seat(app.name, name, listed=False)
        url = self._url(app, number)
        check = partial(probe, url, app.health or default, 400 if app.health else 500)
        # A worker that we load has a socket nobody is told of, for its health alone.
        return Seat(app.name, name, url, check, listed=app.http)

    def _member(self, app: AppSpec, number: int, fd: int, env: dict[str, str]) -> wire.Member:
        if app.app is None:
            raise ConfigError(f"apps.{app.name}: nothing says where its application object is")
        return wire.Member(app.name, f"{app.name}-{number}", app.app, str(app.path), fd, env)

    def _common(self) -> dict[str, str]:
        common = {"SKERRY_FLEET": self.fleet.name, "SKERRY_CONTROL": str(self.control)}
        return common | self.attendants.logs()

    def _identity(self, app: AppSpec, number: int) -> dict[str, str]:
        instance = f"{app.name}-{number}"
        env = {**self._common(), "SKERRY_APP": app.name, "SKERRY_INSTANCE": instance}
        env |= self.attendants.spans(self.fleet, app.name, instance)
        bus = self.bus_url(app.name)
        return {**env, VARIABLE: bus} if bus else env

    def bus_url(self, app: str) -> str:
        """Where the events of an app go; empty while the backing that carries them is not there."""
        bus = self.fleet.bus
        return bus.url or self.backings.get((app, bus.backing or ""), "")

    # -- the edge --------------------------------------------------------------------------

    def edge_names(self) -> list[str]:
        """The names of the edge's processes: one, unless there are hundreds of needs."""
        count = 1 + len(self.edges) // _EDGE_SOCKETS
        return [EDGE, *(f"{EDGE}.{number}" for number in range(2, count + 1))]

    def front_url(self) -> str:
        """Address of the front door; empty while its port is somebody else's."""
        try:
            return url_of(self._front())
        except PortTaken:
            return ""

    def edge_served(self, name: str) -> tuple[wire.EdgeSettings, str]:
        """What one process of the edge serves, to see whether that has changed."""
        return self._edge_settings(name), self.front_url()

    def _edge_settings(self, name: str) -> wire.EdgeSettings:
        part = self.edge_names().index(name)
        pairs = self.edges[part * _EDGE_SOCKETS : (part + 1) * _EDGE_SOCKETS]
        return wire.EdgeSettings(
            listeners=tuple((caller, app, fd) for fd, (caller, app) in enumerate(pairs)),
            front=len(pairs) if part == 0 else None,
            routes=self.routes(),
            apps=tuple(name for name, app in self.fleet.apps.items() if app.http),
            silent=tuple(name for name, app in self.fleet.apps.items() if is_silent(app)),
        )

    def edge(self, name: str) -> Recipe:
        """The recipe of one process of the edge.

        Raises:
            ConfigError: the front door's port is taken.
        """
        settings = self._edge_settings(name)
        fds = [
            self.sockets.hold(_edge_socket(caller, app)).fileno()
            for caller, app, _ in settings.listeners
        ]
        seat = Seat(name, name, listed=False)
        if settings.front is not None:
            front = self._front()
            fds.append(front.fileno())
            url = url_of(front)
            seat = Seat(name, name, url, partial(probe, url, wire.LIVE, 400), listed=False)
        job = wire.Job(name, edge=settings, drain=self.drain)
        env = {**self._common(), "SKERRY_APP": EDGE, "SKERRY_INSTANCE": name}
        env |= self.attendants.spans(self.fleet, EDGE, name)
        argv = () if CAN_FORK else executed(Path(sys.executable), job)
        return Recipe((seat,), env, str(self.fleet.root), job, argv, tuple(fds))

    def routes(self) -> dict[str, str]:
        """Path prefix → app; without ``[front]`` each app is below its own name."""
        front = self.fleet.front
        if front is not None and front.routes:
            return dict(front.routes)
        return {f"/{name}": name for name, app in self.fleet.apps.items() if app.http}

    def _front(self) -> socket.socket:
        front = self.fleet.front
        if front is None:
            return self.sockets.hold("front")
        return self.sockets.hold("front", front.port, front.host)


def _edge_socket(caller: str, app: str) -> str:
    return f"edge.{caller}.{app}"


def _pinned(app: AppSpec, number: int) -> int | None:
    return None if app.port is None else app.port + number - 1


def _executed(app: AppSpec, job: wire.Job) -> tuple[str, ...]:
    """What to execute; empty when the nursery can fork the app.

    Raises:
        ConfigError: the app's own interpreter has nothing that could serve it.
    """
    python = app.python
    if python is None:
        return () if CAN_FORK else executed(Path(sys.executable), job)
    if has_package(python, "skerry"):
        return executed(python, job)
    if has_package(python, "uvicorn"):
        target = job.members[0].target
        fd = str(wire.FIRST_SOCKET)
        factory = ("--factory",) if target.endswith("()") else ()
        options = ("--no-access-log", "--fd", fd, *factory)
        return (str(python), "-m", "uvicorn", *options, target.removesuffix("()"))
    raise ConfigError(
        f"apps.{app.name}: {python} has neither skerry nor uvicorn; install one of them there, "
        'or say command = "…"'
    )
