"""What a span costs: recorded by us and by OpenTelemetry's SDK, and in an app that serves.

A span of ours is what a filter does for one: begun below another, current meanwhile, ended, in the
buffer. The SDK does the same through its own API, with the processor that its docs advise for
production, and an exporter that throws all away, so that recording alone is compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from skerry.core.clock import system
from skerry.core.context import Context, Trace, attach, detach
from skerry.telemetry.spans import Tracer

from . import machine
from .rows import Report
from .serve import measure

_SPANS = 20_000


def run(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    ours, theirs = _ours(), None
    try:
        theirs = _otel()
    except ImportError as error:
        report.leave_out("span.vs_otel", error)
    own: list[float] = []
    other: list[float] = []
    for number in range(rounds + 1):  # the first warms up
        figures = [ours()] + ([theirs()] if theirs is not None else [])
        say(f"round {number}/{rounds}  " + "  ".join(f"{figure:.2f} µs" for figure in figures))
        if number:
            own.append(figures[0])
            other += figures[1:]
    report.add("span.us", own, "µs", "<= 2.5")
    if other:
        report.add("span.otel_us", other, "µs")
        report.ratio("span.vs_otel", other, own, ">= 6")
    _serving(report, rounds, seconds, say)


def _ours() -> Callable[[], float]:
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


def _otel() -> Callable[[], float]:
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


def _serving(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    """The same app with its spans sent to a collector, and without."""
    server_core, load_core = machine.cores()
    path = machine.WORK / "span-collector"
    settings = {"SKERRY_COLLECTOR_PATH": str(path / "spans.db"), "OTEL_SDK_DISABLED": "true"}
    path.mkdir(exist_ok=True)
    samples: dict[str, list[float]] = {}
    with machine.serving(
        "skerry.collector.app:app", "skerry", core=load_core, env=settings
    ) as collector:
        sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector}"}
        target = "bench.servers.ours:app"
        with (
            machine.serving(target, "skerry", core=server_core, env=sent) as on,
            machine.serving(target, "skerry", core=server_core) as off,
        ):
            ports = {"on": on, "off": off}
            measure(ports, "/quotes", samples, rounds, seconds, load_core, say)
    report.ratio("observe.serve_on_vs_off", samples["on"], samples["off"], ">= 0.83")
