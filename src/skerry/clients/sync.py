"""Clients for code that does not await: the same methods, blocking.

There is one implementation, the asynchronous one. All blocking calls of a process run it on one
event loop in one thread, started at the first call: clients keep their connections on it, and a
call from any thread costs two hand-overs. The rules:

- *Inside a running event loop it raises.* Blocking there would stop everything else.
- *The context is copied*: deadline, trace and baggage of the calling thread hold for the call.
- *A fork gets its own.* Threads do not survive a fork; the child starts a new loop at its first
  call. Connections of the parent are left to it.
- *Ctrl-C cancels the call* that the main thread is waiting for.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from functools import update_wrapper
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from .items import Items
from .runtime import Client

P = ParamSpec("P")
T = TypeVar("T")


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, name="skerry-sync", daemon=True).start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


_lock = threading.Lock()
_running: _Loop | None = None


def _shared() -> asyncio.AbstractEventLoop:
    global _running
    with _lock:
        if _running is None:
            _running = _Loop()
        return _running.loop


def _after_fork() -> None:
    """The child has neither the thread nor, perhaps, a lock that anybody will release."""
    global _running, _lock
    _running = None
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, waited for by this thread.

    Raises:
        RuntimeError: this thread runs an event loop: ``await`` the asynchronous client there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        coroutine.close()
        raise RuntimeError(
            "a blocking call inside a running event loop would stop the loop; "
            "await the asynchronous client here"
        )
    context = contextvars.copy_context()
    future = context.run(asyncio.run_coroutine_threadsafe, coroutine, _shared())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


class SyncClient(Generic[T]):
    """The base of the blocking face of a client, which it holds as ``_client``."""

    def __init__(self, client: T) -> None:
        self._client = client

    def close(self) -> None:
        """Close the connections that ``connect`` opened."""
        if isinstance(self._client, Client):
            run(self._client.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{self._client!r}.sync"


class blocking(Generic[P, T]):
    """An asynchronous method as a blocking one, with the same arguments::

    class SchoolsSync(SyncClient[Schools]):
        get_school = blocking(Schools.get_school)
    """

    def __init__(self, method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: SyncClient[Any], owner: type[Any]) -> Callable[P, T]:
        if instance is None:  # looked at on the class, by help() or a test
            return self._method
        method, client = self._method, instance._client

        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return run(method(client, *args, **kwargs))

        return update_wrapper(call, method)


class blocking_items(Generic[P, T]):
    """The same for a method that answers with ``Items``: they come by a plain ``for``."""

    def __init__(
        self, method: Callable[Concatenate[Any, P], Coroutine[Any, Any, Items[T]]]
    ) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: SyncClient[Any], owner: type[Any]) -> Callable[P, SyncItems[T]]:
        if instance is None:
            return self._method
        method, client = self._method, instance._client

        def call(*args: P.args, **kwargs: P.kwargs) -> SyncItems[T]:
            return SyncItems(run(method(client, *args, **kwargs)))

        return update_wrapper(call, method)


class SyncItems(Generic[T]):
    """``Items``, one at a time to a thread that waits for them."""

    def __init__(self, items: Items[T]) -> None:
        self._items = items

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            return run(self._items.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        run(self._items.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
