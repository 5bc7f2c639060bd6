"""What bank is asked and answers with. Amounts are decimals of the currency beside them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from bank.models import Status

Id = Annotated[str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Reference = Annotated[
    str, Meta(pattern="^RF[0-9]{2}[0-9A-Z]{1,21}$", examples=["RF18539007547034"])
]


class Reading(Struct, frozen=True):
    """What came of reading one statement.

    Attributes:
        entries: transfers it lists.
        new: those that no earlier statement listed.
        matched: transfers of this statement that a payment has.
        unmatched: those that a person has to look at.
        waiting: those of which payments has yet to say whose they are.
    """

    account: str
    statement: str
    currency: str
    entries: int
    new: int
    matched: int
    unmatched: int
    waiting: int


class Statement(Struct, frozen=True):
    """A statement that has been read."""

    account: str
    statement: str
    currency: str
    opening: Decimal
    closing: Decimal
    read: datetime


class Transfer(Struct, frozen=True):
    """Money that has come, or, with a negative amount, gone.

    Attributes:
        bank_reference: the bank's own number of it.
        text: what the sender wrote.
        reference: the payment reference found in it.
        reason: why nobody has it yet.
    """

    id: str
    currency: str
    amount: Decimal
    booked: date
    bank_reference: str
    sender: str
    text: str
    status: Status
    reference: str | None = None
    payment_id: str | None = None
    reason: str = ""


class TransferPage(Struct, frozen=True):
    """Some transfers, oldest first.

    Attributes:
        next: give it as ``after`` for newer ones; absent at the end.
    """

    transfers: list[Transfer]
    next: int | None = None


class Match(Struct, frozen=True):
    """Whose money it is, by a person's judgement."""

    reference: Reference


class Sweep(Struct, frozen=True):
    """What was left to do, and has been done.

    Attributes:
        files: that lay in the inbox.
    """

    files: int
