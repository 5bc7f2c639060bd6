from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from ledger.app import app

from skerry.app.testclient import TestClient
from skerry.data.database import Database

ID = "00000000-0000-0000-0000-000000000001"
RECEIVED = {"kind": "TransferReceived", "transfer_id": ID, "currency": "JPY", "amount": "500"}


@pytest.fixture
async def client(database: Database) -> AsyncIterator[TestClient]:
    async with TestClient(app, overrides={Database: database}) as client:
        yield client


async def test_an_event_is_booked_once(client: TestClient) -> None:
    for _ in range(2):
        answer = await client.put(f"/events/{ID}", json=RECEIVED)
        assert (answer.status, answer.json()["kind"]) == (200, "TransferReceived")
    changed = await client.put(f"/events/{ID}", json={**RECEIVED, "amount": "501"})
    assert (changed.status, changed.json()["type"]) == (409, "urn:problem-type:event-changed")
    assert (await client.get(f"/entries/{ID}")).json()["subject"] == ID
    found = (await client.get("/entries", query={"subject": ID})).json()
    assert len(found["entries"]) == 1
    (bank,) = (await client.get("/balances", query={"account": "bank"})).json()
    assert bank == {"account": "bank", "currency": "JPY", "balance": "500"}
    trial = (await client.get("/trial-balance")).json()
    assert (trial["entries"], trial["difference"], trial["drift"]) == (1, "0.00", [])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"kind": "Nonsense"}, 422),
        ({"amount": "0"}, 422),
        ({"amount": "0.5"}, 422),
        ({"currency": "XXX"}, 422),
        ({"transfer_id": "x"}, 422),
    ],
)
async def test_what_cannot_be_booked(
    client: TestClient, change: dict[str, Any], status: int
) -> None:
    assert (await client.put(f"/events/{ID}", json={**RECEIVED, **change})).status == status
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
