"""What ``skerry doctor`` finds about the fleet in this folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from skerry.bus.urls import path_of, shown
from skerry.core.errors import Error
from skerry.fleet.bus import wired
from skerry.fleet.client import Control, ControlError
from skerry.fleet.localserver import find_binaries, port_is_free
from skerry.fleet.state import State, holder
from skerry.spec import Fleet, SpecError, load

from .busplace import on_bus
from .doctor import Finding
from .output import Failed, several
from .place import fleet_file

_SERVERS = {"redis": "redis-server", "rabbitmq": "rabbitmq-server", "postgresql": "postgres"}
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/lib/rabbitmq/bin", "/opt/homebrew/opt/*/bin")
_PACKAGES = {"redis": "redis-server", "rabbitmq": "rabbitmq-server", "postgresql": "postgresql"}
_PATIENCE = 3.0  # seconds for a broker to answer
_SICK = ("crashed", "backoff", "unhealthy")


def fleet(file: str) -> Iterator[Finding]:
    """All there is to say; nothing is started."""
    try:
        place = fleet_file(file)
    except Failed as error:
        yield Finding("fleet.toml", "fail" if file else "none", str(error))
        return
    try:
        spec = load(place)
    except SpecError as error:
        for line in str(error).splitlines():
            yield Finding("fleet.toml", "fail", line, "correct it there")
        return
    yield Finding("fleet.toml", "ok", f"{place}: {several(len(spec.apps), 'app')}")
    for remark in spec.notes:
        yield Finding("fleet.toml", "warn", remark)
    running = _status(place.parent)
    yield from _apps(spec)
    yield from _backings(spec)
    yield from _bus(wired(spec), place.parent)
    yield from _ports(spec, running is not None)
    yield from _state(place.parent, running)


def _status(root: Path) -> dict[str, Any] | None:
    try:
        return Control(root).status()
    except ControlError:
        return None


def _apps(spec: Fleet) -> Iterator[Finding]:
    for name, app in spec.apps.items():
        if app.git is not None and shutil.which("git") is None:
            yield Finding(
                f"app {name}", "fail", "comes from git, which is not installed", "install git"
            )
        elif app.git is not None and not app.path.is_dir():
            yield Finding(
                f"app {name}",
                "none",
                f"{app.tag} of {app.git} has not been fetched",
                "skerry up fetches it",
            )


def _backings(spec: Fleet) -> Iterator[Finding]:
    for name, backing in spec.backings.items():
        what = f"backing {name}"
        if backing.url is not None:
            yield Finding(what, "ok", "runs elsewhere, at a url of its own")
            continue
        program = _SERVERS[backing.kind]
        found = next(find_binaries(program, places=_PLACES), None)
        if found is not None:
            yield Finding(what, "ok", str(found))
            continue
        todo = (
            f"Debian, Ubuntu: apt-get install {_PACKAGES[backing.kind]}; macOS: brew install "
            f"{backing.kind}; or give the url of one that runs under [backings.{name}]"
        )
        yield Finding(what, "fail", f"{program} is not installed", todo)


def _bus(spec: Fleet, root: Path) -> Iterator[Finding]:
    """Where the events go: whether that can be written to, or reached."""
    try:
        url = Control(root).bus()
    except ControlError:
        url = spec.bus.url or ""
    path = path_of(url)
    needs_library = spec.bus.backing or url.startswith("amqp")
    if needs_library and find_spec("aiormq") is None:
        yield Finding("bus", "fail", "RabbitMQ needs a library", "pip install 'skerry[rabbitmq]'")
    elif not url:
        yield Finding("bus", "ok", f"is carried by backing {spec.bus.backing}")
    elif path is not None and not path.exists():
        there = next(folder for folder in path.parents if folder.is_dir())
        if os.access(there, os.W_OK):
            yield Finding("bus", "ok", f"{path}: apps make it when they start")
        else:
            yield Finding("bus", "fail", f"{there} cannot be written to", "make it yours: chown")
    else:
        try:
            queues = on_bus(url, lambda driver: driver.queues(), _PATIENCE)
        except (Failed, Error) as error:
            todo = "make it yours: chown" if path is not None else "start it, or correct its URL"
            yield Finding("bus", "fail", str(error).partition(";")[0], todo)
            return
        dead = sum(queue.dead for queue in queues)
        found = f"{shown(url)}: {several(len(queues), 'subscription')}"
        if dead:
            detail = f"{found}, {several(dead, 'dead letter')}"
            yield Finding("bus", "warn", detail, "skerry bus dead lists them")
        else:
            yield Finding("bus", "ok", found)


def _ports(spec: Fleet, running: bool) -> Iterator[Finding]:
    """Ports that the file pins; those of a fleet that runs are taken by itself."""
    pinned = {port: name for name, app in spec.apps.items() for port in app.ports}
    pinned |= {one.port: name for name, one in spec.backings.items() if one.port and not one.url}
    if spec.front is not None and spec.front.port:
        pinned[spec.front.port] = "the front door"
    for port, name in sorted(pinned.items()):
        what = f"port {port}"
        if running:
            yield Finding(what, "ok", f"of {name}")
        elif port_is_free(port):
            yield Finding(what, "ok", f"of {name}: free")
        else:
            todo = "end what listens there, or give another port in fleet.toml"
            yield Finding(what, "fail", f"of {name}: in use by another process", todo)


def _state(root: Path, running: dict[str, Any] | None) -> Iterator[Finding]:
    """What ``.skerry`` says: who has the lock, and whether what is left is of any harm."""
    state = State(root / ".skerry")
    if running is not None:
        yield Finding("fleet", "ok", f"running; its supervisor is process {running['pid']}")
        for row in (*running["backings"], *running["edges"], *running["instances"]):
            if row["state"] in _SICK:
                yield Finding(row["id"], "warn", row["state"], f"skerry logs {row['id']} says why")
        return
    if state.folder.is_dir() and not os.access(state.folder, os.W_OK):
        detail = f"{state.folder} cannot be written to"
        yield Finding("state", "fail", detail, "make it yours: chown")
        return
    pid = holder(state)
    if pid:
        detail = f"process {pid} has its lock and does not answer: it starts, or hangs"
        yield Finding("fleet", "warn", detail, "skerry down ends it")
    elif Control(root).socket.exists():
        detail = "a socket is left of one that was killed; it does no harm"
        yield Finding("fleet", "ok", detail, "the next skerry up takes its place")
    else:
        yield Finding("fleet", "none", "not running")
