"""What lies between the processes: servers that can be killed, and sockets that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from skerry.fleet.backings import backing_for, running
from skerry.spec import BackingSpec, Fleet

# Whatever ends us, the server's process group ends with us.
_LIFE_LINE = "read -r _; kill -KILL -- -$1"


class Server:
    """PostgreSQL or RabbitMQ, in a folder of its own.

    Raises:
        BackingError: from ``start``: it is not installed.
    """

    def __init__(self, kind: str, root: Path) -> None:
        spec = BackingSpec(name=kind, kind=kind)
        fleet = Fleet("crash", root, root / "fleet.toml", apps={}, backings={kind: spec})
        self._backing = backing_for(spec, fleet)
        self._log = root / f"{kind}.log"
        # Of a killed PostgreSQL the kernel keeps the memory until the last session has noticed.
        self._kill = signal.SIGQUIT if kind == "postgresql" else signal.SIGKILL
        self._stack = AsyncExitStack()
        self._process: asyncio.subprocess.Process | None = None
        self._line: asyncio.subprocess.Process | None = None

    async def start(self) -> str:
        """Its URL."""
        self._process = await self._stack.enter_async_context(running(self._backing, self._log))
        assert self._process is not None
        self._line = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", _LIFE_LINE, "sh", str(self._process.pid)),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        return await self._backing.provide("crash")

    async def stop(self) -> None:
        await self._stack.aclose()
        if self._line is not None:
            with contextlib.suppress(ProcessLookupError):
                self._line.kill()
            await self._line.wait()

    async def restart(self) -> None:
        """As if it had crashed."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, self._kill)
        await self._process.wait()
        await self.stop()
        await self.start()


class Link:
    """Passes connections on to a port of this machine, until they are cut."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in self._passing:
            task.cancel()

    def through(self, url: str) -> str:
        """The URL of the same thing by way of this link."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{self.port}"))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pass(source, sink))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while part := await source.read(65536):
                sink.write(part)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()
            self._open.discard(sink)
