"""``python -m bench.span_loops LOOP``: prints the µs that a span takes in one of ``_LOOPS``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib import import_module

from skerry.core.clock import system
from skerry.core.context import Context, Trace, attach, detach
from skerry.telemetry.spans import Tracer

_SPANS = 20_000
_WARM = 2  # rounds


def ours() -> Callable[[], float]:
    tracer = Tracer(room=2 * _SPANS)
    tracer.on = True
    fixed = {"http.request.method": "POST", "http.route": "/quotes"}

    def once() -> float:
        token = attach(Context(Trace(7, 9)))
        now, began = system.now, time.process_time()
        for _ in range(_SPANS):
            span, before = tracer.begin("POST /quotes", "server", fixed, now())
            span.path = "/quotes"
            span.status = 201
            tracer.end(span, before, now())
        spent = time.process_time() - began
        detach(token)
        assert len(tracer.take(2 * _SPANS)) == _SPANS
        return spent / _SPANS * 1e6

    return once


def sdk() -> Callable[[], float]:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        SpanExporter,
        SpanExportResult,
    )
    from opentelemetry.trace import SpanKind

    class Nowhere(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere(), max_queue_size=2 * _SPANS))
    tracer = provider.get_tracer("bench")

    def once() -> float:
        with tracer.start_as_current_span("root"):
            began = time.process_time()
            for _ in range(_SPANS):
                attributes = {"http.request.method": "POST", "http.route": "/quotes"}
                with tracer.start_as_current_span(
                    "POST /quotes", kind=SpanKind.SERVER, attributes=attributes
                ) as span:
                    span.set_attribute("url.path", "/quotes")
                    span.set_attribute("http.response.status_code", 201)
            spent = time.process_time() - began
        return spent / _SPANS * 1e6

    return once


def ours_beside_api() -> Callable[[], float]:
    """As where somebody's instrumentation has imported OpenTelemetry's API."""
    import_module("opentelemetry.trace")
    return ours()


_LOOPS = {"ours": ours, "ours_beside_api": ours_beside_api, "sdk": sdk}


def main() -> None:
    loop = _LOOPS[sys.argv[1]]()
    for _ in range(_WARM):
        loop()
    print(min(loop() for _ in range(3)))


if __name__ == "__main__":
    main()
