from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families as prometheus_families

from skerry.core.clock import system
from skerry.core.errors import ConnectError, NotFound
from skerry.telemetry.exposition import BOUNDS, OPENMETRICS, PROMETHEUS, negotiate
from skerry.telemetry.metrics import OVERFLOW, Metrics, collect, count, merge, quantile
from skerry.telemetry.outcome import CANCELLED, ERROR, outcome_of

NASTY = 'a "quoted\\" one\nand more é'


def some(route: str = "get_quote") -> Metrics:
    metrics = Metrics()
    series = metrics.series("server", "quotes", route)
    series.record(0.010, 2)
    series.record(0.020, 2)
    series.record(0.030, 4)
    series.record(1.500, 5)
    series.record(9.000, CANCELLED)
    series.in_flight = 3
    metrics.series("client", "quotes", route, "schools").record(0.5, ERROR)
    metrics.counter("skerry_retries", "Attempts\nafter the first.", app=NASTY).add(7)
    metrics.counter("skerry_plain").add()
    return metrics


def test_the_same_names_are_the_same_series() -> None:
    metrics = Metrics()
    assert metrics.series("server", "a", "r") is metrics.series("server", "a", "r")
    assert metrics.series("server", "a", "r") is not metrics.series("client", "a", "r")
    assert metrics.counter("c", app="x", peer="y") is metrics.counter("c", peer="y", app="x")


def test_what_comes_after_the_limit_is_counted_together() -> None:
    metrics = Metrics(limit=3)
    for n in range(50):
        metrics.series("server", "a", f"route-{n}").record(0.1, 2)
        metrics.counter("skerry_things", thing=str(n)).add()
    snapshot = metrics.snapshot()
    assert count(snapshot) == 50
    assert count(snapshot, route=OVERFLOW) == 47
    assert len(snapshot["series"]) == 4
    assert sum(counter["value"] for counter in snapshot["counters"]) == 50
    assert len(snapshot["counters"]) == 4


def test_outcomes_are_counted_by_group() -> None:
    series = some().series("server", "quotes", "get_quote")
    assert [series.count(group) for group in ("ok", "client_error", "error", "cancelled")] == [
        2,
        1,
        1,
        1,
    ]
    assert series.count() == 5
    assert count(some().snapshot(), "error") == 2


def test_a_problem_is_an_answer_and_a_call_error_is_none() -> None:
    assert outcome_of(NotFound()) == 4
    assert outcome_of(ConnectError()) == ERROR
    assert outcome_of(ValueError()) == ERROR


def test_snapshots_travel_as_json_and_add_up() -> None:
    one, other = some().snapshot(), some("other").snapshot()
    merged = merge(json.loads(json.dumps([one, one, other])))
    assert count(merged, route="get_quote", kind="server") == 10
    assert count(merged, route="other", kind="server") == 5
    assert [s["in_flight"] for s in merged["series"] if s["kind"] == "server"] == [6, 3]
    retries = [c for c in merged["counters"] if c["name"] == "skerry_retries"]
    assert [c["value"] for c in retries] == [21]
    assert merge([]) == {"series": [], "counters": [], "gauges": []}
    assert merge([merged]) == merged


def test_gauges_are_what_there_is_now() -> None:
    metrics = Metrics()
    waiting = metrics.gauge("skerry_waiting", "What waits.", queue="a")
    assert metrics.gauge("skerry_waiting", queue="a") is waiting
    assert metrics.snapshot()["gauges"] == []  # nobody has said yet
    waiting.set(3)
    waiting.set(2)
    (found,) = metrics.snapshot()["gauges"]
    assert (found["value"], found["labels"]) == (2, {"queue": "a"})
    waiting.set(None)
    assert "skerry_waiting" not in metrics.prometheus()


def test_gauges_are_added_up_or_are_the_highest() -> None:
    snapshots = []
    for paused, oldest in [(1, 2.5), (0, 7.0), (1, 4.0)]:
        metrics = Metrics()
        metrics.gauge("skerry_paused", merge="sum", handler="h").set(paused)
        metrics.gauge("skerry_oldest_seconds", merge="max", handler="h").set(oldest)
        snapshots.append(json.loads(json.dumps(metrics.snapshot())))
    older = {"series": [], "counters": []}  # of a release that had no gauges
    merged = merge([older, *snapshots])
    assert {g["name"]: g["value"] for g in merged["gauges"]} == {
        "skerry_paused": 2,
        "skerry_oldest_seconds": 7.0,
    }
    assert merge([merged, older]) == merged


def test_too_many_gauges_are_left_out() -> None:
    metrics = Metrics(limit=3)
    for n in range(50):
        metrics.gauge("skerry_things", thing=str(n)).set(n)
    assert [g["value"] for g in metrics.snapshot()["gauges"]] == [0, 1, 2]


def test_quantiles_leave_out_what_callers_gave_up() -> None:
    snapshot = some().snapshot()
    assert quantile(snapshot, 1.0, kind="server") == pytest.approx(1.5, rel=1 / 64)
    assert quantile(snapshot, 0.5, kind="server") == pytest.approx(0.02, rel=1 / 64)
    assert quantile(snapshot, 0.5, app="nobody") is None
    assert collect(snapshot, kind="server").count == 4


@pytest.mark.parametrize("openmetrics", [False, True])
def test_parsers_of_others_read_the_exposition(openmetrics: bool) -> None:
    metrics = some(NASTY)
    metrics.gauge("skerry_oldest_seconds", "How\nold.", app=NASTY).set(1.25e-7)
    metrics.gauge("skerry_bare").set(12)
    text = metrics.openmetrics() if openmetrics else metrics.prometheus()
    parse = openmetrics_families if openmetrics else prometheus_families
    families = {family.name: family for family in parse(text)}
    served = families["skerry_server_request_duration_seconds"]
    assert served.type == "histogram"
    ok = {
        (sample.name.rpartition("_")[2], sample.labels.get("le")): sample.value
        for sample in served.samples
        if sample.labels["outcome"] == "ok"
    }
    assert ok["count", None] == 2
    assert ok["sum", None] == pytest.approx(0.03, abs=1e-8)
    assert ok["bucket", "0.0078125"] == 0
    assert ok["bucket", "0.015625"] == 1
    assert ok["bucket", "1.0"] == ok["bucket", "+Inf"] == 2
    assert {sample.labels["route"] for sample in served.samples} == {NASTY}
    assert {sample.labels["status"] for sample in served.samples} == {"2xx", "4xx", "5xx", ""}
    gauge = families["skerry_server_requests_in_flight"]
    assert gauge.type == "gauge"
    assert [sample.value for sample in gauge.samples] == [3]
    retries = families["skerry_retries"]
    assert retries.type == "counter"
    assert retries.documentation == "Attempts\nafter the first."
    total, *created = retries.samples
    assert (total.name, total.labels, total.value) == ("skerry_retries_total", {"app": NASTY}, 7)
    assert len(created) == openmetrics
    assert families["skerry_plain"].samples[0].value == 1
    for family in families.values():  # Prometheus of old has no such thing
        made = {sample.value for sample in family.samples if sample.name.endswith("_created")}
        assert made <= {round(metrics.since, 3)}
        assert bool(made) == (openmetrics and family.type != "gauge")
        unit = "seconds" if openmetrics and family.name.endswith("_seconds") else ""
        assert family.unit == unit
    oldest = families["skerry_oldest_seconds"]
    assert (oldest.type, oldest.documentation) == ("gauge", "How\nold.")
    assert [(s.labels, s.value) for s in oldest.samples] == [({"app": NASTY}, 1.25e-7)]
    assert [s.value for s in families["skerry_bare"].samples] == [12]


def test_buckets_are_cumulative_and_end_at_the_count() -> None:
    metrics = Metrics()
    series = metrics.series("client", "a", "r", "b")
    for n in range(1, 200):
        series.record(n / 50, 2)
    values = [
        float(line.rpartition(" ")[2])
        for line in metrics.prometheus().splitlines()
        if "_bucket{" in line
    ]
    assert values == sorted(values)
    assert values[-1] == 199


def test_nothing_is_an_exposition_too() -> None:
    assert list(prometheus_families(Metrics().prometheus())) == []
    assert list(openmetrics_families(Metrics().openmetrics())) == []


class Sent(NamedTuple):
    """A span, as far as metrics look at it."""

    trace_id: int
    span_id: int
    started: float


def test_a_bucket_has_an_exemplar_that_is_in_it() -> None:
    metrics = Metrics()
    series = metrics.series("server", "quotes", "get_quote")
    times = [1e-9, 0.0001, 0.0002, 0.01, 0.0123, 0.015625, 0.5, 1.0, 1.0000001, 31.0, 33.0, 1e6]
    now = system.now()
    for number, seconds in enumerate(times, start=1):
        series.record(seconds, 2, Sent(number, number + 100, now + number))
    series.record(0.012, 2)  # nobody records it: what was there stays
    text = metrics.openmetrics()
    parse: Any = openmetrics_families
    (family, *_) = parse(text)
    found = {
        sample.labels["le"]: sample.exemplar
        for sample in family.samples
        if sample.name.endswith("_bucket") and sample.exemplar
    }
    below = 0.0
    for bound in (*map(repr, BOUNDS), "+Inf"):
        newest = [n for n, t in enumerate(times, 1) if below < t <= float(bound) and t > 1e-8]
        assert bool(newest) == (bound in found), bound
        if newest:
            exemplar = found[bound]
            ids = {"trace_id": f"{newest[-1]:032x}", "span_id": f"{newest[-1] + 100:016x}"}
            assert exemplar.labels == ids
            assert exemplar.value == pytest.approx(times[newest[-1] - 1], abs=1e-9)
            assert below < exemplar.value <= float(bound)
            ended = system.wall() - system.now() + now + newest[-1] + exemplar.value
            assert float(exemplar.timestamp) == pytest.approx(ended, abs=1.0)
        below = float(bound)
    assert "# {" not in metrics.prometheus()
    assert "exemplars" not in json.dumps(metrics.snapshot())  # which goes about every second
    count = sum(line.count("trace_id") for line in text.splitlines())
    assert count == len(found) < len(times)


def test_scrapers_get_what_they_ask_for() -> None:
    prometheus = (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
        "application/openmetrics-text;version=0.0.1;q=0.4,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
        "text/plain;version=0.0.4;q=0.2,/;q=0.1"
    )
    for accept in (
        "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
        "Application/OpenMetrics-Text",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "text/plain, application/openmetrics-text",
        prometheus,
    ):
        assert negotiate(accept) == (OPENMETRICS, True), accept
    for accept in (
        "text/plain",
        "",
        "*/*",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.1,text/plain",
        "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text;q=much",
        ";;,=,q=",
    ):
        assert negotiate(accept) == (PROMETHEUS, False), accept
