from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quotes.money import NotAnAmount, digits, from_minor, to_minor


def test_decimals_are_those_of_iso_4217() -> None:
    assert [digits(c) for c in ("EUR", "JPY", "KWD", "CLF")] == [2, 0, 3, 4]


@pytest.mark.parametrize("currency", ["XAU", "QQQ", "eur", ""])
def test_what_nobody_pays_in(currency: str) -> None:
    with pytest.raises(NotAnAmount):
        digits(currency)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("0.001", "EUR"),
        ("1.5", "JPY"),
        ("1E-400", "EUR"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        ("1E+999999999", "EUR"),
        ("-1E+16", "JPY"),
    ],
)
def test_what_cannot_be_paid(amount: str, currency: str) -> None:
    with pytest.raises(NotAnAmount):
        to_minor(Decimal(amount), currency)


def test_trailing_zeros_are_not_decimals() -> None:
    assert to_minor(Decimal("1.5000"), "EUR") == 150
    assert to_minor(Decimal("1E+2"), "JPY") == 100


@given(st.integers(-(10**15), 10**15), st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_there_and_back(units: int, currency: str) -> None:
    amount = from_minor(units, currency)
    assert to_minor(amount, currency) == units
    assert -amount.as_tuple().exponent == digits(currency)  # type: ignore[operator]
