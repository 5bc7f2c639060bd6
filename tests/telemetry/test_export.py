"""Spans on their way to a collector, and what becomes of them when there is none."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from skerry.core.clock import system
from skerry.core.context import Context, Trace, attach
from skerry.observe import otlp_proto
from skerry.observe.limits import Limits
from skerry.observe.model import Span as Kept
from skerry.telemetry.export import Exporter, ExportSettings, exporter_from, settings_from
from skerry.telemetry.metrics import Metrics
from skerry.telemetry.otlp import encode_protobuf
from skerry.telemetry.spans import Link, Span


def span(**fields: Any) -> Span:
    found = Span("POST /x", "server", {"http.route": "/x"}, 7 << 100, 9, 5, 10.0)
    found.ended = 10.5
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def read(body: bytes) -> list[Kept]:
    return otlp_proto.read(body, int(1e15), Limits()).spans


def test_what_is_encoded_is_what_a_collector_reads() -> None:
    failed = span(kind="consumer", status=500, path="/x/ä", error="OSError", failed=True)
    failed.attributes = {"n": 3, "big": -(2**40), "f": 1.5, "yes": True, "many": ["a", "b"]}
    failed.events = [(10.25, "exception", {"exception.message": "no disk" * 50})]
    failed.links = (Link(Trace(1, 2)),)
    resource = {"service.name": "pay", "service.version": "7"}
    first, second = read(encode_protobuf(resource, [failed, span(parent_id=0)], 1e9))
    assert (first.trace_id, first.id, first.parent_id) == (
        f"{7 << 100:032x}",
        f"{9:016x}",
        f"{5:016x}",
    )
    assert (first.name, first.kind, first.service) == ("post /x", "CONSUMER", "pay")
    assert (first.timestamp, first.duration) == (1_000_000_010_000_000, 500_000)
    tags = first.tags
    assert tags["http.route"] == "/x" and tags["url.path"] == "/x/ä"
    assert (tags["n"], tags["big"], tags["f"], tags["yes"]) == ("3", str(-(2**40)), "1.5", "true")
    assert tags["http.response.status_code"] == "500" and tags["error.type"] == "OSError"
    assert first.more is not None and first.more.status == "ERROR"
    assert first.more.message == "no disk" * 50
    assert first.more.events[0].attributes["exception.message"] == "no disk" * 50
    assert first.more.links[0].span_id == f"{2:016x}"
    assert first.more.resource["service.version"] == "7"
    assert second.parent_id is None and "error" not in second.tags


class Collector(ThreadingHTTPServer):
    """Takes spans, or answers as it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[Kept] = []
        self.statuses: list[int] = []
        self.requests = 0
        self.delay = 0.0
        self.headers: dict[str, str] = {}
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.requests += 1
        self.server.headers = dict(self.headers)
        time.sleep(self.server.delay)
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 200:
            self.server.got += read(body)
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    yield server
    server.shutdown()
    server.server_close()


def record(metrics: Metrics, count: int = 1) -> None:
    attach(Context(Trace(7, 9)))
    for _ in range(count):
        made, token = metrics.tracer.begin("GET /", "server", {}, system.now())
        metrics.tracer.end(made, token, system.now())


def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    raise TimeoutError


def exporter(metrics: Metrics, url: str, **settings: Any) -> Exporter:
    made = Exporter(metrics, ExportSettings(url, every=0.02, **settings), lambda _: None)
    made.start()
    return made


def counted(metrics: Metrics) -> dict[str, int]:
    found = {}
    for counter in metrics.snapshot()["counters"]:
        found[counter["labels"].get("reason", counter["name"])] = counter["value"]
    return found


def test_spans_arrive_in_batches(collector: Collector) -> None:
    metrics = Metrics()
    running = exporter(metrics, collector.url, headers={"x-key": "k"}, batch=100)
    record(metrics, 250)
    until(lambda: len(collector.got) == 250)
    assert collector.headers["x-key"] == "k"
    running.stop()
    assert counted(metrics)["skerry_spans_sent"] == 250


def test_what_there_is_at_the_end_is_sent(collector: Collector) -> None:
    metrics = Metrics()
    running = Exporter(metrics, ExportSettings(collector.url, every=60))
    running.start()
    record(metrics, 10)
    running.stop()
    assert len(collector.got) == 10
    record(metrics)  # nobody would take it
    assert not metrics.tracer.on


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_collector_that_is_busy_is_asked_again(collector: Collector, status: int) -> None:
    metrics = Metrics()
    collector.statuses = [status, status]
    record(metrics, 3)
    running = exporter(metrics, collector.url)
    until(lambda: len(collector.got) == 3)
    running.stop()
    assert collector.requests == 3 and counted(metrics)["not taken"] == 0


def test_what_it_refuses_is_not_sent_again(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    collector.statuses = [400]
    record(metrics, 3)
    running = exporter(metrics, collector.url)
    until(lambda: counted(metrics)["not taken"] == 3)
    record(metrics, 2)
    until(lambda: len(collector.got) == 2)
    running.stop()
    assert collector.requests == 2
    assert caplog.text.count("spans cannot be sent") == 1


def test_a_collector_that_is_away_costs_spans_and_nothing_else() -> None:
    metrics = Metrics()
    running = exporter(metrics, "http://127.0.0.1:1/v1/traces")
    record(metrics, 3)
    until(lambda: counted(metrics)["not taken"] == 3)
    began = time.monotonic()
    record(metrics, 5000)
    running.stop()
    assert time.monotonic() - began < 10
    assert counted(metrics)["not taken"] > 3


def test_a_slow_one_neither_blocks_nor_grows(collector: Collector) -> None:
    metrics = Metrics()
    metrics.tracer._room = 50
    collector.delay = 30
    running = exporter(metrics, collector.url, batch=10)
    record(metrics, 1)
    until(lambda: collector.requests == 1)
    record(metrics, 500)
    assert metrics.tracer.waiting == 50 and metrics.tracer.dropped == 450
    began = time.monotonic()
    running.stop(0.2)
    assert time.monotonic() - began < 10


def test_the_variables_are_opentelemetrys_own() -> None:
    given = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/base/",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x, b=c",
        "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=f,service.name=ignored",
        "OTEL_SERVICE_NAME": "pay",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1500",
    }
    found = settings_from(given, "app", "7")
    assert found is not None
    assert found.url == "http://c:4318/base/v1/traces"
    assert found.headers == {"authorization": "Bearer x", "b": "c"}
    assert found.resource["service.name"] == "pay" and found.resource["service.version"] == "7"
    assert found.resource["service.namespace"] == "f" and found.timeout == 1.5
    direct = settings_from({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x"}, "app")
    assert direct is not None and direct.url == "http://c/x"
    assert direct.resource["service.name"] == "app"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "c:4318"},
    ],
)
def test_or_nothing_is_sent(given: dict[str, str]) -> None:
    assert exporter_from(given, Metrics(), "app") is None
