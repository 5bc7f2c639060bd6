"""Payouts as others see it, with payments, schools and the bank played by the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.etree.ElementTree import fromstring

import msgspec
import pytest
from payouts import pain
from payouts.app import app
from payouts.clients.bank import TransferSent
from payouts.clients.payments import Parties, PaymentConverted
from payouts.clients.schools import PayoutAccount, Schools, SchoolUnknown
from payouts.folder import Folder

from skerry import eventually
from skerry.app.testclient import TestClient
from skerry.bus.driver import Driver
from skerry.bus.event import event_type
from skerry.bus.memory import Broker, Memory
from skerry.bus.message import Message, compose
from skerry.data.database import Database


class FakeSchools:
    async def get_payout_account(self, school_id: str) -> PayoutAccount:
        if school_id == "gone":
            raise SchoolUnknown
        return PayoutAccount(
            school_id=school_id,
            holder=f"School {school_id}",
            currency="EUR",
            scheme="iban",
            account="DE89370400440532013000",
            bank="COBADEFFXXX",
        )


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "orders")


@pytest.fixture
async def client(database: Database, broker: Broker, folder: Folder) -> AsyncIterator[TestClient]:
    overrides = {
        Database: database,
        Driver: Memory(broker),
        Schools: FakeSchools(),
        Folder: folder,
    }
    async with TestClient(app, overrides=overrides) as client:
        yield client


def converted(
    amount: str = "1250.00", currency: str = "EUR", school: str = "unitus-it"
) -> PaymentConverted:
    parties = Parties(
        reference="RF18539007547034",
        payer_name="Aylin Kaya",
        payer_email="aylin@example.org",
        student="Deniz Kaya",
        school_id=school,
        school_name="Tuscia",
    )
    return PaymentConverted(
        payment_id=str(uuid4()),
        parties=parties,
        pay_in="JPY",
        converted=Decimal(202_130),
        fee=Decimal(642),
        currency=currency,
        amount=Decimal(amount),
    )


def sent(payment: PaymentConverted, **changed: Any) -> TransferSent:
    given = {
        "transfer_id": str(uuid4()),
        "currency": payment.currency,
        "amount": payment.amount,
        "booked": date(2026, 11, 3),
        "end_to_end": pain.end_to_end_of(payment.payment_id),
    }
    return TransferSent(**{**given, **changed})


async def publish(broker: Broker, *events: Any) -> list[Message]:
    messages = [compose(event_type(type(event)), event, source="test") for event in events]
    await Memory(broker).publish(messages)
    return messages


async def statuses(client: TestClient, count: int, status: str) -> list[dict[str, Any]]:
    """Wait until so many payouts have come as far."""

    async def so() -> list[dict[str, Any]]:
        found = (await client.get("/payouts", query={"status": status})).json()["payouts"]
        assert len(found) == count
        return list(found)

    return await eventually(so, within=30)


async def told(broker: Broker, count: int) -> list[dict[str, Any]]:
    async def so() -> list[dict[str, Any]]:
        found = [m for m in broker.published if m.topic == "payouts.payment-paid-out"]
        assert len(found) == count
        return [msgspec.json.decode(message.body) for message in found]

    return await eventually(so, within=30)


def ordered(folder: Folder) -> list[str]:
    """The end-to-end ids of all orders that the bank has been given."""
    return [
        element.text or ""
        for file in folder.path.glob("*.xml")
        for element in fromstring(file.read_bytes()).iter(f"{{{pain.NAMESPACE}}}EndToEndId")
    ]


async def test_what_schools_are_owed_is_ordered_once_and_paid_when_the_bank_says_so(
    client: TestClient, broker: Broker, folder: Folder
) -> None:
    payments = [converted("10.00"), converted("5.50", school="ku-edu-tr"), converted("700", "JPY")]
    messages = await publish(broker, *payments)
    await Memory(broker).publish(messages)  # told twice
    found = await statuses(client, 3, "ordered")
    assert {payout["payment_id"] for payout in found} == {each.payment_id for each in payments}
    await client.post("/sweeps")
    assert sorted(ordered(folder)) == sorted(pain.end_to_end_of(p.payment_id) for p in payments)
    batches = (await client.get("/batches")).json()
    assert {f"{batch['batch']}.xml" for batch in batches} == {f.name for f in folder.path.iterdir()}
    assert all(batch["handed"] for batch in batches)

    await publish(broker, *(sent(payment) for payment in payments))
    paid = await told(broker, 3)
    assert {event["payment_id"] for event in paid} == {each.payment_id for each in payments}
    assert (await client.get("/totals")).json() == [
        {"currency": "EUR", "status": "paid", "payouts": 2, "amount": "15.50"},
        {"currency": "JPY", "status": "paid", "payouts": 1, "amount": "700"},
    ]


async def test_a_file_that_was_not_noted_is_handed_over_again_as_it_was(
    client: TestClient, broker: Broker, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it had died after the file was there and before that was written down."""
    handed: list[tuple[str, bytes]] = []
    hand_over = Folder.hand_over

    def die_once(self: Folder, batch: str, content: bytes) -> None:
        hand_over(self, batch, content)
        handed.append((batch, content))
        if len(handed) == 1:
            raise OSError("killed")

    monkeypatch.setattr(Folder, "hand_over", die_once)
    await publish(broker, converted())

    async def handed_twice() -> bool:
        await client.post("/sweeps")
        return len(handed) >= 2

    await eventually(handed_twice, within=30)
    assert len(set(handed)) == 1
    assert len(ordered(folder)) == 1


async def test_many_sweeps_at_once_order_once(
    client: TestClient, broker: Broker, folder: Folder
) -> None:
    await publish(broker, *(converted() for _ in range(10)))

    async def swept() -> bool:
        await asyncio.gather(*(client.post("/sweeps") for _ in range(4)))
        return len(ordered(folder)) >= 10

    await eventually(swept, within=30)
    assert len(set(ordered(folder))) == len(ordered(folder)) == 10


async def test_what_the_bank_says_and_nobody_ordered_is_put_aside(
    client: TestClient, broker: Broker
) -> None:
    payment = converted()
    await publish(broker, payment)
    await statuses(client, 1, "ordered")
    await publish(
        broker,
        sent(payment, amount=Decimal("1250.01")),
        sent(payment, currency="USD"),
        sent(payment, end_to_end="NOTPROVIDED"),
        sent(payment, end_to_end=pain.end_to_end_of(str(uuid4()))),
        sent(payment),
        sent(payment),
    )

    async def dead() -> bool:
        (queue,) = await Memory(broker).queues(["payouts.confirm"])
        return queue.dead == 3 and not queue.ready + queue.leased

    await eventually(dead, within=30)
    assert len(await told(broker, 1)) == 1


async def test_a_school_that_is_gone_is_put_aside(client: TestClient, broker: Broker) -> None:
    await publish(broker, converted(school="gone"))

    async def dead() -> bool:
        (queue,) = await Memory(broker).queues(["payouts.owe"])
        return queue.dead == 1

    await eventually(dead, within=30)
    assert (await client.get("/payouts")).json() == {"payouts": [], "next": None}


async def test_pages_of_payouts(client: TestClient, broker: Broker) -> None:
    await publish(broker, *(converted() for _ in range(3)))
    await statuses(client, 3, "ordered")
    first = (await client.get("/payouts?limit=2")).json()
    rest = (await client.get(f"/payouts?limit=2&after={first['next']}")).json()
    ids = {payout["payment_id"] for payout in first["payouts"] + rest["payouts"]}
    assert (len(ids), rest["next"]) == (3, None)
