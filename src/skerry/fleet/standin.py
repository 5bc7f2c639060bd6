"""Spans of apps that record none: whoever carries their calls records them in their stead.

As the sidecars of a service mesh do. What such an app is asked, and what it asks, goes through the
edge; so who called whom, how often, how fast and with what end is known without a line in the app.
What is not known is which of its requests an app makes a call for, because it hands nothing on.
Where it has just one request under way, it can only be that one, and the call is put below it, with
a mark that says so; where it has several, the call is a trace of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import replace

from skerry.core.context import Context, Trace, current_trace
from skerry.core.service import Service
from skerry.core.stack import Slot, Stack
from skerry.core.wire import Request, Response
from skerry.filters.observe import Observe
from skerry.spec import AppSpec
from skerry.stack.client import ClientSettings
from skerry.telemetry.export import Recording, exporter_from
from skerry.telemetry.metrics import Metrics
from skerry.telemetry.spans import here

from .plan import is_foreign

PLACED = "skerry.placed"
"""Attribute of a call that is where it is because nothing else was under way."""

_NAMED_BY_SOME = re.compile(r"\bopentelemetry-instrument\b|\bddtrace-run\b")
_MOST_OPERATIONS = 300  # of one app; what comes after them is called by its method alone
_placed: ContextVar[bool] = ContextVar("placed", default=False)


def is_silent(app: AppSpec) -> bool:
    """Whether an app can be taken to record no spans of its own."""
    if app.kind == "outside" or not is_foreign(app):
        return False
    if any(name.startswith("OTEL_") for name in app.env):
        return False  # somebody has thought of it
    return not _NAMED_BY_SOME.search(app.command or "")


class StandIns:
    """Those of all silent apps of a fleet.

    Args:
        silent: their names.
    """

    def __init__(self, silent: Iterable[str]) -> None:
        self._silent = frozenset(silent)
        self._made: dict[str, StandIn] = {}

    def of(self, app: str) -> StandIn | None:
        """An app's; None for one that speaks for itself."""
        if app not in self._silent:
            return None
        found = self._made.get(app)
        if found is None:
            found = self._made[app] = StandIn(app)
        return found

    def settings(self, common: ClientSettings) -> dict[str, ClientSettings]:
        """How silent apps are called: with what is recorded in their stead."""
        made = ((app, self.of(app)) for app in self._silent)
        return {app: replace(common, edit_instance=one.insert) for app, one in made if one}

    def stop(self) -> None:
        """Send what there is. Blocks for a moment."""
        for one in self._made.values():
            one.stop()


class StandIn:
    """Records what one app is asked, as a filter right before it, and what it asks.

    Attributes:
        calls: where its own calls are counted, and their spans recorded.
    """

    def __init__(self, app: str) -> None:
        self.app = app
        self.calls = Metrics()
        self._served = Metrics()  # reported nowhere: its callers count these requests already
        self._served.tracer = self.calls.tracer
        self._operations: dict[str, Observe] = {}
        self._under_way: list[Trace] = []
        self._recording: Recording | None = exporter_from(_environment(), self.calls, app)
        if self._recording is not None:
            self._recording.start()

    async def __call__(self, request: Request, service: Service[Request, Response], /) -> Response:
        async def seen(request: Request) -> Response:
            trace = current_trace()
            if trace is None:
                return await service(request)
            self._under_way.append(trace)
            try:
                return await service(request)
            finally:
                self._under_way.remove(trace)

        return await self._observe(request)(request, seen)

    def insert(self, stack: Stack[Request, Response]) -> Stack[Request, Response]:
        """A client's stack for an instance of this app, with what is recorded in its stead."""
        reason = (
            "directly below the attempt, whose other end it is; "
            "above propagate, so that the app is told of its own span"
        )
        return stack.insert(Slot("stand-in", reason, filter=self), after="observe")

    def mark(self, stack: Stack[Request, Response]) -> Stack[Request, Response]:
        """The stack of calls of this app: those that were placed say so."""
        reason = "directly below the count of calls, whose span it marks"
        return stack.insert(Slot("placed", reason, filter=_mark), after="observe")

    def place(self, found: Context) -> Context:
        """Where a call of this app belongs, whose request has brought ``found`` with it."""
        trace = found.trace
        placed = trace is not None and trace.fresh and len(self._under_way) == 1
        _placed.set(placed)
        if not placed:
            return found
        return Context(self._under_way[0], found.deadline, found.criticality, found.baggage)

    def stop(self) -> None:
        if self._recording is not None:
            self._recording.stop()

    def _observe(self, request: Request) -> Observe:
        operation = f"{request.method} {request.route}"
        found = self._operations.get(operation)
        if found is None:
            if len(self._operations) >= _MOST_OPERATIONS:
                operation = request.method
            found = Observe(self._served, "server", self.app, operation=operation)
            self._operations[operation] = found
        return found


async def _mark(request: Request, service: Service[Request, Response], /) -> Response:
    span = here() if _placed.get() else None
    if span is not None:
        span.set(PLACED, "below the only request that was under way")
    return await service(request)


def _environment() -> dict[str, str]:
    """The edge's, saying nothing of the edge itself."""
    kept = {name: value for name, value in os.environ.items() if name != "OTEL_SERVICE_NAME"}
    said = kept.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    others = [pair for pair in said if pair and not pair.startswith("service.instance.id=")]
    return {**kept, "OTEL_RESOURCE_ATTRIBUTES": ",".join([*others, "skerry.recorded.by=edge"])}
