"""What payouts answers with. Amounts are decimals of the currency beside them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from payouts.models import Status


class Payout(Struct, frozen=True):
    """What a school is paid for one payment.

    Attributes:
        batch: the file in which it was ordered; absent before.
    """

    payment_id: str
    status: Status
    school_id: str
    holder: str
    currency: str
    amount: Decimal
    batch: str | None = None


class PayoutPage(Struct, frozen=True):
    """Some payouts, oldest first.

    Attributes:
        next: give it as ``after`` for newer ones; absent at the end.
    """

    payouts: list[Payout]
    next: int | None = None


class Batch(Struct, frozen=True):
    """One file of orders.

    Attributes:
        payouts: how many it orders.
        handed: when the bank got it; absent before.
    """

    batch: str
    currency: str
    payouts: int
    total: Decimal
    made: datetime
    handed: datetime | None = None


class Total(Struct, frozen=True):
    """All payouts of one currency that have come as far."""

    currency: str
    status: Status
    payouts: int
    amount: Decimal


class Sweep(Struct, frozen=True):
    """What was left to do, and has been done.

    Attributes:
        files: that were put into the bank's folder.
    """

    files: int
