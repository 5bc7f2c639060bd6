"""Events as others publish them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from ledger.clients.bank import TransferReceived
from ledger.clients.payments import FundsAllocated, FundsReturned, Parties, PaymentConverted
from ledger.clients.payouts import PaymentPaidOut

P = "00000000-0000-0000-0000-000000000001"
T = "00000000-0000-0000-0000-000000000002"
PARTIES = Parties(
    reference="RF18539007547034",
    payer_name="Aylin Kaya",
    payer_email="aylin@example.org",
    student="Deniz Kaya",
    school_id="unitus-it",
    school_name="Tuscia",
)


def received(currency: str = "EUR", amount: str = "12.30", about: str = T) -> TransferReceived:
    return TransferReceived(
        transfer_id=about,
        currency=currency,
        amount=Decimal(amount),
        booked=date(2026, 11, 2),
        sender="A. Kaya",
    )


def allocated(currency: str, amount: str) -> FundsAllocated:
    return FundsAllocated(
        payment_id=P,
        transfer_id=T,
        reference=PARTIES.reference,
        currency=currency,
        amount=Decimal(amount),
    )


def converted(
    pay_in: str, converted: str, fee: str, currency: str, amount: str
) -> PaymentConverted:
    return PaymentConverted(
        payment_id=P,
        parties=PARTIES,
        pay_in=pay_in,
        converted=Decimal(converted),
        fee=Decimal(fee),
        currency=currency,
        amount=Decimal(amount),
    )


def paid_out(currency: str, amount: str) -> PaymentPaidOut:
    return PaymentPaidOut(payment_id=P, currency=currency, amount=Decimal(amount), batch="EUR-1")


def returned(currency: str, amount: str) -> FundsReturned:
    return FundsReturned(payment_id=P, parties=PARTIES, currency=currency, amount=Decimal(amount))
