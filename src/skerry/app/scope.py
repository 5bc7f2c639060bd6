"""What one request holds while it lasts: its resources, and a thread for its plain functions."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from types import TracebackType
from typing import Any

from skerry.core.wire import Request

from .binding import is_plain
from .resources import Container, Resource
from .threads import Threads, Worker

log = logging.getLogger("skerry.app")


class Scope:
    """Opens request-scoped resources, runs functions among them, and closes it all in reverse.

    A resource sees the exception that ended the request, and the cancellation where its caller
    stopped waiting. If a plain function still runs then, the resources stay open under it; they
    are closed, with that cancellation, when it has returned.

    Args:
        request: what resources get that ask for it.
        threads: where plain functions run.
    """

    __slots__ = ("_container", "_context", "_open", "_request", "_stack", "_threads", "_worker")

    def __init__(self, container: Container, threads: Threads, request: Request) -> None:
        self._container = container
        self._threads = threads
        self._request = request
        self._stack = AsyncExitStack()
        self._open: dict[Any, Any] = {}
        self._worker: Worker | None = None
        self._context: contextvars.Context | None = None

    @property
    def holds(self) -> bool:
        """Whether a resource is open here."""
        return bool(self._open)

    async def value(self, kind: Any) -> Any:
        """What ``kind`` means in this request, opened once however many functions need it."""
        if kind is Request:
            return self._request
        if not self._container.is_request_scoped(kind):
            return self._container.instance_value(kind)
        if kind not in self._open:
            resource = self._container.resource(kind)
            needs = {name: await self.value(need) for name, need in resource.needs.items()}
            self._open[kind] = await self._enter(resource, needs)
        return self._open[kind]

    async def _enter(self, resource: Resource, needs: Mapping[str, Any]) -> Any:
        function = resource.function
        if inspect.isasyncgenfunction(function):
            manager = asynccontextmanager(function)(**needs)
            return await self._stack.enter_async_context(manager)
        if not inspect.isgeneratorfunction(function):
            return await self.run(function, needs)
        plain = contextmanager(function)(**needs)
        entered = False

        def enter() -> Any:
            nonlocal entered
            value = plain.__enter__()
            entered = True
            return value

        async def leave(
            kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
        ) -> bool:
            return entered and bool(await self._in_thread(partial(plain.__exit__, kind, error, tb)))

        # Before it is entered, because the caller may leave while the thread is at it.
        self._stack.push_async_exit(leave)
        return await self._in_thread(enter)

    async def run(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """What ``function`` returns; in the request's thread if it is a plain one."""
        if not is_plain(function):
            return await function(**arguments)
        result = await self._in_thread(partial(function, **arguments))
        # A callable object, or a partial, may turn out to have been asynchronous after all.
        return await result if inspect.isawaitable(result) else result

    async def _in_thread(self, call: Callable[[], Any]) -> Any:
        if self._worker is None:
            self._worker = await self._threads.lend()
            self._context = contextvars.copy_context()
        assert self._context is not None
        return await self._worker.run(partial(self._context.run, call))

    async def close(self, error: BaseException | None = None) -> bool:
        """Close what is open; whether a resource says that ``error`` is dealt with."""
        worker, self._worker = self._worker, None
        if worker is None:
            return bool(await self._exit(error))
        self._worker = worker
        if worker.busy:
            self._threads.leave_behind(self._close_after(worker, error))
            return False
        try:
            return bool(await self._exit(error))
        finally:
            if worker.busy:  # left in the middle of closing
                self._threads.leave_behind(self._return(worker))
            else:
                self._threads.give_back(worker)

    async def _exit(self, error: BaseException | None) -> bool | None:
        tb = None if error is None else error.__traceback__
        return await self._stack.__aexit__(type(error) if error else None, error, tb)

    async def _close_after(self, worker: Worker, error: BaseException | None) -> None:
        await worker.rest()
        try:
            await self._exit(error)
        except BaseException as other:
            if other is not error:
                log.exception("a resource of a request that had been answered did not close")
        finally:
            self._threads.give_back(worker)

    async def _return(self, worker: Worker) -> None:
        await worker.rest()
        self._threads.give_back(worker)


class ScopedChunks:
    """Chunks of a body that keep a scope open until they end, fail, or are closed."""

    __slots__ = ("_chunks", "_scope")

    def __init__(self, chunks: AsyncIterator[bytes], scope: Scope) -> None:
        self._chunks = chunks
        self._scope: Scope | None = scope

    def __aiter__(self) -> ScopedChunks:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._chunks.__anext__()
        except StopAsyncIteration:
            await self._end(None)
            raise
        except BaseException as error:
            await self._end(error)
            raise

    async def aclose(self) -> None:
        """Close both. A reader that did not read to the end is one that has left."""
        try:
            close = getattr(self._chunks, "aclose", None)
            if close is not None:
                await close()
        finally:
            await self._end(asyncio.CancelledError("the body was not read to its end"))

    async def _end(self, error: BaseException | None) -> None:
        scope, self._scope = self._scope, None
        if scope is not None:
            try:
                await scope.close(error)
            except BaseException as other:
                if other is not error:
                    raise
