"""What payments is asked and answers with. Amounts are decimals of the currency beside them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from annotated_types import Gt, Le
from msgspec import Meta, Struct

from payments.accounts import Account
from payments.machine import Screening, State

Id = Annotated[str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Reference = Annotated[
    str, Meta(pattern="^RF[0-9]{2}[0-9A-Z]{1,21}$", examples=["RF18539007547034"])
]
CurrencyCode = Annotated[str, Meta(pattern="^[A-Z]{3}$", examples=["EUR"])]
Amount = Annotated[Decimal, Gt(Decimal(0)), Le(Decimal(1_000_000_000_000))]
Name = Annotated[str, Meta(min_length=1, max_length=140, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$")]
Email = Annotated[
    str,
    Meta(max_length=254, pattern=r"^[A-Za-z0-9._%+'-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"),
]


class Payer(Struct, frozen=True):
    """Who pays, and for whom.

    Attributes:
        student: as the school knows them.
    """

    name: Name
    email: Email
    student: Name


class NewPayment(Struct, frozen=True):
    """A payment at the price of a quote."""

    quote_id: Id
    payer: Payer


class Payment(Struct, frozen=True):
    """One payment to one school.

    Attributes:
        reference: what the payer writes into the transfer (ISO 11649).
        screening: what compliance says of it.
        currency: the school's, of ``amount``.
        pay_in: the payer's, of every other sum.
        to_pay: what is asked for, the fee included.
        held: the payer's money that is here and has not been converted.
        due: the last day on which the money may be booked.
        send_to: the account the money must come to.
    """

    id: str
    reference: str
    state: State
    screening: Screening
    school_id: str
    school_name: str
    payer: Payer
    currency: str
    amount: Decimal
    pay_in: str
    rate: Decimal
    converted: Decimal
    fee: Decimal
    to_pay: Decimal
    held: Decimal
    created: datetime
    due: date
    send_to: Account


class PaymentPage(Struct, frozen=True):
    """Some payments, newest first.

    Attributes:
        next: give it as ``before`` for older ones; absent at the end.
    """

    payments: list[Payment]
    next: int | None = None


class Step(Struct, frozen=True):
    """One thing that happened to a payment.

    Attributes:
        what: ``created``, ``transfer``, ``held``, ``cleared``, ``rejected``, ``converted``,
            ``paid_out``, ``returned``, ``expired``.
        amount: the money that moved, if any, in ``currency``.
    """

    what: str
    state: State
    at: datetime
    amount: Decimal | None = None
    currency: str | None = None


class Transfer(Struct, frozen=True):
    """Money that a bank says has come.

    Attributes:
        booked: the day the bank booked it.
        sender: whose account it came from, as far as the bank says.
    """

    reference: Reference
    currency: CurrencyCode
    amount: Amount
    booked: date
    sender: Annotated[str, Meta(max_length=140, pattern=r"^[^\x00]*$")] = ""


class Sweep(Struct, frozen=True):
    """What was left to do, and has been done.

    Attributes:
        expired: payments whose money did not come in time.
    """

    expired: int
