"""A real RabbitMQ for tests, and a way to it that can be cut.

::

    from .rabbitmq_server import server  # a fixture, one for the session: starting takes seconds
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from skerry.fleet.backings import BackingError, Launch, backing_for
from skerry.fleet.rabbitmq import RabbitMQ as Backing
from skerry.spec import BackingSpec, Fleet

# Tests that are killed must not leave a server behind.
_WATCH = """
while kill -0 {us}; do kill -0 {group} || exit; sleep 1; done 2>/dev/null
kill -KILL -- -{group}
"""


class Server:
    """RabbitMQ in a folder of its own. Its methods block."""

    def __init__(self, root: Path) -> None:
        spec = BackingSpec(name="bus", kind="rabbitmq")
        fleet = Fleet("harbour", root, root / "fleet.toml", apps={}, backings={"bus": spec})
        backing = backing_for(spec, fleet)
        assert isinstance(backing, Backing)
        self._backing = backing
        self._log = root / "log"
        self._launch: Launch | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._backing.url("any")

    def start(self) -> None:
        self._launch = self._backing.prepare()
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._launch.argv,
                cwd=self._launch.cwd,
                env={**os.environ, **self._launch.env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        watch = _WATCH.format(us=os.getpid(), group=self._process.pid)
        self._watcher = subprocess.Popen(["/bin/sh", "-c", watch], start_new_session=True)
        deadline = time.monotonic() + 60
        while not asyncio.run(self._backing.ready()):
            assert self._process.poll() is None, self._log.read_text()[-2000:]
            assert time.monotonic() < deadline, self._log.read_text()[-2000:]
            time.sleep(0.05)

    def stop(self, *, kill: bool = False) -> None:
        """End it, in order or not, and whatever else of Erlang's it has started."""
        assert self._process is not None and self._launch is not None
        if not kill:
            self._process.send_signal(self._launch.stop)
            try:
                self._process.wait(self._launch.grace)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.wait()

    def restart(self, *, kill: bool = False) -> None:
        self.stop(kill=kill)
        self.start()

    def control(self, *arguments: str) -> str:
        """What ``rabbitmqctl`` says."""
        assert self._launch is not None
        script = Path(self._launch.argv[5]).with_name("rabbitmqctl")
        found = subprocess.run(
            [str(script), *arguments],
            env={**os.environ, **self._launch.env},
            capture_output=True,
            text=True,
            check=True,
        )
        return found.stdout


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    root = Path(tempfile.mkdtemp(prefix="skerry-test-"))
    root.chmod(0o755)
    found = Server(root.resolve())
    try:
        found.start()
    except BackingError as error:
        shutil.rmtree(root, ignore_errors=True)
        pytest.skip(f"no RabbitMQ here: {error}")
    yield found
    found.stop()
    shutil.rmtree(root, ignore_errors=True)


class Proxy:
    """Passes connections on to a server, until it is told not to."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        user, _, _ = self._parts.netloc.rpartition("@")
        netloc = f"{user}@127.0.0.1:{self._port}"
        return urlunsplit(self._parts._replace(netloc=netloc))

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self.cut()
        for task in self._passing:
            task.cancel()

    async def cut(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0.05)  # until those who are cut off have seen it

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """Nobody gets through."""
        await self.close()
        try:
            yield
        finally:
            await self.open()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._parts.port)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(back)
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(_pass(source, sink))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while part := await source.read(65536):
            sink.write(part)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()
