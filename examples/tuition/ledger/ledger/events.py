"""What the ledger is told, and the one way in which each becomes a journal entry.

::

    TransferReceived    bank             → unallocated        in the payer's currency
    FundsAllocated      unallocated      → client funds
    PaymentConverted    client funds     → fees, fx position
                        fx position      → schools payable    in the school's currency
    PaymentPaidOut      schools payable  → bank
    FundsReturned       client funds     → bank

(debit → credit; every currency balances by itself, so no rate ever enters the books.)
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

from annotated_types import Ge, Gt, Le
from msgspec import Meta, Struct

from ledger.accounts import Account
from ledger.money import to_minor

Id = Annotated[str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
CurrencyCode = Annotated[str, Meta(pattern="^[A-Z]{3}$", examples=["EUR"])]
Amount = Annotated[Decimal, Gt(Decimal(0)), Le(Decimal(1_000_000_000_000))]
AmountOrNone = Annotated[Decimal, Ge(Decimal(0)), Le(Decimal(1_000_000_000_000))]

Line = tuple[Account, str, int]
"""An account, a currency, and minor units: positive is debit, negative is credit."""


class TransferReceived(Struct, frozen=True, tag_field="kind", tag=True):
    """A bank says that money has come."""

    transfer_id: Id
    currency: CurrencyCode
    amount: Amount


class FundsAllocated(Struct, frozen=True, tag_field="kind", tag=True):
    """Money that had come turned out to be for this payment."""

    payment_id: Id
    currency: CurrencyCode
    amount: Amount


class PaymentConverted(Struct, frozen=True, tag_field="kind", tag=True):
    """The payer's money has become the school's.

    Attributes:
        pay_in: the currency of ``converted`` and ``fee``.
        currency: the school's, of ``amount``.
    """

    payment_id: Id
    pay_in: CurrencyCode
    converted: Amount
    fee: AmountOrNone
    currency: CurrencyCode
    amount: Amount


class PaymentPaidOut(Struct, frozen=True, tag_field="kind", tag=True):
    """The school has been paid."""

    payment_id: Id
    currency: CurrencyCode
    amount: Amount


class FundsReturned(Struct, frozen=True, tag_field="kind", tag=True):
    """Money has gone back to the payer."""

    payment_id: Id
    currency: CurrencyCode
    amount: Amount


Event = TransferReceived | FundsAllocated | PaymentConverted | PaymentPaidOut | FundsReturned


def lines(event: Event) -> list[Line]:
    """The journal entry of an event; lines of nothing are left out.

    Raises:
        NotAnAmount: a currency nobody pays in, or more decimals than it has.
    """
    return [line for line in _lines(event) if line[2] != 0]


def subject(event: Event) -> str:
    """What the event is about: the id that its entry can be found by."""
    return event.transfer_id if isinstance(event, TransferReceived) else event.payment_id


def _lines(event: Event) -> Iterator[Line]:
    match event:
        case TransferReceived():
            yield from _moved(Account.BANK, Account.UNALLOCATED, event)
        case FundsAllocated():
            yield from _moved(Account.UNALLOCATED, Account.CLIENT_FUNDS, event)
        case PaymentConverted():
            converted = to_minor(event.converted, event.pay_in)
            fee = to_minor(event.fee, event.pay_in)
            yield (Account.CLIENT_FUNDS, event.pay_in, converted + fee)
            yield (Account.FEES, event.pay_in, -fee)
            yield (Account.FX_POSITION, event.pay_in, -converted)
            yield from _moved(Account.FX_POSITION, Account.SCHOOLS_PAYABLE, event)
        case PaymentPaidOut():
            yield from _moved(Account.SCHOOLS_PAYABLE, Account.BANK, event)
        case FundsReturned():
            yield from _moved(Account.CLIENT_FUNDS, Account.BANK, event)


def _moved(debit: Account, credit: Account, event: Event) -> Iterator[Line]:
    units = to_minor(event.amount, event.currency)
    yield (debit, event.currency, units)
    yield (credit, event.currency, -units)
