"""Skerry: an app and its handler, whole stack on, every event's spans recorded."""

from __future__ import annotations

import sys

import uvloop
from msgspec import Struct

from skerry import App, event

from .common import EVENT, PREFETCH, Tally, publish_all


@event("payments.settled")
class PaymentSettled(Struct):
    payment_id: str
    amount: int
    currency: str
    school: str
    payer: str
    reference: str
    settled_at: str


app = App("ledger")
publisher = App("payments")
publisher.publishes(PaymentSettled)
tally = Tally()


@app.on(PaymentSettled, concurrency=PREFETCH, prefetch=PREFETCH)
async def book(settled: PaymentSettled) -> None:
    """Add what was paid."""
    tally.add(settled.amount)


async def publish() -> None:
    await publisher.start()
    await publish_all(lambda: publisher.publish(PaymentSettled(**EVENT)))
    await publisher.stop()


if __name__ == "__main__" and sys.argv[1] == "publish":
    uvloop.run(publish())
