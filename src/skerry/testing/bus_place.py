"""The broker that a test of a bus driver has to itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from skerry.bus.driver import Driver


@dataclass
class Place:
    """A broker for one test. What is None cannot be done to this one; its tests are skipped.

    Attributes:
        make: another driver on it, not opened, as another process would have.
        code: a Python expression for such a driver, with the imports it needs before it, as
            ``("from x import y", "y(...)")``.
        outage: inside this block it cannot be reached.
        restart: stops and starts it; returns when it can be reached.
        cut: breaks every connection to it.
    """

    make: Callable[[], Driver]
    code: tuple[str, str] | None = None
    outage: Callable[[], AbstractAsyncContextManager[None]] | None = None
    restart: Callable[[], Awaitable[None]] | None = None
    cut: Callable[[], Awaitable[None]] | None = None
