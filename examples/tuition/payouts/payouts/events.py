"""What payouts tells: a school has its money."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from skerry import event


@event("payouts.payment-paid-out", key="payment_id")
class PaymentPaidOut(Struct, frozen=True):
    """The bank has booked the transfer to the school.

    Attributes:
        batch: the file in which it was ordered.
    """

    payment_id: str
    currency: str
    amount: Decimal
    batch: str
