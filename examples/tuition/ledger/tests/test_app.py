from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from ledger.app import app
from samples import P, allocated, converted, paid_out, received

from skerry import eventually
from skerry.app.testclient import TestClient
from skerry.bus.driver import Driver
from skerry.bus.event import event_type
from skerry.bus.memory import Broker, Memory
from skerry.bus.message import Message, compose
from skerry.data.database import Database

ID = "00000000-0000-0000-0000-000000000001"
EVENTS = (
    received("JPY", "202772"),
    allocated("JPY", "202772"),
    converted("JPY", "202130", "642", "EUR", "1250.00"),
    paid_out("EUR", "1250.00"),
)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def client(database: Database, broker: Broker) -> AsyncIterator[TestClient]:
    overrides = {Database: database, Driver: Memory(broker)}
    async with TestClient(app, overrides=overrides) as client:
        yield client


async def publish(broker: Broker, *events: Any) -> list[Message]:
    messages = [compose(event_type(type(event)), event, source="test") for event in events]
    await Memory(broker).publish(messages)
    return messages


async def test_what_happens_is_booked_under_its_own_id(client: TestClient, broker: Broker) -> None:
    messages = await publish(broker, *EVENTS)

    async def booked() -> bool:
        return (await client.get("/trial-balance")).json()["entries"] == len(EVENTS)

    await eventually(booked, within=30)
    for message in messages:
        assert (await client.get(f"/entries/{message.id}")).status == 200
    found = (await client.get("/entries", query={"subject": P})).json()["entries"]
    assert sorted(entry["kind"] for entry in found) == [
        *("FundsAllocated", "PaymentConverted", "PaymentPaidOut")
    ]
    left = (await client.get("/balances", query={"account": "bank"})).json()
    assert {row["currency"]: row["balance"] for row in left} == {
        "JPY": "202772",
        "EUR": "-1250.00",
    }
    trial = (await client.get("/trial-balance")).json()
    assert (trial["difference"], trial["drift"]) == ("0.00", [])


async def test_what_is_delivered_twice_is_booked_once(client: TestClient, broker: Broker) -> None:
    (message,) = await publish(broker, received())
    await Memory(broker).publish([message, message])
    (last,) = await publish(broker, received("JPY", "5"))

    async def booked() -> bool:
        return (await client.get(f"/entries/{last.id}")).status == 200

    async def nothing_waits() -> bool:
        (queue,) = await Memory(broker).queues(["ledger.book"])
        return not queue.ready + queue.leased + queue.delayed

    await eventually(booked, within=30)
    await eventually(nothing_waits, within=30)
    assert (await client.get("/trial-balance")).json()["entries"] == 2


@pytest.mark.parametrize(
    "event", [received("JPY", "0.5"), received("JPY", "-5"), received("XXX", "1")]
)
async def test_what_cannot_be_booked_is_put_aside(
    client: TestClient, broker: Broker, event: Any
) -> None:
    await publish(broker, event)

    async def dead() -> bool:
        (queue,) = await Memory(broker).queues(["ledger.book"])
        return queue.dead == 1

    await eventually(dead, within=30)
    assert (await client.get("/trial-balance")).json()["entries"] == 0


async def test_an_entry_by_hand(client: TestClient) -> None:
    line = {"account": "bank", "side": "debit", "currency": "EUR", "amount": "3.00"}
    against = {**line, "account": "fees", "side": "credit"}
    answer = await client.put(
        f"/entries/{ID}", json={"text": "bank charges", "postings": [line, against]}
    )
    assert (answer.status, answer.json()["kind"]) == (200, "Manual")
    answer = await client.put(
        f"/entries/{ID[:-1]}2", json={"text": "x", "postings": [line, {**against, "amount": "2"}]}
    )
    assert (answer.status, answer.json()["difference"]) == (422, "1.00")
    assert (await client.get(f"/entries/{ID[:-1]}2")).status == 404
