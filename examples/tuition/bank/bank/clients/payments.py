"""A client of payments 1.0.0."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from skerry.clients.runtime import Client, Endpoint, Problem, body, idempotency_key, path


class State(StrEnum):
    AWAITING_FUNDS = "awaiting_funds"
    UNDERPAID = "underpaid"
    FUNDED = "funded"
    OVERPAID = "overpaid"
    CONVERTED = "converted"
    PAID_OUT = "paid_out"
    EXPIRED = "expired"
    REFUNDED = "refunded"


class Payer(Struct, frozen=True):
    name: str
    email: str
    student: str


class NewPayment(Struct, frozen=True):
    quote_id: str
    payer: Payer


class Account(Struct, frozen=True):
    iban: str
    bic: str
    holder: str
    currency: str


class Payment(Struct, frozen=True):
    id: str
    reference: str
    state: State
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


class Step(Struct, frozen=True):
    what: str
    state: State
    at: datetime
    amount: Decimal | None = None
    currency: str | None = None


class Transfer(Struct, frozen=True):
    reference: str
    currency: str
    amount: Decimal
    booked: date
    sender: str = ""


class PaymentUnknown(Problem, status=404):
    """There is no such payment."""


class ReferenceUnknown(Problem, status=404):
    """No payment has this reference."""

    reference: str


class CurrencyMismatch(Problem, status=409):
    """The transfer is in another currency than the payment asks for."""

    expected: str
    currency: str


class TransferChanged(Problem, status=409):
    """This transfer has been recorded before, and was another one."""


class AmountNotPayable(Problem, status=422):
    """The currency has no such amount."""

    currency: str


class QuoteUnknown(Problem, status=422):
    """There is no such quote."""

    quote_id: str


class QuoteNotUsable(Problem, status=409):
    """The quote has expired, or another payment was made of it."""

    quote_id: str


class Payments(Client):
    __app__ = "payments"

    async def create_payment(
        self, new: NewPayment, *, idempotency_key: str | None = None
    ) -> Payment:
        return await self._call(_CREATE_PAYMENT, new, idempotency_key)

    async def get_payment(self, payment_id: str) -> Payment:
        return await self._call(_GET_PAYMENT, payment_id)

    async def list_steps(self, payment_id: str) -> list[Step]:
        return await self._call(_LIST_STEPS, payment_id)

    async def record_transfer(self, transfer_id: str, transfer: Transfer) -> Payment:
        return await self._call(_RECORD_TRANSFER, transfer_id, transfer)


_CREATE_PAYMENT = Endpoint[Payment](
    "create_payment",
    "POST",
    "/payments",
    body(NewPayment),
    idempotency_key(),
    answers={201: Payment},
    raises={409: QuoteNotUsable, 422: QuoteUnknown},
)
_GET_PAYMENT = Endpoint[Payment](
    "get_payment",
    "GET",
    "/payments/{payment_id}",
    path("payment_id"),
    answers={200: Payment},
    raises={404: PaymentUnknown},
)
_LIST_STEPS = Endpoint[list[Step]](
    "list_steps",
    "GET",
    "/payments/{payment_id}/steps",
    path("payment_id"),
    answers={200: list[Step]},
    raises={404: PaymentUnknown},
)
_RECORD_TRANSFER = Endpoint[Payment](
    "record_transfer",
    "PUT",
    "/transfers/{transfer_id}",
    path("transfer_id"),
    body(Transfer),
    answers={200: Payment},
    raises={404: ReferenceUnknown, 409: (CurrencyMismatch, TransferChanged), 422: AmountNotPayable},
)
