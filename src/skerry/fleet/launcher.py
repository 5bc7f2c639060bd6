"""The supervisor's side of the nursery: ask for a process, hear when it ends.

The nursery is executed, not forked, so that it can be started again from a supervisor that has
threads by then. If it dies, its children die with it; the launcher sweeps up what was left,
says of each process that it was killed, and starts another nursery for the next order.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from skerry.core.errors import Error

from . import channel as wire
from .reaping import RUN, kill_group, sweep

CAN_FORK = sys.platform == "linux"
"""macOS forks too, and then its own libraries abort in the child; there we execute."""


class NurseryLost(Error):
    """The fork server did not start; its output says why."""


class Process:
    """A process of the fleet, running or over.

    Attributes:
        pid: None until it has been started.
        exited: its exit code, or minus the signal that ended it; never cancelled.
    """

    def __init__(self, launcher: Launcher, serial: int, name: str, group: bool) -> None:
        self.name = name
        self.pid: int | None = None
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._launcher = launcher
        self.serial = serial
        self._group = group

    async def send(self, number: int, *, group: bool | None = None) -> None:
        """Send a signal: to the whole group for a command, which may be a shell with children."""
        if not self.exited.done():
            whole = self._group if group is None else group
            await self._launcher.order(wire.Kill(self.serial, number, whole))

    async def stop(self, grace: float, number: int = signal.SIGTERM) -> int:
        """Ask it to end, insist after ``grace`` seconds; its exit code."""
        await self.send(number)
        done, _ = await asyncio.wait({self.exited}, timeout=grace)
        if not done:
            await self.send(signal.SIGKILL, group=True)
        return await asyncio.shield(self.exited)


class Launcher:
    """Starts processes through the nursery.

    Args:
        run: the token of this run, see ``reaping``.
        preload: modules that the nursery imports beside Skerry's own.
        output: descriptor for what the nursery itself prints.
    """

    def __init__(self, run: str, preload: Sequence[str] = (), output: int | None = None) -> None:
        self._run = run
        self._preload = tuple(preload)
        self._output = output
        self._serials = itertools.count(1)
        self._processes: dict[int, Process] = {}
        self._nursery: _Nursery | None = None
        self._opening = asyncio.Lock()
        self._sending = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The nursery's process id, while there is one."""
        return None if self._nursery is None else self._nursery.popen.pid

    async def start(
        self,
        name: str,
        *,
        job: wire.Job | None = None,
        argv: Sequence[str] = (),
        env: dict[str, str],
        cwd: str,
        fds: Sequence[int],
        group: bool = False,
    ) -> Process:
        """Start a process that forks to do ``job``, or executes ``argv``.

        Args:
            fds: the log pipe's write end, then listening sockets; the caller keeps its own.
            group: whether signals are meant for all its children too.

        Raises:
            NurseryLost: there is no fork server, and another could not be started.
        """
        for _ in range(2):  # the nursery may die while we speak to it
            nursery = await self.open()
            async with self._sending:
                process = Process(self, next(self._serials), name, group)
                order = wire.Start(process.serial, name, job, tuple(argv), env, cwd)
                self._processes[process.serial] = process
                try:
                    await wire.send(nursery.channel, order, fds)
                except OSError:
                    self._processes.pop(process.serial, None)
                    self._lost(nursery)
                else:
                    return process
        raise NurseryLost("the fork server dies whenever it is asked for something")

    async def order(self, order: wire.Kill) -> None:
        nursery = self._nursery
        if nursery is None:
            return
        try:
            async with self._sending:
                await wire.send(nursery.channel, order)
        except OSError:
            self._lost(nursery)

    async def open(self) -> _Nursery:
        """The running nursery; starts one where there is none."""
        async with self._opening:
            if self._nursery is None:
                nursery = _Nursery(self._run, self._preload, self._output)
                nursery.listen(self._heard, self._lost)
                self._nursery = nursery
                try:
                    await nursery.ready
                except NurseryLost:
                    self._nursery = None
                    raise
            return self._nursery

    async def close(self) -> None:
        """End the nursery, and by that whatever it still has."""
        nursery, self._nursery = self._nursery, None
        if nursery is not None:
            nursery.close()
            await asyncio.to_thread(nursery.popen.wait)
        self._all_killed()

    def _heard(self, report: wire.Report) -> None:
        if isinstance(report, wire.Started):
            process = self._processes.get(report.serial)
            if process is not None:
                process.pid = report.pid
        elif isinstance(report, wire.Exited):
            process = self._processes.pop(report.serial, None)
            if process is not None and not process.exited.done():
                process.exited.set_result(report.code)

    def _lost(self, nursery: _Nursery) -> None:
        if nursery is not self._nursery:
            return
        self._nursery = None
        nursery.close()
        nursery.popen.kill()
        nursery.popen.wait()
        if not nursery.ready.done():
            nursery.ready.set_exception(NurseryLost("the fork server did not start"))
        self._all_killed()
        # What a command had started is nobody's child now and may not have been in its group.
        sweep({RUN: self._run})

    def _all_killed(self) -> None:
        processes, self._processes = self._processes, {}
        for process in processes.values():
            if process.pid is not None:
                kill_group(process.pid)
            if not process.exited.done():
                process.exited.set_result(-signal.SIGKILL)


class _Nursery:
    """One fork server process and the channel to it."""

    def __init__(self, run: str, preload: Sequence[str], output: int | None) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.channel.setblocking(False)
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        how = "fork" if CAN_FORK else "execute"
        command = (sys.executable, "-P", "-m", "skerry.fleet.nursery", str(theirs.fileno()), how)
        with theirs:
            self.popen = subprocess.Popen(
                [*command, *preload],
                env={**os.environ, RUN: run},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def listen(self, heard: _Heard, lost: _Lost) -> None:
        reports = wire.Reports()

        def readable() -> None:
            try:
                data = self.channel.recv(65536)
            except BlockingIOError:
                return
            except ConnectionError:
                data = b""
            if not data:
                lost(self)
                return
            for report in reports.feed(data):
                if isinstance(report, wire.Ready):
                    self.ready.set_result(None)
                else:
                    heard(report)

        asyncio.get_running_loop().add_reader(self.channel, readable)

    def close(self) -> None:
        if self.channel.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.channel)
            self.channel.close()


_Heard: TypeAlias = Callable[[wire.Report], None]
_Lost: TypeAlias = Callable[[_Nursery], None]


def executed(python: Path, job: wire.Job) -> tuple[str, ...]:
    """The command by which an interpreter does a job that is not forked."""
    job = wire.with_descriptors(job, wire.FIRST_SOCKET.__add__, wire.LIFELINE)
    return (str(python), "-P", "-m", "skerry.fleet.instance", wire.encode(job).decode())
