"""The fork server: one quiet process in which every instance is born.

It has imported what instances need, once, and shares those pages with all of them. It must
never have a second thread: a child inherits the locks of all threads and the life of one, and
a client library that had started its workers would wait for them for ever. So the HTTP client
is imported here and opened in the child, and the nursery refuses to work when anything it
imported has started a thread.

It does four things: start a process, signal one, say that one has ended, and end everything
when the supervisor's end of the channel closes. See ``docs/design/processes.md``.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
from typing import NoReturn

from . import channel as wire
from .reaping import RUN, adopt_orphans, die_with_parent, kill_group, set_name, sweep

PRELOAD = (
    "httptools",
    "msgspec",
    "skerry.app",
    "skerry.app.serve",
    "skerry.collector.app",
    "skerry.console.app",
    "skerry.contract.openapi",
    "skerry.discovery.fleet",
    "skerry.fleet.edge",
    "skerry.fleet.instance",
    "skerry.stack.connector",
    "skerry.transport.http",
    "skerry.transport.unix",
    "uvicorn",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.auto",
    "uvloop",
)

_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
_BEGIN = (sys.executable, "-P", "-m", "skerry.fleet.nursery")

END_GRACE = 3.0
"""Seconds between asking and killing when the supervisor has gone."""


def main(fd: int, extra: tuple[str, ...], fork: bool) -> None:
    """Serve orders from the channel ``fd``; in a child that was forked, be that child.

    Args:
        extra: modules to preload beside Skerry's own; one that fails to import is left out.
        fork: whether forking without executing is safe on this platform.
    """
    set_name("skerry-nursery")
    if fork:
        gc.disable()
        preload(PRELOAD)
        if threads() > 1:
            raise RuntimeError("importing Skerry has started a thread; nothing can be forked")
        for name in extra:
            preload((name,))
            if threads() > 1:  # it cannot be unloaded: begin again, without it
                rest = [other for other in extra if other != name]
                os.set_inheritable(fd, True)
                os.execv(sys.executable, [*_BEGIN, str(fd), "fork", *rest])
        gc.collect()
        gc.freeze()  # the collector then leaves these objects, and so their pages, alone
        gc.enable()
    adopt_orphans()
    nursery = Nursery(socket.socket(fileno=fd))
    nursery.report(wire.Ready())
    job = nursery.serve()
    from .instance import run

    run(job)


def preload(names: tuple[str, ...]) -> None:
    """Import modules. One that fails is left out: whoever needs it will say why it fails."""
    for name in names:
        with contextlib.suppress(Exception):  # somebody else's module: it can raise anything
            importlib.import_module(name)


def threads() -> int:
    """How many threads this process has, those of native libraries included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


class Nursery:
    """Bears children on order and buries them.

    Args:
        channel: the supervisor is at its other end.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._pids: dict[int, int] = {}
        self._started: dict[int, wire.Start] = {}
        self._alarm, alarm = os.pipe()
        for end in (self._alarm, alarm):
            os.set_blocking(end, False)
        self._wakeup = alarm
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Its read end goes to every child, its write end to none: it closes with this process.
        self._lifeline, self._life = os.pipe()

    def report(self, message: wire.Report) -> None:
        try:
            self._channel.sendall(wire.frame(message))
        except ConnectionError:
            self._end()

    def serve(self) -> wire.Job:
        """Work until the supervisor has gone; returns in forked children only."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._alarm, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self._alarm in ready:
                if signal.SIGTERM in os.read(self._alarm, 4096):
                    self._end()
                self._reap()
            if self._channel.fileno() in ready:
                received = wire.receive_order(self._channel)
                if received is None:
                    self._end()
                order, fds = received
                job = self._start(order, fds) if isinstance(order, wire.Start) else None
                if job is not None:
                    return job
                if isinstance(order, wire.Kill):
                    self._kill(order)

    def _start(self, order: wire.Start, fds: list[int]) -> wire.Job | None:
        parent = os.getpid()
        # A signal for the child must not meet our handlers in it: they would write to our pipe.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            pid = os.fork()
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.write(fds[0], f"skerry: cannot start a process: {error}\n".encode())
            wire.close_all(fds)
            self.report(wire.Exited(order.serial, 1))
            return None
        if pid == 0:
            return self._become(order, fds, parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        wire.close_all(fds)
        self._pids[order.serial] = pid
        self._started[pid] = order
        self.report(wire.Started(order.serial, pid))
        return None

    def _become(self, order: wire.Start, fds: list[int], parent: int) -> wire.Job:
        """In the child: leave the nursery behind. Returns for a job, executes otherwise."""
        os.setsid()  # its own group: a signal for one instance reaches its children, no others
        die_with_parent(parent)
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        self._channel.close()
        wire.close_all((self._alarm, self._wakeup, self._life))
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(fds[0], 1)
        os.dup2(fds[0], 2)
        wire.close_all((null, fds[0]))
        os.environ.update(order.env)
        try:
            os.chdir(order.cwd)
            if order.argv:
                os.dup2(self._lifeline, wire.LIFELINE)
                _execute(order.argv, fds[1:])
        except OSError as error:
            os.write(2, f"skerry: cannot start {order.name}: {error}\n".encode())
            os._exit(127)
        set_name(order.name)
        assert order.job is not None
        return wire.with_descriptors(order.job, fds[1:].__getitem__, self._lifeline)

    def _kill(self, order: wire.Kill) -> None:
        pid = self._pids.get(order.serial)
        if pid is None:
            return
        if order.group:
            kill_group(pid, order.signal)
        else:
            os.kill(pid, order.signal)  # ours until it is reaped, so it is still the same one

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            order = self._started.pop(pid, None)
            if order is not None:  # otherwise an orphan that was adopted
                self._pids.pop(order.serial, None)
                self._bury(pid, order)
                self.report(wire.Exited(order.serial, os.waitstatus_to_exitcode(status)))

    def _bury(self, pid: int, order: wire.Start) -> None:
        """End what a process has left behind: its group, and who left that."""
        kill_group(pid)
        run = os.environ.get(RUN)
        if order.argv and run:
            sweep({RUN: run, "SKERRY_INSTANCE": order.env.get("SKERRY_INSTANCE", order.name)})

    def _end(self) -> NoReturn:
        """The supervisor has gone: let every child finish, soon, then leave nothing."""
        for pid, order in self._started.items():
            if order.argv:
                kill_group(pid, signal.SIGTERM)
            else:
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + END_GRACE
        while self._started and time.monotonic() < deadline:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                time.sleep(0.01)
            elif self._started.pop(pid, None) is not None:
                kill_group(pid)
        for pid in self._started:
            kill_group(pid)
        run = os.environ.get(RUN)
        if run:
            sweep({RUN: run})
        os._exit(0)


def _execute(argv: tuple[str, ...], sockets: list[int]) -> NoReturn:
    for index, fd in enumerate(sockets):
        os.dup2(fd, wire.FIRST_SOCKET + index)
        os.close(fd)
    os.execvpe(argv[0], argv, os.environ)


if __name__ == "__main__":
    main(int(sys.argv[1]), tuple(sys.argv[3:]), sys.argv[2] == "fork")
