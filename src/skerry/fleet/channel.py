"""Messages with file descriptors between the supervisor and the nursery.

A Unix stream socket, a length before each message, JSON in it. Descriptors travel beside the
length (``SCM_RIGHTS``): the kernel delivers them with the first byte they were sent with, and
reading exactly that far keeps each message's descriptors with its message.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
import struct
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

_LENGTH = struct.Struct("!I")
CANNOT_LOAD = 70
"""Exit code of an instance whose code cannot be imported: trying again soon changes nothing.
The number is EX_SOFTWARE of sysexits.h, that of the next one EX_TEMPFAIL."""

CANNOT_START = 75
"""Exit code of an instance whose own start-up failed: what it needs may not be there yet."""

LIVE = "/.skerry/livez"
"""Path on the front door that the edge answers by itself; no route begins like this."""

LIFELINE = 99
FIRST_SOCKET = 100
_MAX_DESCRIPTORS = 250  # the kernel's limit for one message is 253


class Member(Struct, frozen=True):
    """One app inside an instance's process.

    Attributes:
        app: its name.
        id: the name of this copy, ``quotes-1``.
        target: where the application object is, ``package.module:variable``.
        folder: the app's folder, absolute.
        fd: its listening socket; in ``Start`` an index into the descriptors sent along.
        env: what belongs to this app alone when several share the process.
    """

    app: str
    id: str
    target: str
    folder: str
    fd: int
    env: dict[str, str] = {}


class EdgeSettings(Struct, frozen=True):
    """What the edge serves.

    Attributes:
        listeners: one local proxy each: who calls, whom, and the listening socket.
        front: the front door's listening socket; None when there is none.
        routes: path prefix → app, for the front door.
        apps: every app that the front door can reach by host name.
        silent: apps that record no spans of their own.
    """

    listeners: tuple[tuple[str, str, int], ...]
    front: int | None
    routes: dict[str, str]
    apps: tuple[str, ...]
    silent: tuple[str, ...] = ()


class Job(Struct, frozen=True):
    """What a process is to be: one app or several, or the edge.

    Attributes:
        name: of the process, for logs and reports.
        drain: seconds that requests in flight get when it is told to stop.
        lifeline: a descriptor that reads as closed when the nursery has died; -1 for none.
    """

    name: str
    members: tuple[Member, ...] = ()
    edge: EdgeSettings | None = None
    drain: float = 10.0
    lifeline: int = -1


class Start(Struct, frozen=True, tag=True):
    """Start a process. Its descriptors: the log pipe first, then listening sockets.

    Attributes:
        serial: what both sides call it; never used twice.
        name: for people.
        job: what to run by forking; None for something to execute.
        argv: what to execute, found through ``PATH``. It gets its listening sockets as
            descriptors ``FIRST_SOCKET`` and up, and the lifeline as ``LIFELINE``.
        env: added to the nursery's own environment.
        cwd: its working directory.
    """

    serial: int
    name: str
    job: Job | None
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str


class Kill(Struct, frozen=True, tag=True):
    """Signal a process, or its whole group. One that has gone is left in peace."""

    serial: int
    signal: int
    group: bool = False


class Ready(Struct, frozen=True, tag=True):
    """The nursery has loaded what it preloads, and has one thread."""


class Started(Struct, frozen=True, tag=True):
    serial: int
    pid: int


class Exited(Struct, frozen=True, tag=True):
    """A process has ended, and so has its group.

    Attributes:
        code: exit code, or minus the signal that killed it.
    """

    serial: int
    code: int


def with_descriptors(job: Job, number: Callable[[int], int], lifeline: int) -> Job:
    """The same job with indices replaced by the numbers that descriptors have in its process."""
    members = tuple(replace(member, fd=number(member.fd)) for member in job.members)
    edge = job.edge
    if edge is not None:
        listeners = tuple((caller, app, number(fd)) for caller, app, fd in edge.listeners)
        front = None if edge.front is None else number(edge.front)
        edge = replace(edge, listeners=listeners, front=front)
    return replace(job, members=members, edge=edge, lifeline=lifeline)


Order = Start | Kill
Report = Ready | Started | Exited

_orders = msgspec.json.Decoder(Order)
_reports = msgspec.json.Decoder(Report)
encode = msgspec.json.Encoder().encode


def frame(message: Order | Report) -> bytes:
    body = encode(message)
    return _LENGTH.pack(len(body)) + body


def receive_order(channel: socket.socket) -> tuple[Order, list[int]] | None:
    """The next order and its descriptors; None when the supervisor is gone. Blocks."""
    try:
        head, fds, _, _ = socket.recv_fds(channel, _LENGTH.size, _MAX_DESCRIPTORS)
        while head and len(head) < _LENGTH.size:
            more = channel.recv(_LENGTH.size - len(head))
            if not more:
                return None
            head += more
        body = _exactly(channel, _LENGTH.unpack(head)[0]) if head else b""
    except ConnectionError:
        return None
    return (_orders.decode(body), fds) if body else None


def _exactly(channel: socket.socket, size: int) -> bytes:
    body = bytearray()
    while len(body) < size:
        piece = channel.recv(size - len(body))
        if not piece:
            return b""
        body += piece
    return bytes(body)


async def send(channel: socket.socket, message: Order, fds: Iterable[int] = ()) -> None:
    """Send from an event loop, without blocking it. One at a time per channel.

    Raises:
        ConnectionError: nobody is at the other end.
    """
    loop = asyncio.get_running_loop()
    data = frame(message)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
    while True:
        try:
            sent = channel.sendmsg([data], rights)
            break
        except BlockingIOError:
            await _writable(channel, loop)
    await loop.sock_sendall(channel, data[sent:])


async def _writable(channel: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(channel, wake)
    try:
        await ready
    finally:
        loop.remove_writer(channel)


class Reports:
    """Takes reports out of bytes as they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Report]:
        self._buffer += data
        found: list[Report] = []
        while len(self._buffer) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + size
            if len(self._buffer) < end:
                break
            found.append(_reports.decode(self._buffer[_LENGTH.size : end]))
            del self._buffer[:end]
        return found


def close_all(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)
