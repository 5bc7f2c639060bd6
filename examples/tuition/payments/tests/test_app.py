"""Payments as others see it, with quotes, the bank and compliance played by the tests."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from payments.app import app
from payments.clients import quotes as quotes_api
from payments.clients.bank import TransferReceived
from payments.clients.compliance import PaymentCleared, PaymentRejected
from payments.clients.payouts import PaymentPaidOut
from payments.clients.quotes import Quote, Quotes

from skerry import eventually
from skerry.app.testclient import TestClient, TestResponse
from skerry.bus.driver import Driver
from skerry.bus.event import event_type
from skerry.bus.memory import Broker, Memory
from skerry.bus.message import compose
from skerry.core.clock import Clock, ManualClock
from skerry.core.errors import ConnectError
from skerry.data.database import Database

PAYER = {"name": "Aylin Kaya", "email": "aylin@example.org", "student": "Deniz Kaya"}


class FakeQuotes:
    """Every quote exists, but for those that begin with an f; each is taken once."""

    def __init__(self) -> None:
        self.taken: dict[str, str] = {}
        self.dies_after_taking = False

    async def accept_quote(self, quote_id: str, body: Any) -> Quote:
        await asyncio.sleep(0)
        if quote_id.startswith("f"):
            raise quotes_api.QuoteUnknown
        if self.taken.setdefault(quote_id, body.payment_id) != body.payment_id:
            raise quotes_api.QuoteTaken
        if self.dies_after_taking:
            raise ConnectError("gone", app="quotes")
        now = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
        return Quote(
            id=quote_id,
            school_id="unitus-it",
            school_name="Tuscia",
            currency="EUR",
            amount=Decimal("1250.00"),
            pay_in="JPY",
            mid_rate=Decimal("160.5"),
            rate=Decimal("161.70375"),
            rate_day=now.date(),
            converted=Decimal(202_130),
            fee=Decimal(642),
            to_pay=Decimal(202_772),
            created=now,
            expires=now,
        )


@pytest.fixture
def quotes() -> FakeQuotes:
    return FakeQuotes()


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def client(
    database: Database, quotes: FakeQuotes, broker: Broker, clock: ManualClock
) -> AsyncIterator[TestClient]:
    overrides = {
        Database: database,
        Quotes: quotes,
        Clock: clock,
        Driver: Memory(broker),
    }
    async with TestClient(app, overrides=overrides) as client:
        yield client


async def publish(broker: Broker, *events: Any) -> None:
    """What other apps tell."""
    await Memory(broker).publish(
        [compose(event_type(type(event)), event, source="test") for event in events]
    )


async def told(broker: Broker, *topics: str) -> None:
    """Wait until payments has told these, and nothing else."""

    async def so() -> bool:
        found = [m.topic for m in broker.published if m.topic.startswith("payments.")]
        assert found == [f"payments.{topic}" for topic in topics]
        return True

    await eventually(so, within=30)


async def becomes(client: TestClient, payment: dict[str, Any], state: str) -> None:
    async def so() -> bool:
        found = (await client.get(f"/payments/{payment['id']}")).json()
        assert found["state"] == state
        return True

    await eventually(so, within=30)


def quote_id() -> str:
    return "0" + str(uuid4())[1:]


async def create(client: TestClient, key: str = "", quote: str = "") -> TestResponse:
    return await client.post(
        "/payments",
        json={"quote_id": quote or quote_id(), "payer": PAYER},
        headers={"idempotency-key": key or str(uuid4())},
    )


async def send(client: TestClient, payment: dict[str, Any], amount: str) -> TestResponse:
    transfer = {
        "reference": payment["reference"],
        "currency": "JPY",
        "amount": amount,
        "booked": "1970-01-02",
    }
    return await client.put(f"/transfers/{uuid4()}", json=transfer)


async def test_a_payment_from_its_quote_to_its_school(client: TestClient, broker: Broker) -> None:
    answer = await create(client)
    payment = answer.json()
    assert (answer.status, payment["state"]) == (201, "awaiting_funds")
    assert payment["send_to"]["iban"].startswith("DE")
    received = TransferReceived(
        transfer_id=str(uuid4()),
        currency="JPY",
        amount=Decimal(202_772),
        booked=dt.date(1970, 1, 2),
        sender="A. Kaya",
        reference=payment["reference"],
    )
    await publish(broker, received)
    await becomes(client, payment, "funded")
    await publish(broker, PaymentCleared(payment_id=payment["id"]))
    await becomes(client, payment, "converted")
    paid = PaymentPaidOut(
        payment_id=payment["id"], currency="EUR", amount=Decimal("1250.00"), batch="EUR-1"
    )
    await publish(broker, paid)
    await becomes(client, payment, "paid_out")
    steps = (await client.get(f"/payments/{payment['id']}/steps")).json()
    assert [step["what"] for step in steps] == [
        *("created", "transfer", "cleared", "converted", "paid_out")
    ]
    await told(broker, "funds-allocated", "funded", "converted", "settled")


async def test_a_payment_that_is_rejected(client: TestClient, broker: Broker) -> None:
    payment = (await create(client)).json()
    assert (await send(client, payment, "202772")).json()["state"] == "funded"
    await publish(broker, PaymentRejected(payment_id=payment["id"]))
    await becomes(client, payment, "refunded")
    await told(broker, "funds-allocated", "funded", "funds-returned")


async def test_what_cannot_be_is_put_aside(client: TestClient, broker: Broker) -> None:
    payment = (await create(client)).json()
    await publish(
        broker,
        PaymentPaidOut(payment_id=payment["id"], currency="EUR", amount=Decimal(1), batch="x"),
        PaymentPaidOut(payment_id=str(uuid4()), currency="EUR", amount=Decimal(1), batch="x"),
    )

    async def dead() -> bool:
        (queue,) = await Memory(broker).queues(["payments.settle"])
        return queue.dead == 2

    await eventually(dead, within=30)


async def test_one_key_one_payment(client: TestClient, quotes: FakeQuotes) -> None:
    quote = quote_id()
    answers = await asyncio.gather(*(create(client, "k", quote) for _ in range(5)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (await create(client, "k")).status == 422
    taken = await create(client, "other", quote)
    assert (taken.status, taken.json()["type"]) == (409, "urn:problem-type:quote-not-usable")
    assert (await create(client, "", "f" + quote_id()[1:])).status == 422


async def test_a_payment_without_a_key_is_refused(client: TestClient) -> None:
    answer = await client.post("/payments", json={"quote_id": quote_id(), "payer": PAYER})
    assert answer.json()["errors"][0]["pointer"] == "header/idempotency-key"


async def test_what_died_half_way_is_continued_with_the_same_key(
    client: TestClient, quotes: FakeQuotes
) -> None:
    quote = quote_id()
    quotes.dies_after_taking = True
    assert (await create(client, "k", quote)).status == 503
    quotes.dies_after_taking = False
    assert (await create(client, "k", quote)).status == 201


async def test_what_cannot_be_told_is_told_later(client: TestClient, broker: Broker) -> None:
    payment = (await create(client)).json()
    broker.reachable = False
    assert (await send(client, payment, "202772")).json()["state"] == "funded"
    broker.reachable = True
    await told(broker, "funds-allocated", "funded")


async def test_what_goes_back(client: TestClient, broker: Broker) -> None:
    payment = (await create(client)).json()
    path = f"/payments/{payment['id']}/return"
    nothing = await client.post(path)
    assert (nothing.status, nothing.json()["type"]) == (409, "urn:problem-type:nothing-to-return")
    assert (await send(client, payment, "300000")).json()["state"] == "overpaid"
    assert (await client.post(path)).json()["state"] == "funded"
    await told(broker, "funds-allocated", "funds-returned", "funded")


async def test_overdue_payments_expire(client: TestClient, clock: ManualClock) -> None:
    payment = (await create(client)).json()
    await clock.advance(14 * 24 * 3600)
    await client.post("/sweeps")
    assert (await client.get(f"/payments/{payment['id']}")).json()["state"] == "expired"
    found = (await client.get("/payments", query={"state": "expired"})).json()
    assert [one["id"] for one in found["payments"]] == [payment["id"]]


async def test_transfers_that_fit_nothing(client: TestClient) -> None:
    payment = (await create(client)).json()
    unknown = await send(client, {"reference": "RF18539007547034"}, "1")
    assert (unknown.status, unknown.json()["type"]) == (404, "urn:problem-type:reference-unknown")
    assert (await send(client, payment, "0.5")).status == 422
    missing = "/payments/00000000-0000-0000-0000-000000000000"
    for answer in (
        await client.get(missing),
        await client.get(f"{missing}/steps"),
        await client.post(f"{missing}/return"),
    ):
        assert answer.status == 404
