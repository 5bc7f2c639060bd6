"""Lists of traces for the console and the CLI: each in one line, made where the traces are.

Zipkin's query answers whole traces, newest first. People want to see the slowest as well, as
many as fit a page of them, and what a trace has to do with others.
"""

from __future__ import annotations

import time
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from msgspec import Struct
from msgspec.structs import replace

from skerry.app.declare import Routes
from skerry.core.errors import BadRequest, NotFound, Overloaded
from skerry.observe import ids
from skerry.observe.digest import Digest, digest
from skerry.observe.model import Span, Trace
from skerry.observe.query import Query, terms
from skerry.observe.store import Store

from .collector import Collector

Order = Literal["newest", "slowest"]

_DAY = 86_400.0
_WEEK_MS = 7 * 86_400_000
_LONGEST = 1 << 32  # microseconds: what the index tells apart
_CLOSER = 10  # times that a threshold is moved to have not too many above it
_LINKED = 100  # traces on either side of one
_TICK = "process skerry.tick."  # what the spans of schedules are named, see bus.schedule


class Found(Struct):
    """Traces that match.

    Attributes:
        since, until: seconds since 1970, between which they were looked for.
        more: whether there are others.
    """

    since: float
    until: float
    order: Order
    traces: list[Digest]
    more: bool


class Linked(Struct):
    """A span of another trace, which a link leads to or comes from.

    Attributes:
        span: in the trace that was asked for; ``other`` at the other end.
        trace: what the other trace is; null where it is not kept.
    """

    span: str
    trace_id: str
    other: str
    app: str
    name: str
    trace: Digest | None


class Neighbours(Struct):
    """What a trace has to do with others.

    Attributes:
        before: where it links to: who published what it handles.
        after: what links to it: what was handled because of it.
    """

    before: list[Linked]
    after: list[Linked]


finding = Routes("/api/skerry", tags=["skerry"])


@finding.get("/traces", raises=[BadRequest, Overloaded], timeout=11.0)
def get_digests(
    collector: Collector,
    app: str = "",
    name: str = "",
    errors: bool = False,
    where: str = "",
    slower: Annotated[float, Ge(0), Le(1e8)] = 0,
    faster: Annotated[float, Ge(0), Le(1e8)] = 0,
    since: float | None = None,
    until: float | None = None,
    lookback: Annotated[float, Gt(0), Le(1e8)] = _DAY,
    schedules: bool = True,
    order: Order = "newest",
    limit: Annotated[int, Ge(1), Le(1000)] = 20,
) -> Found:
    """Traces in one line each.

    Args:
        app: that took part; what else is asked for is asked of its spans then.
        name: of a span.
        errors: only those in which something failed.
        where: attributes of spans, ``http.route=/pay and error``, as Zipkin has it.
        slower, faster: seconds that the longest of these spans takes at least, and at most.
        since, until: seconds since 1970 between which they began; ``until`` is now, if absent.
        lookback: seconds between the two where ``since`` is absent.
        schedules: also what runs by the clock: its ticks are most of an idle fleet's traces.
        order: the slowest are those with the longest span.
    """
    end = time.time() if until is None else until
    begin = max(0.0, end - lookback) if since is None else since
    if not 0 <= begin <= end < 1e11:
        raise BadRequest(detail="since and until are seconds since 1970, and since is not later.")
    asked = Query(
        end_ts=int(end * 1000),
        lookback=max(1, int((end - begin) * 1000)),
        limit=limit + 1,
        service=app.lower() or None,
        span_name=name.lower() or None,
        terms={**terms(where), **({"error": ""} if errors else {})},
        min_duration=max(1, int(slower * 1e6)) if slower or faster else None,
    )
    search = _Search(asked, int(faster * 1e6), schedules)
    look = search.newest if order == "newest" else search.slowest
    found = collector.read(look)
    return Found(begin, end, order, found[:limit], len(found) > limit)


class _Search:
    """One question for traces.

    Args:
        most: microseconds that the longest span takes; 0 is any.
        schedules: whether traces that a schedule began are meant as well.
    """

    def __init__(self, asked: Query, most: int, schedules: bool) -> None:
        self._asked = asked
        self._most = most
        self._schedules = schedules
        self._known: dict[str, Digest] = {}

    def newest(self, store: Store) -> list[Digest]:
        return store.each(self._asked, self._digest)

    def slowest(self, store: Store) -> list[Digest]:
        """Those with the longest spans: of all above a threshold that is low enough.

        The index can tell what is longer than something, but not what is longest.
        """
        least = self._asked.min_duration or 1
        enough, many = self._asked.limit, 4 * self._asked.limit
        above, threshold = _LONGEST, _LONGEST
        found: list[Digest] = []
        sure: list[Digest] = []
        while len(found) < enough and threshold > least:
            above, threshold, sure = threshold, max(least, threshold // 8), found
            found = self._above(store, threshold, many)
        for _ in range(_CLOSER):
            if len(found) < many:
                break
            middle = int((above * threshold) ** 0.5)
            closer = self._above(store, middle, many)
            if len(closer) < enough:
                above, sure = middle, closer
            else:
                threshold, found = middle, closer
        every = {one.trace_id: one for one in (*found, *sure)}
        return sorted(every.values(), key=lambda one: one.seconds, reverse=True)[:enough]

    def _above(self, store: Store, least: int, limit: int) -> list[Digest]:
        return store.each(replace(self._asked, min_duration=least, limit=limit), self._digest)

    def _digest(self, trace: Trace) -> Digest | None:
        if self._most and self._longest(trace) > self._most:
            return None
        id = trace[0].trace_id
        found = self._known.get(id)
        if found is None:
            found = self._known[id] = digest(trace)
        return found if self._schedules or not found.name.startswith(_TICK) else None

    def _longest(self, trace: Trace) -> int:
        app = self._asked.service
        return max((span.duration for span in trace if app in (None, span.service)), default=0)


@finding.get("/traces/{trace_id}/links", raises=[BadRequest, NotFound, Overloaded], timeout=11.0)
def get_links(collector: Collector, trace_id: str) -> Neighbours:
    """The traces that a trace links to, and those that link to it."""
    try:
        id = ids.trace_id(trace_id)
    except ids.Malformed as error:
        raise BadRequest(detail=str(error)) from None

    def look(store: Store) -> Neighbours:
        trace = store.trace(id)
        if not trace:
            raise NotFound(detail=f"No trace {id} is kept.")
        return Neighbours(_before(store, trace), _after(store, trace))

    return collector.read(look)


def _before(store: Store, trace: Trace) -> list[Linked]:
    links = [(span, link) for span in trace if span.more for link in span.more.links]
    found: list[Linked] = []
    for id in list(dict.fromkeys(link.trace_id for _, link in links))[:_LINKED]:
        other = store.trace(id)
        told = digest(other) if other else None
        spans = {span.id: span for span in other}
        for here, link in links:
            if link.trace_id == id:
                there = spans.get(link.span_id, Span(id, id=link.span_id))
                found.append(_linked(here.id, there, told))
    return found


def _after(store: Store, trace: Trace) -> list[Linked]:
    id = trace[0].trace_id
    begin = min((span.timestamp for span in trace if span.timestamp), default=0) // 1000
    asked = Query(begin + _WEEK_MS, _WEEK_MS, _LINKED, links_to=id)

    def made(other: Trace) -> list[Linked]:
        told = digest(other)
        return [
            _linked(link.span_id, span, told)
            for span in other
            for link in (span.more.links if span.more else ())
            if link.trace_id == id
        ]

    return [one for several in reversed(store.each(asked, made)) for one in several]


def _linked(here: str, there: Span, told: Digest | None) -> Linked:
    return Linked(here, there.trace_id, there.id, there.service or "", there.name or "", told)
