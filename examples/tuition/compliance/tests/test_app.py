"""Compliance as others see it, with payments, schools and quotes played by the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from compliance.app import app
from compliance.clients.payments import Parties, PaymentFunded
from compliance.clients.quotes import Quotes
from compliance.clients.schools import Schools

from skerry import eventually
from skerry.app.testclient import TestClient
from skerry.bus.driver import Driver
from skerry.bus.event import event_type
from skerry.bus.memory import Broker, Memory
from skerry.bus.message import Message, compose
from skerry.core.errors import ConnectError
from skerry.data.database import Database


class FakeSchools:
    def __init__(self) -> None:
        self.down = False

    async def get_school(self, school_id: str) -> Any:
        if self.down:
            raise ConnectError("nobody there", app="schools")
        return SimpleNamespace(id=school_id, country=school_id[-2:].upper())


class FakeQuotes:
    async def list_rates(self) -> Any:
        return [SimpleNamespace(currency="EUR", per_euro=Decimal(1))]


@pytest.fixture
def schools() -> FakeSchools:
    return FakeSchools()


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def client(
    database: Database, broker: Broker, schools: FakeSchools
) -> AsyncIterator[TestClient]:
    overrides = {
        Database: database,
        Driver: Memory(broker),
        Schools: schools,
        Quotes: FakeQuotes(),
    }
    async with TestClient(app, overrides=overrides) as client:
        yield client


def funded(payer: str = "Aylin Kaya", school: str = "unitus-it") -> PaymentFunded:
    parties = Parties(
        reference="RF18539007547034",
        payer_name=payer,
        payer_email="aylin@example.org",
        student="Deniz Kaya",
        school_id=school,
        school_name="Tuscia",
    )
    return PaymentFunded(
        payment_id=str(uuid4()), parties=parties, pay_in="EUR", to_pay=Decimal("1250.00")
    )


async def publish(broker: Broker, event: PaymentFunded) -> Message:
    message = compose(event_type(PaymentFunded), event, source="payments")
    await Memory(broker).publish([message])
    return message


async def told(broker: Broker, *topics: str) -> None:
    async def so() -> bool:
        found = [m.topic for m in broker.published if m.topic.startswith("compliance.")]
        assert found == [f"compliance.payment-{topic}" for topic in topics]
        return True

    await eventually(so, within=30)


async def test_what_nothing_speaks_against_is_cleared(client: TestClient, broker: Broker) -> None:
    event = funded()
    message = await publish(broker, event)
    await told(broker, "cleared")
    await Memory(broker).publish([message])
    other = funded()
    await publish(broker, other)
    await told(broker, "cleared", "cleared")
    case = (await client.get(f"/cases/{event.payment_id}")).json()
    assert (case["status"], case["reasons"], case["amount"]) == ("cleared", [], "1250.00")
    decision = {"verdict": "reject", "by": "Noor"}
    answer = await client.post(f"/cases/{event.payment_id}/decision", json=decision)
    assert (answer.status, answer.json()["state"]) == (409, "cleared")


@pytest.mark.parametrize(("verdict", "topic"), [("release", "cleared"), ("reject", "rejected")])
async def test_what_is_held_waits_for_a_person(
    client: TestClient, broker: Broker, verdict: str, topic: str
) -> None:
    event = funded(payer="MALENKO, Viktor", school="tehran-ir")
    await publish(broker, event)
    await told(broker, "held")
    (case,) = (await client.get("/cases?status=open")).json()["cases"]
    assert len(case["reasons"]) == 2
    decision = {"verdict": verdict, "by": "Noor", "note": "a namesake, born in 2004"}
    path = f"/cases/{event.payment_id}/decision"
    answer = await client.post(path, json=decision)
    assert (answer.status, answer.json()["decided_by"]) == (200, "Noor")
    await told(broker, "held", topic)
    assert (await client.post(path, json=decision)).status == 409
    assert (await client.get("/cases?status=open")).json()["cases"] == []


async def test_while_schools_does_not_answer_nothing_is_decided(
    client: TestClient, broker: Broker, schools: FakeSchools
) -> None:
    schools.down = True
    await publish(broker, funded())

    async def waits() -> bool:
        (queue,) = await Memory(broker).queues(["compliance.screen"])
        return queue.delayed == 1

    await eventually(waits, within=30)
    schools.down = False
    await told(broker, "cleared")


async def test_cases_that_are_none(client: TestClient) -> None:
    missing = "/cases/00000000-0000-0000-0000-000000000000"
    assert (await client.get(missing)).status == 404
    decision = {"verdict": "reject", "by": "Noor"}
    assert (await client.post(f"{missing}/decision", json=decision)).status == 404
    assert (await client.post(f"{missing}/decision", json={"verdict": "x", "by": ""})).status == 422


async def test_pages_of_cases(client: TestClient, broker: Broker) -> None:
    for _ in range(3):
        await publish(broker, funded())
    await told(broker, "cleared", "cleared", "cleared")
    first = (await client.get("/cases?limit=2")).json()
    rest = (await client.get(f"/cases?limit=2&after={first['next']}")).json()
    assert len({case["payment_id"] for case in first["cases"] + rest["cases"]}) == 3
    assert rest["next"] is None
