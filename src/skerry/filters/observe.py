"""Counts every call: how many, how long, with what end, and how many are under way; and records
it as a span, where spans go anywhere.

The same filter stands at the outside of a server, at the outside of a client (the logical
call, as its caller saw it) and innermost in a client (each attempt, as the network gave it).
"""

from __future__ import annotations

import asyncio
import re
from functools import partial

from skerry.core.clock import Clock, system
from skerry.core.errors import BreakerOpen, NoInstance, Problem
from skerry.core.service import Service
from skerry.core.wire import Request, Response, Stream
from skerry.telemetry.exceptions import message
from skerry.telemetry.metrics import Kind, Metrics, Series
from skerry.telemetry.outcome import CANCELLED, outcome_of
from skerry.telemetry.spans import Kind as SpanKind
from skerry.telemetry.spans import Span, exemplary, resends


class Observe:
    """A filter that records each call in the series of its route.

    The time of a call ends with its answer; where the answer is a ``Stream``, with its body.
    What the caller cancels is counted apart: it says nothing of who was called.

    Args:
        metrics: where the series are.
        kind: which end, and which part of the way, this is.
        app: whose calls these are.
        peer: the app on the other side.
        route: the only route that comes by here; None for each request's own.
        operation: method and path of what is served, ``POST /payments``; empty if it is not known.
    """

    def __init__(
        self,
        metrics: Metrics,
        kind: Kind,
        app: str,
        peer: str = "",
        route: str | None = None,
        operation: str = "",
        clock: Clock = system,
    ) -> None:
        self._metrics = metrics
        self._tracer = metrics.tracer
        self._kind = _KINDS[kind]
        self._operation = operation
        self._fixed = _fixed(kind, peer, route or "", operation)
        self._names: tuple[Kind, str, str] = (kind, app, peer)
        self._now = clock.now
        self._by_route: dict[str, Series] = {}
        self._only = None if route is None else metrics.series(kind, app, route, peer)

    async def __call__(self, request: Request, service: Service[Request, Response], /) -> Response:
        series = self._only or self._by_route.get(request.route) or self._look_up(request.route)
        if self._tracer.on:
            return await self._recorded(request, service, series)
        started = self._now()
        series.in_flight += 1
        try:
            response = await service(request)
        except BaseException as error:
            self._end(series, started, 0, error)
            raise
        if response.body.__class__ is not bytes and isinstance(response.body, Stream):
            response.body.on_end(partial(self._end, series, started, response.status // 100))
            return response
        series.in_flight -= 1
        series.histograms[response.status // 100].record(self._now() - started)
        return response

    async def _recorded(
        self, request: Request, service: Service[Request, Response], series: Series
    ) -> Response:
        """The same, with a span."""
        started = self._now()
        name = self._operation or self._name(request)
        span, token = self._tracer.begin(name, self._kind, self._fixed, started)
        span.path = request.path
        if self._kind == "client" and (before := resends.get()):
            span.set("http.request.resend_count", before)
        series.in_flight += 1
        try:
            response = await service(request)
        except BaseException as error:
            self._end(series, started, 0, error, exemplary(span))
            self._blame(span, error)
            self._tracer.end(span, token, self._now())
            raise
        span.status = status = response.status
        if status >= 400:
            self._refused(span, request, response)
        if response.body.__class__ is not bytes and isinstance(response.body, Stream):
            self._tracer.leave(token)  # the caller goes on; the span does when the body has ended
            seen = exemplary(span)
            response.body.on_end(partial(self._end, series, started, status // 100, span=seen))
            response.body.on_end(partial(self._end_span, span))
            return response
        series.in_flight -= 1
        ended = self._now()
        seen = exemplary(span) if self._tracer.below or span.twin is not None else span
        series.histograms[status // 100].record(ended - started, seen)
        self._tracer.end(span, token, ended)
        return response

    def _name(self, request: Request) -> str:
        if self._kind == "internal":
            return f"{self._names[2]}.{request.route or request.method}"
        return f"{request.method} {request.route}" if request.route else request.method

    def _end_span(self, span: Span, error: BaseException | None) -> None:
        if error is not None:
            self._blame(span, error)
        self._tracer.end(span, None, self._now())

    def _blame(self, span: Span, error: BaseException) -> None:
        """Tell how a call ended that was not answered."""
        if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            span.error, span.failed = "cancelled", self._kind == "client"
            return
        span.error = type(error).__qualname__
        span.failed = not isinstance(error, Problem) or error.status >= 500
        if isinstance(error, Problem):
            span.status = error.status
        else:
            said = {"exception.type": span.error, "exception.message": message(error)}
            span.note("exception", said)
            if isinstance(error, NoInstance | BreakerOpen) and error.app:
                span.set("skerry.unanswered", error.app)  # there is no attempt that would say it

    def _refused(self, span: Span, request: Request, response: Response) -> None:
        """Tell of an answer that is no success: by what kind of problem it is, where it says so.

        On the side of whoever asks, that is an error; of whoever answers, only what begins with 5.
        """
        span.failed = response.status >= 500 or self._kind == "client"
        if not span.error:
            kind = problem_in(response) if self._kind == "server" else ""
            span.error = kind or str(response.status)

    def _look_up(self, route: str) -> Series:
        kind, app, peer = self._names
        series = self._metrics.series(kind, app, route, peer)
        if series.route == route:  # not the one that holds what is too much
            self._by_route[route] = series
        return series

    def _end(
        self,
        series: Series,
        started: float,
        outcome: int,
        error: BaseException | None,
        span: Span | None = None,
    ) -> None:
        series.in_flight -= 1
        if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            outcome = CANCELLED
        elif error is not None:
            outcome = self._failed(error)
        series.record(self._now() - started, outcome, span)

    def _failed(self, error: BaseException) -> int:
        kind, app, peer = self._names
        if not isinstance(error, Problem):
            self._metrics.counter(
                "skerry_exceptions",
                "Calls that ended with an exception instead of an answer.",
                kind=kind,
                app=app,
                peer=peer,
                exception=type(error).__name__,
            ).add()
        return outcome_of(error)

    def __repr__(self) -> str:
        kind, app, peer = self._names
        return f"Observe({kind}, app={app!r}" + (f", peer={peer!r})" if peer else ")")


_KINDS: dict[Kind, SpanKind] = {
    "server": "server",
    "client": "internal",  # the logical call; what crosses the network is its attempts
    "attempt": "client",
    "consumer": "consumer",
    "journey": "internal",
}


def _fixed(kind: Kind, peer: str, route: str, operation: str) -> dict[str, str]:
    """What all spans say that are recorded here, by OpenTelemetry's conventions."""
    if kind == "server":
        method, _, path = operation.partition(" ")
        found = {"http.request.method": method, "http.route": path, "skerry.operation": route}
        return {name: value for name, value in found.items() if value}
    return {"peer.service": peer, "server.address": peer} if kind == "attempt" else {}


_TYPE = re.compile(rb'"type":"([^"\\]{1,200})"')


def problem_in(response: Response) -> str:
    """The type of the problem that an answer tells of; empty for none, or one without a name."""
    body = response.body
    media_type = response.headers.get("content-type") or ""
    if not isinstance(body, bytes) or not media_type.startswith("application/problem+json"):
        return ""
    found = _TYPE.search(body[:1000])
    name = found[1].decode("utf-8", "replace") if found else ""
    return "" if name == "about:blank" else name
