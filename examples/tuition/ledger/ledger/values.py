"""What the ledger is asked and answers with. Amounts are decimals of the currency beside them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from annotated_types import Gt, Le
from msgspec import Meta, Struct

from ledger.accounts import Account

Id = Annotated[str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
CurrencyCode = Annotated[str, Meta(pattern="^[A-Z]{3}$", examples=["EUR"])]
Amount = Annotated[Decimal, Gt(Decimal(0)), Le(Decimal(1_000_000_000_000))]


class Side(StrEnum):
    DEBIT = "debit"
    CREDIT = "credit"


class Posting(Struct, frozen=True):
    """One line of an entry."""

    account: Account
    side: Side
    currency: CurrencyCode
    amount: Amount


class NewEntry(Struct, frozen=True):
    """A journal entry by hand, as accountants make them."""

    text: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
    postings: Annotated[list[Posting], Meta(min_length=2, max_length=100)]


class Entry(Struct, frozen=True):
    """A journal entry. It never changes; a mistake is corrected by another entry.

    Attributes:
        id: of the event that was booked.
        kind: the event's name, or ``Manual``.
        subject: the payment or transfer it is about; for a manual entry, its text.
    """

    id: str
    kind: str
    subject: str
    booked: datetime
    postings: list[Posting]


class EntryPage(Struct, frozen=True):
    """Some entries, newest first.

    Attributes:
        next: give it as ``before`` for older ones; absent at the end.
    """

    entries: list[Entry]
    next: int | None = None


class Balance(Struct, frozen=True):
    """What an account has of one currency.

    Attributes:
        balance: debits less credits: positive for assets, negative for what is owed.
    """

    account: Account
    currency: str
    balance: Decimal


class TrialRow(Struct, frozen=True):
    """All debits and all credits of one account in one currency."""

    account: Account
    currency: str
    debit: Decimal
    credit: Decimal


class Total(Struct, frozen=True):
    """One currency's debits and credits over all accounts."""

    currency: str
    debit: Decimal
    credit: Decimal
    difference: Decimal


class TrialBalance(Struct, frozen=True):
    """Every posting ever made, added up anew.

    Attributes:
        entries: how many entries were added up.
        totals: per currency; debits equal credits in each.
        difference: the sum of all totals' differences without their signs: 0.00, or the books
            are wrong.
        drift: accounts whose running balance is not what their postings add up to: none.
    """

    entries: int
    rows: list[TrialRow]
    totals: list[Total]
    difference: Decimal
    drift: list[Balance]
