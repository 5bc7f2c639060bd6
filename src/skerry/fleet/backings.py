"""Databases, caches and brokers: started from a local binary, or only known by their URL.

A backing says how its server is started and when it is ready; it starts nothing itself, so the
supervisor keeps one kind of process. The order of calls: ``prepare`` (in a thread: it blocks),
start what it returned, ``ready`` until it is true, then ``provide`` once per app that needs it.
``running`` does just that, for tests and for one backing on its own.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from skerry.spec import BackingSpec, Fleet

from .localserver import BackingError, Launch

__all__ = ["Backing", "BackingError", "Launch", "Outside", "backing_for", "running"]

_PORTS = {"postgresql": 5432, "redis": 6379, "rabbitmq": 5672}


class Backing(Protocol):
    """One server that apps need."""

    name: str

    def prepare(self) -> Launch | None:
        """Do what must be done before its start; None when there is nothing to start. Blocks.

        Raises:
            BackingError: it cannot be started here.
        """

    async def ready(self) -> bool:
        """Whether it can be used now."""

    async def provide(self, app: str) -> str:
        """Make what ``app`` alone needs in it (its database); its URL.

        Raises:
            BackingError: it could not be made.
        """

    def url(self, app: str) -> str:
        """The URL for ``app``; valid after ``prepare``."""


class Outside:
    """A backing that runs elsewhere.

    Args:
        spec: with a ``url``.
    """

    def __init__(self, spec: BackingSpec) -> None:
        self.name = spec.name
        self._kind = spec.kind
        self._url = spec.url or ""

    def prepare(self) -> None:
        return None

    async def ready(self) -> bool:
        """Whether somebody listens there; true where the URL does not say where."""
        parts = urlsplit(self._url)
        port = parts.port or _PORTS.get(self._kind)
        if not parts.hostname or not port:
            return True
        try:
            async with asyncio.timeout(2):
                _, writer = await asyncio.open_connection(parts.hostname, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    async def provide(self, app: str) -> str:
        return self._url

    def url(self, app: str) -> str:
        return self._url


def backing_for(spec: BackingSpec, fleet: Fleet) -> Backing:
    """The backing that ``spec`` describes, with its data in the fleet's ``.skerry/``."""
    folder = fleet.state / "backings" / spec.name
    if spec.url is not None:
        return Outside(spec)
    if spec.kind == "postgresql":
        from .postgresql import PostgreSQL

        return PostgreSQL(spec, folder)
    if spec.kind == "redis":
        from .redis import Redis

        return Redis(spec, folder)
    if spec.kind == "rabbitmq":
        from .rabbitmq import RabbitMQ

        return RabbitMQ(spec, folder, fleet.name)
    raise BackingError(f"{spec.name}: nothing here starts a {spec.kind}")


@asynccontextmanager
async def running(
    backing: Backing, log: Path, patience: float = 60.0
) -> AsyncIterator[asyncio.subprocess.Process | None]:
    """Run one backing for the length of a block.

    Args:
        log: file that gets what it prints.
        patience: seconds it may take to become ready.

    Raises:
        BackingError: it cannot be started, ended at once, or did not become ready.
    """
    launch = await asyncio.to_thread(backing.prepare)
    if launch is None:
        yield None
        return
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *launch.argv,
            cwd=launch.cwd,
            env={**os.environ, **launch.env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        await _until_ready(backing, process, log, patience)
        yield process
    finally:
        await stop(process, launch)


async def _until_ready(
    backing: Backing, process: asyncio.subprocess.Process, log: Path, patience: float
) -> None:
    try:
        async with asyncio.timeout(patience):
            while not await backing.ready():
                if process.returncode is not None:
                    reason = f"ended with code {process.returncode}"
                    break
                await asyncio.sleep(0.05)
            else:
                return
    except TimeoutError:
        reason = f"was not ready after {patience:g} s"
    last = await asyncio.to_thread(_last_lines, log)
    raise BackingError("\n    ".join([f"{backing.name} {reason}:", *last]))


def _last_lines(log: Path) -> list[str]:
    return log.read_text("utf-8", "replace").strip().splitlines()[-5:]


async def stop(process: asyncio.subprocess.Process, launch: Launch) -> None:
    """End a server in order, and whatever is left of its process group by force."""
    if process.returncode is None:
        process.send_signal(launch.stop)
        try:
            async with asyncio.timeout(launch.grace):
                await process.wait()
        except TimeoutError:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # nothing left, which is as it should be
    await process.wait()
