from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from schools.app import app

from skerry.app.testclient import TestClient
from skerry.data.database import Database


@pytest.fixture
async def client(database: Database) -> AsyncIterator[TestClient]:
    async with TestClient(app, overrides={Database: database}) as client:
        yield client


async def test_pages_follow_each_other(client: TestClient) -> None:
    query = {"q": "university", "country": "GB", "limit": "5"}
    first = (await client.get("/schools", query=query)).json()
    second = (await client.get("/schools", query={**query, "cursor": first["next"]})).json()
    names = [school["name"] for school in first["schools"] + second["schools"]]
    assert len(set(names)) == 10
    assert names == sorted(names, key=str.casefold)


async def test_one_school(client: TestClient) -> None:
    answer = await client.get("/schools/ku-edu-tr")
    assert answer.json() == {
        "id": "ku-edu-tr",
        "name": "Koç University",
        "country": "TR",
        "domain": "ku.edu.tr",
        "currency": "TRY",
    }
    account = (await client.get("/schools/ku-edu-tr/payout-account")).json()
    assert (account["holder"], account["scheme"]) == ("Koç University", "iban")
    for path in ("/schools/none", "/schools/none/payout-account"):
        answer = await client.get(path)
        assert (answer.status, answer.json()["type"]) == (404, "urn:problem-type:school-unknown")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"cursor": "nonsense"}, 422),
        ({"limit": "0"}, 422),
        ({"limit": "x"}, 422),
        ({"country": "Germany"}, 422),
        ({"q": "a\0b"}, 422),
        ({"q": "%_\\'"}, 200),
    ],
)
async def test_what_is_asked_badly(client: TestClient, query: dict[str, str], status: int) -> None:
    assert (await client.get("/schools", query=query)).status == status


async def test_currencies_and_health(client: TestClient) -> None:
    currencies = (await client.get("/currencies")).json()
    assert {"code": "JPY", "name": "Japanese Yen", "digits": 0, "schools": 18} in currencies
    assert (await client.get("/readyz")).json() == {
        "status": "ready",
        "checks": {"database": "ok"},
    }
