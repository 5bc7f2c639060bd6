"""Writes what travels with a request into its headers: trace, baggage, and the time left."""

from __future__ import annotations

from collections.abc import Awaitable

from skerry.core.clock import Clock, system
from skerry.core.context import current, inject
from skerry.core.service import Service
from skerry.core.wire import TIMEOUT, Headers, Request, Response, format_timeout


class Propagate:
    """Sends each attempt with headers of its own; the caller's request stays as it is.

    The time is what is left when *this* attempt begins, and no more than an attempt may take:
    after that nobody waits for the answer, whatever the deadline of the whole call.

    Args:
        attempt: seconds that an attempt may take; None for no limit but the deadline.
    """

    def __init__(self, attempt: float | None = None, clock: Clock = system) -> None:
        self._attempt = attempt
        self._now = clock.now

    def __call__(
        self, request: Request, service: Service[Request, Response], /
    ) -> Awaitable[Response]:
        context = current()
        raw = list(request.headers.raw)
        left = self._attempt
        if context.deadline is not None:
            rest = context.deadline - self._now()
            left = rest if left is None or rest < left else left
        if left is not None:
            raw.append((TIMEOUT, format_timeout(left)))
        inject(context, raw)
        return service(
            Request(
                request.method,
                request.path,
                request.query,
                Headers(raw),
                request.body,
                request.route,
                request.params,
                request.peer,
            )
        )

    def __repr__(self) -> str:
        return "Propagate()"
