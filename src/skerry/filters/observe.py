"""Counts every call: how many, how long, with what end, and how many are under way.

The same filter stands at the outside of a server, at the outside of a client (the logical
call, as its caller saw it) and innermost in a client (each attempt, as the network gave it).
"""

from __future__ import annotations

import asyncio
from functools import partial

from skerry.core.clock import Clock, system
from skerry.core.errors import Problem
from skerry.core.service import Service
from skerry.core.wire import Request, Response, Stream
from skerry.telemetry.metrics import Kind, Metrics, Series
from skerry.telemetry.outcome import CANCELLED, outcome_of


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
    """

    def __init__(
        self,
        metrics: Metrics,
        kind: Kind,
        app: str,
        peer: str = "",
        route: str | None = None,
        clock: Clock = system,
    ) -> None:
        self._metrics = metrics
        self._names: tuple[Kind, str, str] = (kind, app, peer)
        self._now = clock.now
        self._by_route: dict[str, Series] = {}
        self._only = None if route is None else metrics.series(kind, app, route, peer)

    async def __call__(self, request: Request, service: Service[Request, Response], /) -> Response:
        series = self._only or self._by_route.get(request.route) or self._look_up(request.route)
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

    def _look_up(self, route: str) -> Series:
        kind, app, peer = self._names
        series = self._metrics.series(kind, app, route, peer)
        if series.route == route:  # not the one that holds what is too much
            self._by_route[route] = series
        return series

    def _end(
        self, series: Series, started: float, outcome: int, error: BaseException | None
    ) -> None:
        series.in_flight -= 1
        if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            outcome = CANCELLED
        elif error is not None:
            outcome = self._failed(error)
        series.record(self._now() - started, outcome)

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
