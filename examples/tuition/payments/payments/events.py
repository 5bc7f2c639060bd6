"""What payments tells the rest of the company. Each says all that a reader needs to know."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from skerry import event


class Parties(Struct, frozen=True):
    """Who pays, for whom, and whom.

    Attributes:
        reference: what the payer knows the payment by.
        student: as the school knows them.
    """

    reference: str
    payer_name: str
    payer_email: str
    student: str
    school_id: str
    school_name: str


@event("payments.funds-allocated", key="payment_id")
class FundsAllocated(Struct, frozen=True):
    """Money that had come turned out to be for this payment."""

    payment_id: str
    transfer_id: str
    reference: str
    currency: str
    amount: Decimal


@event("payments.transfer-refused", key="transfer_id")
class TransferRefused(Struct, frozen=True):
    """Money that had come is for no payment, whatever its reference says."""

    transfer_id: str
    reason: str


@event("payments.funded", key="payment_id")
class PaymentFunded(Struct, frozen=True):
    """All the money that was asked for is here. It waits to be cleared.

    Attributes:
        pay_in: the currency of ``to_pay``.
    """

    payment_id: str
    parties: Parties
    pay_in: str
    to_pay: Decimal


@event("payments.converted", key="payment_id")
class PaymentConverted(Struct, frozen=True):
    """The payer's money has become the school's, at the rate that was locked.

    Attributes:
        pay_in: the currency of ``converted`` and ``fee``.
        currency: the school's, of ``amount``.
    """

    payment_id: str
    parties: Parties
    pay_in: str
    converted: Decimal
    fee: Decimal
    currency: str
    amount: Decimal


@event("payments.settled", key="payment_id")
class PaymentSettled(Struct, frozen=True):
    """The school has been paid, and nothing is left to do."""

    payment_id: str
    parties: Parties
    currency: str
    amount: Decimal


@event("payments.funds-returned", key="payment_id")
class FundsReturned(Struct, frozen=True):
    """Money has gone back to the payer."""

    payment_id: str
    parties: Parties
    currency: str
    amount: Decimal


Event = FundsAllocated | PaymentFunded | PaymentConverted | PaymentSettled | FundsReturned
"""What can happen to a payment."""
