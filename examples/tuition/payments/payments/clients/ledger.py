"""A client of ledger 1.0.0."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Struct

from skerry.clients.runtime import Client, Endpoint, Problem, body, path


class TransferReceived(Struct, frozen=True, tag_field="kind", tag=True):
    transfer_id: str
    currency: str
    amount: Decimal


class FundsAllocated(Struct, frozen=True, tag_field="kind", tag=True):
    payment_id: str
    currency: str
    amount: Decimal


class PaymentConverted(Struct, frozen=True, tag_field="kind", tag=True):
    payment_id: str
    pay_in: str
    converted: Decimal
    fee: Decimal
    currency: str
    amount: Decimal


class PaymentPaidOut(Struct, frozen=True, tag_field="kind", tag=True):
    payment_id: str
    currency: str
    amount: Decimal


class FundsReturned(Struct, frozen=True, tag_field="kind", tag=True):
    payment_id: str
    currency: str
    amount: Decimal


Event = TransferReceived | FundsAllocated | PaymentConverted | PaymentPaidOut | FundsReturned


class EventChanged(Problem, status=409):
    """This event has been booked before, and was another one."""


class Ledger(Client):
    __app__ = "ledger"

    async def record_event(self, event_id: str, event: Event) -> Any:
        return await self._call(_RECORD_EVENT, event_id, event)


_RECORD_EVENT = Endpoint[Any](
    "record_event",
    "PUT",
    "/events/{event_id}",
    path("event_id"),
    body(Event),
    answers={200: Any},
    raises={409: EventChanged},
)
