"""What ``skerry doctor`` finds about the fleet in this folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skerry.fleet.client import Control, ControlError
from skerry.fleet.localserver import find_binaries, port_is_free
from skerry.fleet.state import State, holder
from skerry.spec import Fleet, SpecError, load

from .doctor import Finding
from .output import Failed
from .place import fleet_file

_SERVERS = {"redis": "redis-server", "rabbitmq": "rabbitmq-server", "postgresql": "postgres"}
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/lib/rabbitmq/bin", "/opt/homebrew/opt/*/bin")
_PACKAGES = {"redis": "redis-server", "rabbitmq": "rabbitmq-server", "postgresql": "postgresql"}
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
    yield Finding("fleet.toml", "ok", f"{place}: {_count(len(spec.apps), 'app')}")
    for remark in spec.notes:
        yield Finding("fleet.toml", "warn", remark)
    running = _status(place.parent)
    yield from _apps(spec)
    yield from _backings(spec)
    yield from _ports(spec, running is not None)
    yield from _state(place.parent, running)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


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
