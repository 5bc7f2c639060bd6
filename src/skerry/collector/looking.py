"""What the console and the CLI ask for beyond Zipkin: totals, and traces with all that is known."""

from __future__ import annotations

import time

from msgspec import Struct

from skerry.app.declare import Routes
from skerry.core.errors import BadRequest, NotFound, Overloaded
from skerry.observe import ids
from skerry.observe.model import Span
from skerry.observe.totals import Edge, Operation

from .collector import Collector

_HOUR = 3600.0


class StoreStatus(Struct):
    """How the span store is doing.

    Attributes:
        spans: that are kept.
        bytes, limit: of spans and their index in the file, and how many there may be.
        age: seconds that spans are kept.
        waiting: bytes of requests that wait to be read.
        dropped: spans that came and are not kept, since the start.
        expired: spans that had to go because of size or age, since the start.
        trouble: why spans cannot be written; null while they can.
    """

    path: str
    spans: int
    bytes: int
    limit: int
    age: float
    waiting: int
    dropped: int
    expired: int
    trouble: str | None


looking = Routes("/api/skerry", tags=["skerry"])


@looking.get("/operations", raises=[BadRequest, Overloaded])
def get_operations(
    collector: Collector, since: float | None = None, until: float | None = None
) -> list[Operation]:
    """What each service did: count, errors and durations of each kind of request and event.

    Args:
        since: seconds since 1970, to the minute; an hour before ``until``, if absent.
        until: now, if absent.
    """
    begin, end = _between(since, until)
    return collector.read_totals(lambda store: store.operations(begin, end))


@looking.get("/edges", raises=[BadRequest, Overloaded])
def get_edges(
    collector: Collector, since: float | None = None, until: float | None = None
) -> list[Edge]:
    """Who called whom, and who published to whom: count, errors and durations.

    Args:
        since: seconds since 1970, to the minute; an hour before ``until``, if absent.
        until: now, if absent.
    """
    begin, end = _between(since, until)
    return collector.read_totals(lambda store: store.edges(begin, end))


@looking.get("/traces/{trace_id}", raises=[BadRequest, NotFound, Overloaded])
def get_full_trace(collector: Collector, trace_id: str) -> list[Span]:
    """One trace with all that is known of its spans, ``more`` than Zipkin has a place for."""
    try:
        id = ids.trace_id(trace_id)
    except ids.Malformed as error:
        raise BadRequest(detail=str(error)) from None
    trace = collector.read(lambda store: store.trace(id))
    if not trace:
        raise NotFound(detail=f"No trace {id} is kept.")
    return trace


@looking.get("/store")
def get_store(collector: Collector) -> StoreStatus:
    """How the span store is doing."""
    keeper, store = collector.keeper, collector.store
    return StoreStatus(
        path=str(store.path),
        spans=store.spans,
        bytes=store.size,
        limit=store.settings.size,
        age=store.settings.age,
        waiting=keeper.waiting,
        dropped=store.counts.dropped,
        expired=store.counts.expired,
        trouble=keeper.trouble,
    )


def _between(since: float | None, until: float | None) -> tuple[float, float]:
    end = time.time() if until is None else until
    begin = end - _HOUR if since is None else since
    if not 0 <= begin <= end < _FAR:
        raise BadRequest(detail="since and until are seconds since 1970, and since is not later.")
    return begin, end


_FAR = 1e11
