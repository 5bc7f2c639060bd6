from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.telemetry.histogram import (
    RELATIVE_ERROR,
    UNIT,
    Histogram,
    bucket_of,
    high_of,
    middle_of,
)

units = st.integers(min_value=0, max_value=1 << 45)
seconds = st.floats(min_value=1e-6, max_value=3600.0)


def filled(samples: list[float]) -> Histogram:
    histogram = Histogram()
    for sample in samples:
        histogram.record(sample)
    return histogram


@given(units)
def test_a_bucket_holds_what_is_above_the_last_one_and_not_above_itself(value: int) -> None:
    bucket = bucket_of(value)
    assert value <= high_of(bucket)
    assert bucket == 0 or value > high_of(bucket - 1)


@given(st.integers(min_value=65, max_value=1 << 45))
def test_the_middle_of_a_bucket_is_near_everything_in_it(value: int) -> None:
    assert abs(middle_of(bucket_of(value)) - value) <= RELATIVE_ERROR * value


@given(units)
def test_recording_finds_the_same_bucket(value: int) -> None:
    histogram = filled([value / UNIT])
    assert histogram.counts == {bucket_of(value): 1}
    assert histogram.total == value


@given(st.lists(seconds, min_size=1, max_size=200), st.floats(min_value=0.0, max_value=1.0))
def test_quantiles_are_within_the_stated_error(samples: list[float], q: float) -> None:
    rank = max(1, math.ceil(q * len(samples)))
    exact = sorted(samples)[rank - 1]
    found = filled(samples).quantile(q)
    assert found is not None
    assert abs(found - exact) <= RELATIVE_ERROR * exact + 1 / UNIT


@given(st.lists(st.lists(seconds, max_size=50), max_size=6), st.randoms())
def test_merging_is_exact_in_any_order(parts: list[list[float]], random: object) -> None:
    histograms = [filled(part) for part in parts]
    random.shuffle(histograms)  # type: ignore[attr-defined]
    merged = Histogram()
    for histogram in histograms:
        merged.add(histogram)
    whole = filled([sample for part in parts for sample in part])
    assert merged.counts == whole.counts
    assert merged.total == whole.total


@given(st.lists(seconds, max_size=100))
def test_a_document_brings_everything_back(samples: list[float]) -> None:
    histogram = filled(samples)
    again = Histogram.of(histogram.document())
    assert again.counts == histogram.counts
    assert again.total == histogram.total


@given(st.lists(seconds, max_size=100))
def test_counts_at_powers_of_two_are_exact(samples: list[float]) -> None:
    bounds = [2.0**exponent for exponent in range(-12, 7)]
    whole = [math.floor(sample * UNIT) / UNIT for sample in samples]
    expected = [sum(sample <= bound for sample in whole) for bound in bounds]
    assert filled(samples).at_most(bounds) == expected


def test_a_clock_that_went_back_counts_as_no_time() -> None:
    histogram = filled([-5.0])
    assert histogram.count == 1
    assert histogram.total == 0


def test_nothing_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_quantile_is_a_share(q: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Histogram().quantile(q)
