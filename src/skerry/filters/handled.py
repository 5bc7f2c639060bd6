"""Counts every attempt of a handler: how many, how long, with what end, and how many are on; and
records it as a span, where spans go anywhere.

The span is in a trace of its own, linked to the one in which the event was published: an event may
be handled long after, and many times.
"""

from __future__ import annotations

import asyncio

from skerry.bus.attempt import Attempt, Paused
from skerry.bus.driver import LeaseLost
from skerry.core.clock import Clock, system
from skerry.core.service import Service
from skerry.telemetry.metrics import Metrics
from skerry.telemetry.outcome import CANCELLED, outcome_of
from skerry.telemetry.spans import Link, Mark, Span, exemplary

_HANDLED = 2  # 2xx: what an answer without an error is counted as


class ObserveHandler:
    """A filter that records attempts in the series of their handler.

    An attempt that was not made, because its handler is paused or its lease is lost, is counted
    like a call that its caller cancelled: it says nothing of the handler.
    """

    def __init__(self, metrics: Metrics, app: str, handler: str, clock: Clock = system) -> None:
        self._series = metrics.series("consumer", app, handler)
        self._names = app, handler
        self._now = clock.now
        self._tracer = metrics.tracer
        self._fixed = {
            "messaging.system": "skerry",
            "messaging.operation.type": "process",
            "messaging.consumer.group.name": f"{app}.{handler}",
        }

    async def __call__(self, attempt: Attempt, service: Service[Attempt, None], /) -> None:
        series = self._series
        started = self._now()
        span, token = self._begin(attempt, started) if self._tracer.on else (None, None)
        series.in_flight += 1
        outcome = _HANDLED
        try:
            await service(attempt)
        except (asyncio.CancelledError, Paused, LeaseLost):
            outcome = CANCELLED
            raise
        except BaseException as error:
            outcome = outcome_of(error)
            if span is not None:
                span.fail(error)
            raise
        finally:
            series.in_flight -= 1
            ended = self._now()
            series.record(ended - started, outcome, exemplary(span))
            if span is not None:
                if outcome == CANCELLED:
                    span.error = "not attempted"
                self._tracer.end(span, token, ended)

    def _begin(self, attempt: Attempt, started: float) -> tuple[Span, Mark]:
        message = attempt.message
        name = f"process {message.topic}"
        span, token = self._tracer.begin(name, "consumer", self._fixed, started)
        span.set("messaging.destination.name", message.topic)
        span.set("messaging.message.id", message.id)
        if attempt.number > 1:
            span.set("skerry.attempt", attempt.number)
        link = message.link
        if link is not None:
            span.links = (Link(link),)
        return span, token

    def __repr__(self) -> str:
        app, handler = self._names
        return f"Observe(consumer, app={app!r}, handler={handler!r})"
