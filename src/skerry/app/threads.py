"""Threads for plain ``def`` functions, so that they may wait without everybody else waiting.

A request that has such functions is lent one thread for its length: its resources open, its
function runs and its resources close there, one after the other. Libraries that bind a
connection to its thread (sqlite3, Django, scoped sessions) find it where they left it, and no
two pieces of one request ever run at the same time, not even when its caller has stopped
waiting in the middle of one.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
_Job: TypeAlias = tuple["Future[Any]", Callable[[], Any]]

log = logging.getLogger("skerry.app")


class Worker:
    """One thread, which runs what it is given in the order it was given.

    It is a daemon: a function that never returns must not keep the process from ending, which
    the threads of ``concurrent.futures`` do.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._last: Future[Any] | None = None
        threading.Thread(target=self._work, name=name, daemon=True).start()

    @property
    def busy(self) -> bool:
        """Whether something that was begun here has not ended."""
        return self._last is not None and not self._last.done()

    async def run(self, call: Callable[[], T]) -> T:
        """The result of ``call``. A cancelled caller leaves; what has begun goes on."""
        self._last = future = Future[T]()
        self._jobs.put((future, call))
        return await asyncio.wrap_future(future)

    async def rest(self) -> None:
        """Wait until nothing runs here."""
        if self._last is not None and self.busy:
            await asyncio.wait([asyncio.wrap_future(self._last)])

    def end(self) -> None:
        """Let the thread end when it has done what it was given."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, call = job
            if future.set_running_or_notify_cancel():
                try:
                    result = call()
                except StopIteration as error:  # which no asyncio future can carry
                    future.set_exception(RuntimeError(f"a function raised {error!r}"))
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
            del job, future, call  # nothing of a request outlives it in a waiting thread


class Threads:
    """A bounded number of workers, lent to requests in the order they ask.

    Args:
        size: the most threads there will be; they are started when first needed.
        name: of the app; what their names begin with.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._workers: list[Worker] = []
        self._idle: list[Worker] = []
        self._waiting: deque[asyncio.Future[Worker]] = deque()
        self._left_behind: set[asyncio.Task[None]] = set()

    async def lend(self) -> Worker:
        """A worker that is nobody else's until it is given back."""
        if self._idle:
            return self._idle.pop()
        if len(self._workers) < self._size:
            worker = Worker(f"{self._name}_{len(self._workers)}")
            self._workers.append(worker)
            return worker
        waiter: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.give_back(waiter.result())
            raise

    def give_back(self, worker: Worker) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(worker)
                return
        self._idle.append(worker)

    def leave_behind(self, ending: Coroutine[Any, Any, None]) -> None:
        """Let ``ending`` go on after its request has been answered."""
        task = asyncio.create_task(ending, context=contextvars.Context())
        self._left_behind.add(task)
        task.add_done_callback(self._left_behind.discard)

    async def close(self, patience: float = 1.0) -> None:
        """End the threads, after at most ``patience`` seconds for what was left behind."""
        if self._left_behind:
            _, late = await asyncio.wait(self._left_behind, timeout=patience)
            if late:
                log.warning(
                    "%s: %d plain functions whose callers have left still run; not waiting for "
                    "them any longer",
                    self._name,
                    len(late),
                )
            for task in late:
                task.cancel()
        for worker in self._workers:
            worker.end()
