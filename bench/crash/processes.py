"""Real processes, watched by their ids: who dies is started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct, json

from bench import machine

from .zygote import Order

_AGAIN = 0.05  # seconds until what has died is started again


class Zygote:
    """See ``zygote``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    async def start(self, what: str, value: Struct, log: Path) -> int:
        """The id of a new process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = Order(what, json.encode(value).decode(), str(log))
        async with self._turn:
            self._process.stdin.write(json.encode(order) + b"\n")
            said = await self._process.stdout.readline()
        if not said:
            raise RuntimeError("the zygote has gone")
        return int(said)


@asynccontextmanager
async def zygote() -> AsyncIterator[Zygote]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.crash.zygote"),
        cwd=machine.ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Zygote(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Process:
    """One process of the fleet, and its successors.

    Args:
        what, value: what it is; see ``Order``.
        restart: whether it is started again whenever it has died.

    Attributes:
        deaths: how often it has died without being told to by ``stop``.
        pid: of the one there is, or was last.
    """

    def __init__(
        self, zygote: Zygote, what: str, value: Struct, log: Path, *, restart: bool = True
    ) -> None:
        self.pid = 0
        self.deaths = 0
        self.ended = asyncio.Event()
        self._zygote = zygote
        self._order = what, value, log
        self._restart = restart
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        watch = await self._fork()
        self._task = asyncio.create_task(self._keep(watch))

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def stop(self) -> None:
        """End it for good."""
        self._stopping = True
        self.kill()
        if self._task is not None:
            await self._task

    async def _fork(self) -> int:
        self.pid = await self._zygote.start(*self._order)
        try:
            return os.pidfd_open(self.pid)
        except ProcessLookupError:
            return -1

    async def _keep(self, watch: int) -> None:
        while True:
            await _until_gone(watch)
            if self._stopping or not self._restart:
                self.ended.set()
                return
            self.deaths += 1
            await asyncio.sleep(_AGAIN)
            watch = await self._fork()
            if self._stopping:
                self.kill()


async def _until_gone(watch: int) -> None:
    if watch < 0:
        return
    loop = asyncio.get_running_loop()
    gone: asyncio.Future[None] = loop.create_future()
    loop.add_reader(watch, _set, gone)
    try:
        await gone
    finally:
        loop.remove_reader(watch)
        os.close(watch)


def _set(gone: asyncio.Future[None]) -> None:
    if not gone.done():
        gone.set_result(None)
