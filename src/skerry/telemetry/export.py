"""Takes spans away and has them sent: in a thread, in batches, and never at the app's expense.

Back ends that are slow or away cost nothing but spans: they wait in a buffer that has an end,
and what does not fit, or could not be sent, is counted.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from .destination import ExportSettings, settings_from
from .metrics import Metrics
from .sender import Apart, Sender
from .spans import IDS, Span, Tracer, join


class Recording(Protocol):
    """Spans are recorded between the two."""

    def start(self) -> None: ...
    def stop(self, patience: float = 2.0) -> None: ...


class Exporter:
    """Takes the spans of one registry's tracer away, from ``start`` to ``stop``.

    What was sent and what was lost is counted in the same registry; with several back ends, once
    for each.
    """

    def __init__(
        self,
        metrics: Metrics,
        settings: ExportSettings,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tracer = metrics.tracer
        self._tracer.room = settings.room
        self._sent = metrics.counter("skerry_spans_sent", "Spans that were sent to a collector.")
        lost = "Spans that were not sent to a collector."
        self._lost = metrics.counter("skerry_spans_lost", lost, reason="not taken")
        self._full = metrics.counter("skerry_spans_lost", lost, reason="no room")
        self._settings = settings
        self._bound = int(settings.share * IDS)
        self._wake = threading.Event()
        self._stopping = False
        self._counting = threading.Lock()
        self._apart: list[Apart] = []
        self._senders = [
            Sender(one, settings.resource, self._count, sleep) for one in settings.destinations
        ]
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)

    def start(self) -> None:
        self._tracer.below = max(1, self._bound) if self._bound < IDS else 0
        self._tracer.on = True
        join()
        if len(self._senders) > 1:
            self._apart = [Apart(one, self._count, self._settings.room) for one in self._senders]
        self._thread.start()

    def stop(self, patience: float = 2.0) -> None:
        """Send what there is, if that takes no longer than so many seconds. Blocks."""
        until = time.monotonic() + patience
        self._tracer.on = False
        self._stopping = True
        for sender in self._senders:
            sender.last = True
        self._wake.set()
        self._thread.join(patience)
        for one in self._apart:
            one.stop(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._settings.every)
            while spans := self._tracer.take(self._settings.batch):
                self._deliver(spans)
            self._full.add(self._tracer.missed())
        while spans := self._tracer.take(self._settings.batch):
            if not self._deliver(spans):
                return

    def _deliver(self, spans: list[Span]) -> bool:
        if self._bound < IDS:
            spans = [span for span in spans if span.trace_id % IDS < self._bound]
            if not spans:
                return True
        if not self._apart:
            return self._senders[0].deliver(spans)
        for one in self._apart:
            one.deliver(spans)
        return True

    def _count(self, taken: bool, count: int) -> None:
        with self._counting:  # several threads, with several back ends
            (self._sent if taken else self._lost).add(count)


class Left:
    """Spans that are left to a provider of OpenTelemetry's that somebody has set up."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def start(self) -> None:
        self._tracer.on = True
        join()

    def stop(self, patience: float = 2.0) -> None:
        self._tracer.on = False


def recording_from(
    environment: Mapping[str, str], metrics: Metrics, service: str, version: str = ""
) -> Recording | None:
    """What becomes of spans here; None where nobody wants them.

    A provider that has been set up is left to send them; otherwise the environment says where.
    """
    otel = sys.modules.get("opentelemetry.trace")  # looked up, and never imported
    if hasattr(otel, "use_span") and environment.get("OTEL_SDK_DISABLED", "").lower() != "true":
        from .otel import is_set_up

        if is_set_up():
            return Left(metrics.tracer)
    return exporter_from(environment, metrics, service, version)


def exporter_from(
    environment: Mapping[str, str], metrics: Metrics, service: str, version: str = ""
) -> Exporter | None:
    """The exporter that the environment asks for; None if it asks for none."""
    settings = settings_from(environment, service, version)
    return None if settings is None else Exporter(metrics, settings)
