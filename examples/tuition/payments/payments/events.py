"""What payments tells the rest of the company. Each says all that a reader needs to know."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct


class FundsAllocated(Struct, frozen=True, tag_field="kind", tag=True):
    """Money that had come turned out to be for this payment."""

    payment_id: str
    currency: str
    amount: Decimal


class PaymentConverted(Struct, frozen=True, tag_field="kind", tag=True):
    """The payer's money has become the school's, at the rate that was locked.

    Attributes:
        pay_in: the currency of ``converted`` and ``fee``.
        currency: the school's, of ``amount``.
    """

    payment_id: str
    pay_in: str
    converted: Decimal
    fee: Decimal
    currency: str
    amount: Decimal


class PaymentPaidOut(Struct, frozen=True, tag_field="kind", tag=True):
    """The school has been paid."""

    payment_id: str
    currency: str
    amount: Decimal


class FundsReturned(Struct, frozen=True, tag_field="kind", tag=True):
    """Money has gone back to the payer."""

    payment_id: str
    currency: str
    amount: Decimal


Event = FundsAllocated | PaymentConverted | PaymentPaidOut | FundsReturned
