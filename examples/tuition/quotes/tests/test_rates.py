from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency
from quotes.rates import FEE_IN_EUROS, MARGIN, Rates

LATEST = Rates.latest()
CURRENCIES = sorted(LATEST.per_euro)


def test_the_rates_are_the_banks_own() -> None:
    """Read from the package's file a second time, by nobody's code but this."""
    import zipfile
    from importlib.resources import files

    package = files("currency_converter")
    with zipfile.ZipFile(str(package / "eurofxref-hist.zip")) as archive:
        header, newest = archive.read(archive.namelist()[0]).decode().splitlines()[:2]
    row = dict(zip(header.split(","), newest.split(","), strict=True))
    assert LATEST.day.isoformat() == row["Date"]
    assert len(CURRENCIES) >= 30
    for currency in set(CURRENCIES) - {"EUR"}:
        assert LATEST.per_euro[currency] == Decimal(row[currency])


def test_the_rule_by_an_example_worked_by_hand() -> None:
    day = LATEST.day
    rates = Rates(day, {"EUR": Decimal(1), "USD": Decimal("1.25"), "JPY": Decimal("160.5")})
    price = rates.price(Decimal("1000.00"), "USD", "JPY")
    # 160.5 / 1.25 = 128.4 yen for a dollar; with 0.75 %: 129.363; 1000 of them: 129363 yen.
    assert (price.mid_rate, price.rate) == (Decimal("128.4"), Decimal("129.363"))
    assert (price.converted, price.fee, price.to_pay) == (129_363, 642, 130_005)


def test_fractions_are_asked_of_the_payer() -> None:
    rates = Rates(LATEST.day, {"EUR": Decimal(1), "USD": Decimal("1.1172")})
    price = rates.price(Decimal("0.01"), "EUR", "USD")
    assert price.rate == Decimal("1.1255790")
    assert price.converted == Decimal("0.02")  # 0.01125579, up


def test_nothing_is_charged_for_converting_nothing() -> None:
    price = LATEST.price(Decimal("850.10"), "EUR", "EUR")
    assert price.rate == price.mid_rate == 1
    assert price.converted == Decimal("850.10")
    assert price.fee == FEE_IN_EUROS


def test_a_currency_without_a_rate() -> None:
    with pytest.raises(KeyError, match="KWD"):
        LATEST.price(Decimal(1), "KWD", "EUR")


@given(
    currency=st.sampled_from(CURRENCIES),
    pay_in=st.sampled_from(CURRENCIES),
    units=st.integers(1, 10**14),
)
def test_the_payer_covers_the_school_and_hardly_more(
    currency: str, pay_in: str, units: int
) -> None:
    amount = Decimal(units).scaleb(-(Currency(currency).exponent or 0))
    unit = Decimal(1).scaleb(-(Currency(pay_in).exponent or 0))
    price = LATEST.price(amount, currency, pay_in)
    exact = amount * price.rate
    assert exact <= price.converted < exact + unit
    assert price.converted % unit == price.fee % unit == price.to_pay % unit == 0
    assert price.to_pay == price.converted + price.fee
    if currency != pay_in:
        drift = price.rate / LATEST.mid(currency, pay_in) - 1 - MARGIN
        assert abs(drift) < Decimal("1e-6")


@given(st.sampled_from(CURRENCIES), st.sampled_from(CURRENCIES), st.integers(1, 10**9))
def test_more_never_costs_less(currency: str, pay_in: str, units: int) -> None:
    unit = Decimal(1).scaleb(-(Currency(currency).exponent or 0))
    less, more = (LATEST.price(unit * n, currency, pay_in) for n in (units, units + 1))
    assert less.to_pay <= more.to_pay
