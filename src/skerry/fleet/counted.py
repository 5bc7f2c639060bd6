"""Counts for an ASGI app that does not count: what ``skerry ps`` says of a FastAPI app; and a trace
for what it logs and raises: that of whoever asks it, which the edge records where the app does not.
"""

from __future__ import annotations

import os

from skerry.app.asgi import ASGIApp, Message, Receive, Scope, Send
from skerry.core.clock import Clock, system
from skerry.core.context import extract
from skerry.core.wire import Headers
from skerry.telemetry.metrics import Metrics
from skerry.telemetry.outcome import CANCELLED, ERROR

from .probe import AGENT
from .raised import Asked, Raised

_PROBE = (b"user-agent", AGENT.encode())


class Counted:
    """The app, its requests counted as an app's own server stack would, in their traces.

    Args:
        app: any ASGI app.
        name: of the app in the fleet.
    """

    def __init__(self, app: ASGIApp, name: str, clock: Clock = system) -> None:
        self.metrics = Metrics()
        self._app = app
        self._series = self.metrics.series("server", name, "asgi")
        self._now = clock.now
        self._raised = Raised(name, os.environ)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _PROBE in scope["headers"]:
            await self._app(scope, receive, send)
            return
        began, outcome = self._now(), CANCELLED

        async def sent(message: Message) -> None:
            nonlocal outcome
            if message["type"] == "http.response.start":
                outcome = message["status"] // 100
            await send(message)

        context = extract(Headers(scope["headers"]), began)
        # In a trace that nobody has begun, nobody could look at anything.
        asked = None if context.trace is None or context.trace.fresh else Asked(context)
        self._series.in_flight += 1
        try:
            await self._app(scope, receive, sent)
        except Exception as error:
            outcome = ERROR
            if asked is not None:
                asked.error = error
            raise
        finally:
            self._series.in_flight -= 1
            ended = self._now()
            self._series.record(ended - began, outcome)
            if asked is not None:
                asked.over()
                if asked.error is not None and outcome in (5, ERROR):
                    self._raised.tell(asked, scope["method"], scope["path"], began, ended)

    def stop(self) -> None:
        """No more requests come. Blocks for a moment where something is to be told."""
        self._raised.stop()
