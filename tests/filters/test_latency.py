from __future__ import annotations

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.filters.latency import PeakEwma


def known(seconds: float) -> PeakEwma:
    latency = PeakEwma(decay=10.0, penalty=1.0, now=0.0)
    latency.observe(seconds, 0.0)
    return latency


def test_a_peak_counts_at_once() -> None:
    latency = known(0.010)
    latency.observe(0.500, 1.0)
    assert latency.read(1.0) == 0.5


def test_a_peak_is_forgotten_slowly() -> None:
    latency = known(0.500)
    latency.observe(0.010, 10.0)
    assert latency.read(10.0) == pytest.approx(0.010 + 0.490 * exp(-1))


def test_an_instance_that_is_left_alone_gets_its_chance() -> None:
    assert known(1.0).read(50.0) == pytest.approx(exp(-5))


def test_failing_fast_is_not_being_fast() -> None:
    latency = known(0.020)
    costs = []
    for n in range(1, 8):
        latency.observe_failure(0.0001, n * 0.01)
        costs.append(latency.read(n * 0.01))
    assert costs == sorted(costs)
    assert costs[0] == pytest.approx(0.05)
    assert 0.9 < costs[-1] <= 1.0


def test_one_failure_in_a_hundred_is_soon_forgotten() -> None:
    latency = known(0.100)
    latency.observe_failure(0.001, 1.0)
    assert latency.read(1.0) == pytest.approx(0.2, rel=0.1)
    for n in range(1, 1_001):
        latency.observe(0.100, 1.0 + n / 100)
    assert latency.read(11.0) < 0.15


def test_a_failure_that_took_long_counts_as_long() -> None:
    latency = known(0.020)
    latency.observe_failure(5.0, 1.0)
    assert latency.read(1.0) == 5.0


def test_a_first_failure_is_slow() -> None:
    latency = PeakEwma(10.0, 1.0, 0.0)
    latency.observe_failure(0.0001, 1.0)
    assert latency.read(1.0) == pytest.approx(0.05)


@pytest.mark.parametrize(("seconds", "expected"), [(0.001, 0.1), (3.0, 3.0)])
def test_what_was_given_up_took_at_least_so_long(seconds: float, expected: float) -> None:
    latency = known(0.1)
    latency.observe_at_least(seconds, 0.0)
    assert latency.read(0.0) == expected


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 100.0)), min_size=1))
def test_the_estimate_is_never_beyond_what_was_seen(samples: list[tuple[float, float]]) -> None:
    latency = PeakEwma(10.0, 1.0, 0.0)
    now = 0.0
    for seconds, pause in samples:
        now += pause
        latency.observe(seconds, now)
        assert 0.0 <= latency.read(now) <= max(one for one, _ in samples)
        assert latency.read(now) >= seconds * (1 - 1e-9)
