"""Exceptions of an app that records no spans, told below the span that the edge records for it.

The edge sees that a Flask app has answered 500, and not why. The process does: frameworks raise
what they could not handle, or log it, and then answer. So where a request has failed, what was
raised or logged last while it was under way is told by a span of its own, with stack and variables.
Nothing is done, and no thread runs, until something fails.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from skerry.core.context import Context, attach, detach
from skerry.telemetry.export import Recording, exporter_from
from skerry.telemetry.logrecords import heard
from skerry.telemetry.metrics import Metrics

from .paths import route_of


class Asked:
    """One request that came with a trace, which is current until it is over.

    Attributes:
        error: the last exception that was seen meanwhile.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.error: BaseException | None = None
        self._marks = attach(context), heard.set(self._hear)

    def _hear(self, error: BaseException) -> None:
        self.error = error

    def over(self) -> None:
        context, hearing = self._marks
        heard.reset(hearing)
        detach(context)


class Raised:
    """Where one app's exceptions are told.

    Args:
        app: its name in the fleet.
        environment: says where spans go.
    """

    def __init__(self, app: str, environment: Mapping[str, str]) -> None:
        self._app = app
        self._environment = dict(environment)
        self._metrics = Metrics()
        self._recording: Recording | None = None
        self._begun = False

    def tell(self, asked: Asked, method: str, path: str, began: float, ended: float) -> None:
        """What was seen last in a request that failed, between two moments of ``Clock.now``."""
        if "opentelemetry.sdk.trace" in sys.modules:
            return  # the app records spans itself, and its exceptions with them
        if not self._begun:
            self._begun = True
            self._recording = exporter_from(self._environment, self._metrics, self._app)
            if self._recording is not None:
                self._recording.start()
        if self._recording is None or asked.error is None:
            return
        tracer, name = self._metrics.tracer, f"{method} {route_of(path)}"
        span, _ = tracer.start(name, "internal", {}, began, asked.context.trace)
        span.fail(asked.error)
        tracer.end(span, None, ended)

    def stop(self) -> None:
        """Send what there is. Blocks for a moment."""
        if self._recording is not None:
            self._recording.stop()
