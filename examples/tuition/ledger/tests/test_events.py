from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger import store
from ledger.accounts import Account
from ledger.events import lines
from ledger.money import NotAnAmount, from_minor
from samples import allocated, converted, paid_out, received, returned

CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "USD"])


def test_a_payment_from_beginning_to_end() -> None:
    assert lines(received("JPY", "202772")) == [
        (Account.BANK, "JPY", 202_772),
        (Account.UNALLOCATED, "JPY", -202_772),
    ]
    assert lines(allocated("JPY", "202772")) == [
        (Account.UNALLOCATED, "JPY", 202_772),
        (Account.CLIENT_FUNDS, "JPY", -202_772),
    ]
    assert lines(converted("JPY", "202130", "642", "EUR", "1250.00")) == [
        (Account.CLIENT_FUNDS, "JPY", 202_772),
        (Account.FEES, "JPY", -642),
        (Account.FX_POSITION, "JPY", -202_130),
        (Account.FX_POSITION, "EUR", 125_000),
        (Account.SCHOOLS_PAYABLE, "EUR", -125_000),
    ]
    assert lines(paid_out("EUR", "1250.00")) == [
        (Account.SCHOOLS_PAYABLE, "EUR", 125_000),
        (Account.BANK, "EUR", -125_000),
    ]
    assert lines(returned("JPY", "28")) == [
        (Account.CLIENT_FUNDS, "JPY", 28),
        (Account.BANK, "JPY", -28),
    ]


def test_no_line_is_nothing() -> None:
    event = converted("EUR", "10", "0", "EUR", "10")
    assert Account.FEES not in [account for account, _, _ in lines(event)]


@pytest.mark.parametrize("amount", ["0.5", "0", "-3", "NaN"])
def test_what_cannot_be_paid_cannot_be_booked(amount: str) -> None:
    with pytest.raises((NotAnAmount, ArithmeticError)):
        lines(received("JPY", amount))


@given(
    pay_in=CURRENCIES,
    currency=CURRENCIES,
    changed=st.integers(1, 10**12),
    fee=st.integers(0, 10**6),
    amount=st.integers(1, 10**12),
)
def test_every_entry_balances_in_every_currency(
    pay_in: str, currency: str, changed: int, fee: int, amount: int
) -> None:
    money = str(from_minor(amount, currency))
    event = converted(
        pay_in, str(from_minor(changed, pay_in)), str(from_minor(fee, pay_in)), currency, money
    )
    store.check(lines(event))
    for kind in (received, allocated, paid_out, returned):
        store.check(lines(kind(currency, money)))
