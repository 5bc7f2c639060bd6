"""What compliance tells: whether a payment may go on."""

from __future__ import annotations

from msgspec import Struct

from skerry import event


@event("compliance.payment-cleared", key="payment_id")
class PaymentCleared(Struct, frozen=True):
    """Nothing stands in the payment's way, or a person has released it."""

    payment_id: str


@event("compliance.payment-held", key="payment_id")
class PaymentHeld(Struct, frozen=True):
    """A person has to look at the payment first."""

    payment_id: str
    reasons: list[str]


@event("compliance.payment-rejected", key="payment_id")
class PaymentRejected(Struct, frozen=True):
    """A person has decided that the money goes back."""

    payment_id: str
