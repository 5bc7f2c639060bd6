"""The one thread that writes to a store, and what waits for it.

What comes in is done at once, piece by piece, from a queue with an end: who comes when it is
full is told to come back. Between pieces the thread counts, writes and drops what is due.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeAlias

from .file import is_broken
from .store import Store

log = logging.getLogger("skerry.observe")

Work: TypeAlias = Callable[[Store], int]

_TICK = 0.25  # seconds; what is newer, a crash takes with it
_EXPIRE = 10.0


class Full(Exception):
    """There is no room in the queue now."""


class Keeper:
    """A store and its thread.

    Args:
        room: bytes that may wait.

    Attributes:
        trouble: why the store cannot be written; None while it can.
        refused: pieces that found no room.
    """

    def __init__(self, store: Store, room: int = 64 << 20) -> None:
        self.store = store
        self.trouble: str | None = None
        self.refused = 0
        self._room = room
        self._size = 0
        self._queue: deque[tuple[Work, int, Future[int]]] = deque()
        self._ready = threading.Condition()
        self._stopping = False
        self._broken: BaseException | None = None
        self._expired = 0.0
        self._thread = threading.Thread(target=self._run, name="span store", daemon=True)
        self._thread.start()

    def submit(self, work: Work, size: int) -> Future[int]:
        """Have ``work`` done by the thread.

        Args:
            size: bytes that it holds on to until then.

        Raises:
            Full: too much waits already.
        """
        future: Future[int] = Future()
        with self._ready:
            if self._stopping or (self._size + size > self._room and self._queue):
                self.refused += 1
                raise Full
            self._queue.append((work, size, future))
            self._size += size
            self._ready.notify()
        return future

    def give_up(self, error: BaseException) -> None:
        """The file cannot be read: set it aside, and begin a new one, soon."""
        with self._ready:
            self._broken = self._broken or error

    @property
    def waiting(self) -> int:
        """Bytes that wait."""
        return self._size

    def close(self) -> None:
        """Do what waits, write it, and close the store."""
        with self._ready:
            self._stopping = True
            self._ready.notify()
        self._thread.join()
        self.store.close()

    def _run(self) -> None:
        tick = time.monotonic() + _TICK
        while True:
            with self._ready:
                if not self._queue and not self._stopping:
                    self._ready.wait(max(0.0, tick - time.monotonic()))
                piece = self._queue.popleft() if self._queue else None
                if piece is None and self._stopping:
                    return
            if piece is not None:
                self._do(*piece)
            if time.monotonic() >= tick:
                self._maintain()
                tick = time.monotonic() + _TICK

    def _do(self, work: Work, size: int, future: Future[int]) -> None:
        try:
            result = work(self.store)
        except BaseException as error:
            self._notice(error)
            future.set_exception(error)
        else:
            future.set_result(result)
        finally:
            with self._ready:
                self._size -= size

    def _maintain(self) -> None:
        store = self.store
        try:
            if self._broken is not None:
                store.begin_again(self._broken)
                self._broken = None
            store.count()
            store.flush()
            while store.seal():
                pass
            if time.monotonic() - self._expired >= _EXPIRE:
                store.expire()
                self._expired = time.monotonic()
            if self.trouble is not None:
                log.info("the span store %s can be written again", store.path)
                self.trouble = None
        except sqlite3.Error as error:
            self._notice(error)
            if store.waiting > 4 * store.settings.spans:
                store.shed()
        except Exception:
            log.exception("the span store %s: what was due could not be done", store.path)

    def _notice(self, error: BaseException) -> None:
        if not isinstance(error, sqlite3.Error):
            return
        if is_broken(error):
            self.store.begin_again(error)
            return
        if self.trouble is None:
            log.error("the span store %s cannot be written: %s", self.store.path, error)
        self.trouble = str(error)
