"""The one thread of a process that writes to the embedded bus's file.

What is asked of it while it works becomes the next group: one lock, one transaction, one
synchronisation for all of it. The lock is the kernel's (``flock``), so that processes queue for
it; SQLite's own has them sleep and try again. It is let go before the disk is waited for.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

from skerry.core.errors import BusUnavailable, Unconfirmed
from skerry.core.failpoint import hit

from .embedded_file import File
from .embedded_ops import Claim, End, Peer, Publish
from .embedded_store import Store
from .embedded_wake import Sender

log = logging.getLogger("skerry.bus")

Durability = Literal["power", "process"]
Work = Publish | End | Claim | Callable[[Store], Any]

_LARGEST_GROUP = 1_000  # operations, so that others get their turn

# After these the connection is of no use: the file, or what it lies on, is broken or gone.
_BROKEN = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


@dataclass(slots=True)
class Op:
    """Something to do in a transaction.

    Attributes:
        settle: is given the result, or the exception, in the event loop.
        durable: it is only done when it is on the disk.
    """

    work: Work
    settle: Callable[[Any], None]
    durable: bool = False

    @property
    def turn(self) -> int:
        """Its place in a group: what ends first, what begins last, and sees all the rest."""
        kind = type(self.work)
        return 0 if kind is End else 2 if kind is Publish else 3 if kind is Claim else 1


class Writer:
    """The thread, its connection and its lock.

    Args:
        prepare: what to do first with a file that has just been opened.
        wake: consumers of this process that have something to take, in the event loop.
        departed: consumers that turned out to be gone, in the event loop.
    """

    def __init__(
        self,
        path: Path,
        durability: Durability,
        prepare: Callable[[Store], None],
        wake: Callable[[list[int]], None],
        departed: Callable[[list[Peer]], None],
    ) -> None:
        self._path = path
        self._durability = durability
        self._prepare = prepare
        self._wake = wake
        self._departed = departed
        self._loop = asyncio.get_running_loop()
        self._asked: SimpleQueue[Sequence[Op]] = SimpleQueue()
        self._left: list[Op] = []
        self._stopping = False
        self._file = File(path)
        self._sender = Sender()
        self.socket = ""  # of this process, once it consumes
        self._thread = threading.Thread(target=self._work, name=f"bus {path.name}", daemon=True)
        self._thread.start()

    def submit(self, ops: Sequence[Op]) -> None:
        self._asked.put(ops)

    def stop(self) -> None:
        """Do what is queued, let go of the file and end. Blocks for as long as that takes."""
        self._stopping = True
        self._asked.put(())
        self._thread.join()

    def abandon(self) -> None:
        """In a forked child: the lock must not outlive the parent in our hands."""
        self._file.abandon()

    def _work(self) -> None:
        try:
            while ops := self._next_group():
                ops.sort(key=lambda op: op.turn)
                self._carry_out(ops)
        finally:
            self._sender.close()
            self._file.close()

    def _next_group(self) -> list[Op]:
        """What has been asked for by now; waits until there is something, or all is over."""
        ops = self._left
        while not (ops or (self._stopping and self._asked.empty())):
            ops += self._asked.get()
        while len(ops) < _LARGEST_GROUP and not self._asked.empty():
            ops += self._asked.get()
        self._left = ops[_LARGEST_GROUP:]
        return ops[:_LARGEST_GROUP]

    def _carry_out(self, ops: list[Op]) -> None:
        try:
            with self._file as store:
                if self._file.fresh:
                    _transact(store, [Op(self._prepare, _ignore)])
                    self._file.fresh = False
                results, peers = self._group(store, ops)
        except (OSError, sqlite3.Error, BusUnavailable) as error:
            self._file.close()
            unavailable = self._unavailable(error)
            self._tell([(op, unavailable) for op in ops])
            return
        if any(isinstance(op.work, Publish) for op in ops):
            hit("driver.after_publish")
        self._rouse(peers)
        late: list[tuple[Op, Any]] = []
        if self._durability == "power":
            late = [(op, result) for op, result in zip(ops, results, strict=True) if op.durable]
        if not late:
            self._tell(list(zip(ops, results, strict=True)))
            return
        self._tell([(o, r) for o, r in zip(ops, results, strict=True) if not o.durable])
        try:
            self._file.synchronise()
        except OSError as error:
            lost = Unconfirmed(f"{self._path}: {error}")
            late = [(op, r if isinstance(r, Exception) else lost) for op, r in late]
        self._tell(late)

    def _group(self, store: Store, ops: list[Op]) -> tuple[list[Any], list[Peer]]:
        """All of them in one transaction; if that fails, each in one of its own."""
        try:
            return _transact(store, ops)
        except Exception as error:
            store.rollback()
            if _is_broken(error):
                raise
            if len(ops) == 1:
                return [self._unavailable(error)], []
        results: list[Any] = []
        peers: list[Peer] = []
        for op in ops:
            result, woken = self._group(store, [op])
            results += result
            peers += woken
        return results, peers

    def _unavailable(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.DataError):
            return BusUnavailable(f"{self._path}: {error} (a message is too large)")
        if isinstance(error, (OSError, sqlite3.Error)):
            return BusUnavailable(f"{self._path}: {error}")
        return error

    def _rouse(self, peers: list[Peer]) -> None:
        if not peers:
            return
        ours = [peer.id for peer in peers if peer.socket == self.socket]
        gone = [
            peer
            for peer in peers
            if peer.socket != self.socket and not self._sender.send(peer.socket, peer.id)
        ]
        if ours:
            self._call(self._wake, ours)
        if gone:
            self._call(self._departed, gone)

    def _tell(self, results: list[tuple[Op, Any]]) -> None:
        if results:
            self._call(_settle, results)

    def _call(self, function: Callable[[Any], None], value: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, value)
        except RuntimeError:  # the loop has been closed before the driver was
            self._stopping = True


def _transact(store: Store, ops: Sequence[Op]) -> tuple[list[Any], list[Peer]]:
    """Carry out ``ops``, which are in order of their turns; results, and whom to wake."""
    store.begin()
    results: list[Any] = []
    if ends := [op.work for op in ops if isinstance(op.work, End)]:
        results += store.end(ends)
    results += [op.work(store) for op in ops if callable(op.work)]
    if publishes := [op.work for op in ops if isinstance(op.work, Publish)]:
        store.publish(publishes)
        results += [None] * len(publishes)
        hit("driver.before_commit")
    results += [store.claim(op.work) for op in ops if isinstance(op.work, Claim)]
    peers = store.to_wake()
    store.commit()
    return results, peers


def _is_broken(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _BROKEN


def _settle(results: list[tuple[Op, Any]]) -> None:
    for op, result in results:
        op.settle(result)


def _ignore(_: object) -> None:
    pass
