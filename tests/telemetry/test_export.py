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
from skerry.observe import otlp_json as otlp_json_reader
from skerry.observe import otlp_proto
from skerry.observe import zipkin as zipkin_reader
from skerry.observe.limits import Limits
from skerry.observe.model import Span as Kept
from skerry.telemetry.destination import Destination, ExportSettings, settings_from
from skerry.telemetry.export import Exporter, exporter_from
from skerry.telemetry.metrics import Metrics
from skerry.telemetry.otlp import encode_protobuf
from skerry.telemetry.otlp_json import encode_json
from skerry.telemetry.spans import Link, Span
from skerry.telemetry.zipkin import encode_zipkin


def span(**fields: Any) -> Span:
    found = Span("POST /x", "server", {"http.route": "/x"}, 7 << 100, 9, 5, 10.0)
    found.ended = 10.5
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def read(body: bytes) -> list[Kept]:
    return otlp_proto.read(body, int(1e15), Limits()).spans


def told(read_spans: list[Kept]) -> list[tuple[Any, ...]]:
    return [
        (one.trace_id, one.id, one.parent_id, one.name, one.kind, one.service, one.remote_service,
         one.timestamp, one.duration, one.tags)
        for one in read_spans
    ]  # fmt: skip


def test_every_way_to_write_says_the_same() -> None:
    client = span(kind="client", fixed={"peer.service": "stock", "server.address": "stock"})
    client.attributes = {"n": 3, "yes": True, "many": ["a", "b"], "f": 0.5, "odd": "\udcff"}
    failed = span(status=500, error="OSError", failed=True, state="a=1", lost=[1, 2, 3])
    failed.events = [(10.25, "exception", {"exception.message": "no disk"}), (10.3, "seen", {})]
    failed.links = (Link(Trace(1, 2, state="b=2"), {"why": "x"}),)
    scoped = span(kind="internal", parent_id=0, fixed={"otel.scope.name": "sql"}, verdict=(1, ""))
    made = [client, failed, scoped]
    resource = {"service.name": "pay", "service.version": "7"}
    by_protobuf = read(encode_protobuf(resource, made, 1e9))
    by_json = otlp_json_reader.read(encode_json(resource, made, 1e9), int(1e15), Limits()).spans
    assert told(by_json) == told(by_protobuf)
    assert [one.more for one in by_json] == [one.more for one in by_protobuf]
    by_zipkin = zipkin_reader.read(encode_zipkin(resource, made, 1e9), int(1e15), Limits())
    same = [one[:-1] for one in told(by_zipkin)]
    assert same == [one[:-1] for one in told(by_protobuf)]
    tags = [one.tags for one in by_zipkin]
    assert tags[0]["yes"] == "true" and tags[0]["many"] == '["a", "b"]'
    assert (tags[1]["error"], tags[1]["otel.status_code"]) == ("no disk", "ERROR")
    assert tags[1]["otel.dropped_events_count"] == "2" and tags[1]["service.version"] == "7"
    assert tags[2]["otel.scope.name"] == "sql" and tags[2]["otel.status_code"] == "OK"
    assert [note.value for note in by_zipkin[1].annotations] == [
        '"exception": {"exception.message": "no disk"}',
        "seen",
    ]


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


def exporter(
    metrics: Metrics, *urls: str, headers: dict[str, str] | None = None, **settings: Any
) -> Exporter:
    to = tuple(Destination(url, headers=headers or {}) for url in urls)
    made = Exporter(metrics, ExportSettings(to, every=0.02, **settings), lambda _: None)
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
    running = Exporter(metrics, ExportSettings((Destination(collector.url),), every=60))
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
    collector.delay = 30
    running = exporter(metrics, collector.url, batch=10, room=50)
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
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": __file__,
        "OTEL_BSP_MAX_QUEUE_SIZE": "70",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "7",
    }
    found = settings_from(given, "app", "7")
    assert found is not None
    (to,) = found.destinations
    assert to.url == "http://c:4318/base/v1/traces"
    assert to.headers == {"authorization": "Bearer x", "b": "c"}
    assert (to.timeout, to.compress, to.ca) == (1.5, False, __file__)
    assert (found.room, found.batch, found.share) == (70, 7, 1.0)
    assert found.resource["service.name"] == "pay" and found.resource["service.version"] == "7"
    assert found.resource["service.namespace"] == "f"
    direct = settings_from({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x"}, "app")
    assert direct is not None and direct.destinations[0].url == "http://c/x"
    assert direct.resource["service.name"] == "app"


OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}


def test_several_back_ends_and_ways_to_write() -> None:
    given = {
        **OTLP,
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json",
        "OTEL_TRACES_EXPORTER": "otlp, zipkin",
        "OTEL_EXPORTER_ZIPKIN_ENDPOINT": "https://z/api/v2/spans",
    }
    found = settings_from(given, "app")
    assert found is not None
    assert [(to.url, to.media_type) for to in found.destinations] == [
        ("http://c/v1/traces", "application/json"),
        ("https://z/api/v2/spans", "application/json"),
    ]
    there = settings_from({"OTEL_TRACES_EXPORTER": "zipkin"}, "app")
    assert there is not None
    assert there.destinations[0].url == "http://localhost:9411/api/v2/spans"


@pytest.mark.parametrize(
    ("sampler", "argument", "share"),
    [
        ("always_on", "", 1.0),
        ("parentbased_traceidratio", "0.25", 0.25),
        ("traceidratio", "2", 1.0),
        ("traceidratio", "x", 1.0),
        ("jaeger_remote", "", 1.0),
        ("always_off", "", None),
        ("traceidratio", "0", None),
    ],
)
def test_who_wants_fewer_says_so(sampler: str, argument: str, share: float | None) -> None:
    given = {**OTLP, "OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}
    found = settings_from(given, "app")
    assert (found and found.share) == share


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "port 4318"),
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "there are otlp, zipkin, none"),
        ({"OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such.pem"}, "there is no file /no/such.pem"),
    ],
)
def test_what_cannot_be_is_said(
    changes: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert settings_from({**OTLP, **changes}, "app") is None
    assert said in caplog.text


def test_a_share_of_traces_is_sent_whole(collector: Collector) -> None:
    metrics = Metrics()
    running = exporter(metrics, collector.url, share=0.5)
    for trace in (1, (1 << 64) - 1, 5 << 64):
        for _ in range(2):
            attach(Context(Trace(trace, 9)))
            made, token = metrics.tracer.begin("GET /", "server", {}, system.now())
            metrics.tracer.end(made, token, system.now())
    running.stop()
    assert sorted(one.trace_id for one in collector.got) == [
        *[f"{1:016x}"] * 2,
        *[f"{5 << 64:032x}"] * 2,
    ]


def test_one_back_end_does_not_wait_for_another(collector: Collector) -> None:
    other = Collector()
    other.delay = 30
    metrics = Metrics()
    running = exporter(metrics, other.url, collector.url, batch=10, room=100)
    for number in range(1, 31):
        record(metrics, 10)
        until(lambda: len(collector.got) == 10 * number)  # noqa: B023 - called at once
    assert other.requests == 1
    assert counted(metrics)["not taken"] == 300 - 10 - 100  # under way, and what may wait
    running.stop(0.2)
    other.shutdown()
    other.server_close()


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
