"""What the ledger hears, and the one way in which each becomes a journal entry.

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

from ledger.accounts import Account
from ledger.clients.bank import TransferReceived
from ledger.clients.payments import FundsAllocated, FundsReturned, PaymentConverted
from ledger.clients.payouts import PaymentPaidOut
from ledger.money import NotAnAmount, to_minor

Line = tuple[Account, str, int]
"""An account, a currency, and minor units: positive is debit, negative is credit."""

Event = TransferReceived | FundsAllocated | PaymentConverted | PaymentPaidOut | FundsReturned


def lines(event: Event) -> list[Line]:
    """The journal entry of an event; lines of nothing are left out.

    Raises:
        NotAnAmount: a currency nobody pays in, more decimals than it has, or nothing at all.
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
            converted = _positive(event.converted, event.pay_in)
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
    units = _positive(event.amount, event.currency)
    yield (debit, event.currency, units)
    yield (credit, event.currency, -units)


def _positive(amount: Decimal, currency: str) -> int:
    if amount <= 0:
        raise NotAnAmount(f"{amount} {currency} does not move")
    return to_minor(amount, currency)
