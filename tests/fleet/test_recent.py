"""Rates and latencies of the last seconds, out of counts since the start."""

from __future__ import annotations

import pytest

from skerry.core.clock import ManualClock
from skerry.fleet.recent import SLOT, TREND, WINDOW, Recent
from skerry.fleet.tally import Tally
from skerry.telemetry.metrics import Metrics


async def test_a_rate_is_of_the_last_full_slots() -> None:
    clock = ManualClock()
    tally, metrics = Tally(clock), Metrics()
    series = metrics.series("server", "shop", "buy")
    for _ in range(20):
        series.record(0.010, 2)
    series.record(0.500, 5)
    tally.report("shop-1", metrics.snapshot())
    assert tally.recent.rate("server", "shop").per_second == 0  # its slot is not over yet
    await clock.advance(SLOT)
    rate = tally.recent.rate("server", "shop")
    assert rate.per_second == pytest.approx(21 / (WINDOW * SLOT), abs=0.01)
    assert rate.failed_per_second == pytest.approx(0.1)
    assert rate.p50_ms == pytest.approx(10, rel=0.02)
    assert rate.p99_ms == pytest.approx(500, rel=0.02)
    await clock.advance(SLOT * WINDOW)
    assert tally.recent.rate("server", "shop").per_second == 0


async def test_only_what_is_new_counts_and_a_restart_begins_at_zero() -> None:
    clock = ManualClock()
    tally, metrics = Tally(clock), Metrics()
    series = metrics.series("consumer", "shop", "heard")
    for outcome in (2, 2, 4):
        series.record(0.001, outcome)
        tally.report("shop-1", metrics.snapshot())
    tally.ended("shop-1")
    again = Metrics()
    again.series("consumer", "shop", "heard").record(0.001, 2)
    tally.report("shop-1", again.snapshot())
    await clock.advance(SLOT)
    rate = tally.recent.rate("consumer", "shop", route="heard")
    assert rate.per_second * WINDOW * SLOT == pytest.approx(4)
    assert rate.failed_per_second * WINDOW * SLOT == pytest.approx(1)  # 4xx: the handler raised
    assert tally.recent.rate("consumer", "shop", process="shop-2").per_second == 0
    assert tally.recent.rate("consumer", "shop", route="other").per_second == 0


def test_what_there_was_of_something_ends_with_its_process() -> None:
    tally = Tally()
    for name, value in {"shop-1": 3, "shop-2": 4}.items():
        metrics = Metrics()
        metrics.gauge("skerry_paused", handler="h").set(value)
        metrics.counter("skerry_retries").add()
        tally.report(name, metrics.snapshot())
    assert [gauge["value"] for gauge in tally.all()["gauges"]] == [7]
    tally.ended("shop-1")
    assert [gauge["value"] for gauge in tally.all()["gauges"]] == [4]
    assert [counter["value"] for counter in tally.all()["counters"]] == [2]


async def test_attempts_are_looked_up_by_who_is_called() -> None:
    clock = ManualClock()
    recent, metrics = Recent(clock), Metrics()
    metrics.series("attempt", "shop", "", "bank").record(0.2, 2)
    recent.report("shop-1", {"series": [], "counters": []}, metrics.snapshot())
    await clock.advance(SLOT)
    assert recent.rate("attempt", "bank", peer="shop").p50_ms == pytest.approx(200, rel=0.02)
    assert recent.rate("attempt", "bank", peer="else").p50_ms is None


async def test_the_trend_is_two_minutes_and_forgets() -> None:
    clock = ManualClock()
    recent, metrics = Recent(clock), Metrics()
    assert recent.trend("server", "shop") == ([], [])
    empty = metrics.snapshot()
    metrics.series("server", "shop", "buy").record(0.01, 5)
    recent.report("shop-1", empty, metrics.snapshot())
    await clock.advance(3 * SLOT)
    served, failed = recent.trend("server", "shop")
    assert len(served) == TREND - 1
    assert served == failed  # a 500
    assert served[-3:] == [1 / SLOT, 0, 0]
    await clock.advance(TREND * SLOT)
    assert not any(recent.trend("server", "shop")[0])


async def test_counts_since_the_start_are_of_all_lives_of_a_process() -> None:
    tally = Tally(ManualClock())
    for outcomes in ((2, 2, 5), (2, 7)):  # in two processes of that name, one after the other
        metrics = Metrics()
        served = metrics.series("server", "shop", "buy")
        for outcome in outcomes:
            served.record(0.01, outcome)
        metrics.series("attempt", "shop", "", "bank").record(0.2, 2)
        handled = metrics.series("consumer", "shop", "hears")
        handled.record(0.03, 4)
        handled.record(0.03, 7)  # given up: no attempt that says anything
        tally.report("shop-1", metrics.snapshot())
        tally.ended("shop-1")
    counts = tally.recent.counts("shop")
    assert (counts.requests, counts.errors, counts.calls) == (5, 1, 2)
    assert (counts.events, counts.events_failed) == (2, 2)
    assert counts.events_p50_ms == pytest.approx(30, rel=0.02)
    assert tally.recent.counts("shop", "shop-1") == counts
    assert tally.recent.counts("shop", "shop-2").requests == 0
    called = tally.recent.counts("bank", from_callers=True)
    assert (called.requests, called.p50_ms) == (2, pytest.approx(200, rel=0.02))
