"""What an app does with its database, as spans: each read and each transaction, below the request
that it is for. What is done for no request, such as the relay's looking, leaves none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from skerry.core.clock import system
from skerry.telemetry.spans import here


@contextmanager
def recorded(
    verb: str, work: Callable[..., Any], described: Mapping[str, str]
) -> Iterator[Callable[[], None]]:
    """A span for the length of the block, where somebody takes it.

    Yields what is to be called when the work begins, which may have to wait for its turn. Whoever
    asked tells what went wrong, with the stack: it is no failure of this span's own.
    """
    above = here()
    tracer = None if above is None else above.tracer
    if tracer is None or not tracer.on:
        yield _nothing
        return
    span, mark = tracer.begin(_name(verb, work), "client", described, system.now())
    try:
        yield lambda: span.note("begins")
    except BaseException as error:
        span.error = type(error).__qualname__
        raise
    finally:
        tracer.end(span, mark, system.now())


def describe(url: URL) -> dict[str, str]:
    """A database in OpenTelemetry's words, without its password.

    A server is somebody else's, ``peer.service``, and so is on the map; a file is not.
    """
    backend = url.get_backend_name()
    system_name = "postgresql" if backend.startswith("postgres") else backend
    found = {"db.system.name": system_name}
    if url.database:
        found["db.namespace"] = url.database if url.host else Path(url.database).stem
    if url.host:
        found |= {"peer.service": system_name, "server.address": url.host}
    if url.port:
        found["server.port"] = str(url.port)
    return found


def _name(verb: str, work: Callable[..., Any]) -> str:
    name = getattr(work, "__name__", "")
    return f"{verb} {name}" if name.isidentifier() else verb


def _nothing() -> None:
    pass
