from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from quotes.app import app
from quotes.clients import schools as schools_api
from quotes.clients.schools import School, Schools

from skerry.app.testclient import TestClient
from skerry.core.clock import Clock, ManualClock
from skerry.data.database import Database

NEW = {"school_id": "unitus-it", "amount": "1250.00", "pay_in": "JPY"}
PAYMENT = {"payment_id": "00000000-0000-0000-0000-000000000001"}


class FakeSchools:
    async def get_school(self, school_id: str) -> School:
        if school_id != "unitus-it":
            raise schools_api.SchoolUnknown
        return School(id=school_id, name="Tuscia", country="IT", domain="unitus.it", currency="EUR")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def client(database: Database, clock: ManualClock) -> AsyncIterator[TestClient]:
    overrides = {Database: database, Schools: FakeSchools(), Clock: clock}
    async with TestClient(app, overrides=overrides) as client:
        yield client


async def quote(client: TestClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/quotes", json={**NEW, **changes})
    assert answer.status == 201, answer
    return dict(answer.json())


async def test_a_quote_is_what_it_says(client: TestClient) -> None:
    made = await quote(client)
    assert (made["currency"], made["amount"], made["pay_in"]) == ("EUR", "1250.00", "JPY")
    assert int(made["to_pay"]) == int(made["converted"]) + int(made["fee"])
    assert (await client.get(f"/quotes/{made['id']}")).json() == made


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"school_id": "nowhere"}, "school-unknown"),
        ({"pay_in": "KWD"}, "currency-unknown"),
        ({"amount": "1250.001"}, "amount-not-payable"),
        ({"amount": "0"}, "invalid-request"),
        ({"amount": "-1"}, "invalid-request"),
        ({"amount": "NaN"}, "invalid-request"),
        ({"amount": "1e30"}, "invalid-request"),
        ({"pay_in": "yen"}, "invalid-request"),
        ({"school_id": "../x"}, "invalid-request"),
    ],
)
async def test_what_cannot_be_quoted(
    client: TestClient, changes: dict[str, Any], kind: str
) -> None:
    answer = await client.post("/quotes", json={**NEW, **changes})
    assert (answer.status, answer.json()["type"]) == (422, f"urn:problem-type:{kind}")


async def test_taking_a_quote(client: TestClient, clock: ManualClock) -> None:
    taken, late = await quote(client), await quote(client)
    path = f"/quotes/{taken['id']}/acceptance"
    assert (await client.put(path, json=PAYMENT)).json()["payment_id"] == PAYMENT["payment_id"]
    await clock.advance(30 * 60)
    assert (await client.put(path, json=PAYMENT)).status == 200
    other = {"payment_id": "00000000-0000-0000-0000-000000000002"}
    assert (await client.put(path, json=other)).status == 409
    answer = await client.put(f"/quotes/{late['id']}/acceptance", json=other)
    assert (answer.status, answer.json()["expired"]) == (410, late["expires"])
    missing = "/quotes/00000000-0000-0000-0000-000000000000"
    assert (await client.get(missing)).status == 404


async def test_the_rates_are_there_to_see(client: TestClient) -> None:
    rates = {rate["currency"]: rate["per_euro"] for rate in (await client.get("/rates")).json()}
    assert rates["EUR"] == "1"
    assert len(rates) >= 30
