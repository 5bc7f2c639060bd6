"""Rules on their own: multiples exactly, zones, and the patterns that say bounds in text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skerry.contract import patterns
from skerry.contract.rules import Rule, is_multiple, test

check_of = test
del test  # not one of pytest's

DECIMALS = st.decimals(-2000, 2000, allow_nan=False, allow_infinity=False, places=3)


@settings(max_examples=300, derandomize=True)
@given(DECIMALS, DECIMALS.filter(lambda d: d > 0), st.integers(-5, 5), st.integers(-5, 5))
def test_multiples_are_exact(value: Decimal, step: Decimal, up: int, down: int) -> None:
    value, step = value.scaleb(up), step.scaleb(down)
    exact = Fraction(value) % Fraction(step) == 0
    assert is_multiple(value, step) is exact
    assert is_multiple(value * 0 + step * 7, step)


def test_floats_mean_what_they_say() -> None:
    assert is_multiple(0.3, 0.1)
    assert not is_multiple(0.35, 0.1)
    assert not is_multiple(float("inf"), 1)


@pytest.mark.parametrize(
    ("zone", "value", "kept"),
    [
        (None, datetime(2026, 1, 1), True),
        (None, datetime(2026, 1, 1, tzinfo=UTC), False),
        (..., datetime(2026, 1, 1), False),
        (..., datetime(2026, 1, 1, tzinfo=UTC), True),
        (UTC, datetime(2026, 1, 1, tzinfo=timezone(timedelta(0))), True),
        (UTC, datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))), False),
        ("Europe/Paris", datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=2))), True),
        ("Europe/Paris", datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))), False),
        (ZoneInfo("Europe/Paris"), datetime(2026, 1, 1), False),
    ],
)
def test_zones(zone: Any, value: datetime, kept: bool) -> None:
    assert check_of(Rule("timezone", zone), "datetime")(value) is kept


@settings(max_examples=500, derandomize=True)
@given(DECIMALS, DECIMALS, st.integers(-40, 40), st.booleans(), st.booleans())
def test_patterns_compare_numbers(
    bound: Decimal, value: Decimal, shift: int, up: bool, equal: bool
) -> None:
    """Digit by digit comes to the same as by number, with or without an exponent."""
    bound = bound.normalize()
    value = value.scaleb(shift) if value else value
    text = str(value)
    if up:
        found = re.search(patterns.above(bound, equal=equal), text)
        assert (found is not None) == (value >= bound if equal else value > bound)
    else:
        found = re.search(patterns.below(bound, equal=equal), text)
        assert (found is not None) == (value <= bound if equal else value < bound)


@pytest.mark.parametrize("bound", ["0", "1", "9", "10", "99.9", "1.05", "-3", "-0.5", "1000"])
@pytest.mark.parametrize("text", ["0", "-0", "0.0", "1", "1.0", "1.050", "10", "9.99", "-3.00"])
def test_patterns_at_the_edges(bound: str, text: str) -> None:
    value, limit = Decimal(text), Decimal(bound)
    for equal in (False, True):
        above = re.search(patterns.above(limit, equal=equal), text) is not None
        below = re.search(patterns.below(limit, equal=equal), text) is not None
        assert above == (value > limit or (equal and value == limit))
        assert below == (value < limit or (equal and value == limit))


@pytest.mark.parametrize(("least", "most"), [(0, None), (1, None), (0, 2), (1, 1), (2, 7), (3, 3)])
def test_lengths_of_base64(least: int, most: int | None) -> None:
    import base64

    for length in range(9):
        text = base64.b64encode(b"x" * length).decode()
        found = re.search(patterns.base64(least, most), text) is not None
        assert found == (least <= length and (most is None or length <= most))
