from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger import store
from ledger.accounts import Account
from ledger.events import (
    FundsAllocated,
    FundsReturned,
    PaymentConverted,
    PaymentPaidOut,
    TransferReceived,
    lines,
)
from ledger.money import NotAnAmount, from_minor

P = "00000000-0000-0000-0000-000000000001"
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "USD"])


def test_a_payment_from_beginning_to_end() -> None:
    assert lines(TransferReceived(P, "JPY", Decimal(202_772))) == [
        (Account.BANK, "JPY", 202_772),
        (Account.UNALLOCATED, "JPY", -202_772),
    ]
    assert lines(FundsAllocated(P, "JPY", Decimal(202_772))) == [
        (Account.UNALLOCATED, "JPY", 202_772),
        (Account.CLIENT_FUNDS, "JPY", -202_772),
    ]
    assert lines(
        PaymentConverted(P, "JPY", Decimal(202_130), Decimal(642), "EUR", Decimal("1250.00"))
    ) == [
        (Account.CLIENT_FUNDS, "JPY", 202_772),
        (Account.FEES, "JPY", -642),
        (Account.FX_POSITION, "JPY", -202_130),
        (Account.FX_POSITION, "EUR", 125_000),
        (Account.SCHOOLS_PAYABLE, "EUR", -125_000),
    ]
    assert lines(PaymentPaidOut(P, "EUR", Decimal("1250.00"))) == [
        (Account.SCHOOLS_PAYABLE, "EUR", 125_000),
        (Account.BANK, "EUR", -125_000),
    ]
    assert lines(FundsReturned(P, "JPY", Decimal(28))) == [
        (Account.CLIENT_FUNDS, "JPY", 28),
        (Account.BANK, "JPY", -28),
    ]


def test_no_line_is_nothing() -> None:
    event = PaymentConverted(P, "EUR", Decimal(10), Decimal(0), "EUR", Decimal(10))
    assert Account.FEES not in [account for account, _, _ in lines(event)]


def test_what_cannot_be_paid_cannot_be_booked() -> None:
    with pytest.raises(NotAnAmount):
        lines(TransferReceived(P, "JPY", Decimal("0.5")))


@given(
    pay_in=CURRENCIES,
    currency=CURRENCIES,
    converted=st.integers(1, 10**12),
    fee=st.integers(0, 10**6),
    amount=st.integers(1, 10**12),
)
def test_every_entry_balances_in_every_currency(
    pay_in: str, currency: str, converted: int, fee: int, amount: int
) -> None:
    event = PaymentConverted(
        P,
        pay_in,
        from_minor(converted, pay_in),
        from_minor(fee, pay_in),
        currency,
        from_minor(amount, currency),
    )
    store.check(lines(event))
    for kind in (TransferReceived, FundsAllocated, PaymentPaidOut, FundsReturned):
        store.check(lines(kind(P, currency, from_minor(amount, currency))))
