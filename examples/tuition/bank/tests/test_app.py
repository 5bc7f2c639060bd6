"""Bank as others see it, with payments and the ledger played by the tests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bank.app import app
from bank.clients import payments as payments_api
from bank.clients.ledger import Ledger, TransferReceived
from bank.clients.payments import Payments
from bank.generate import Noise, Payin, statement
from bank.inbox import Inbox

from skerry.app.testclient import TestClient
from skerry.core.clock import Clock, ManualClock
from skerry.core.errors import ConnectError
from skerry.data.database import Database

OURS, OTHER = "RF18539007547034", "RF74000000000001"
XML = {"content-type": "application/xml"}


class FakeLedger:
    def __init__(self) -> None:
        self.told: dict[str, TransferReceived] = {}
        self.down = False

    async def record_event(self, event_id: str, event: Any) -> None:
        await asyncio.sleep(0)
        if self.down:
            raise ConnectError("nobody there", app="ledger")
        assert self.told.setdefault(event_id, event) == event


class FakePayments:
    """Knows one reference, in euros."""

    def __init__(self) -> None:
        self.received: dict[str, payments_api.Transfer] = {}
        self.down = False

    async def record_transfer(self, transfer_id: str, transfer: payments_api.Transfer) -> Any:
        await asyncio.sleep(0)
        if self.down:
            raise ConnectError("nobody there", app="payments")
        if transfer.reference != OURS:
            raise payments_api.ReferenceUnknown(reference=transfer.reference)
        if transfer.currency != "EUR":
            raise payments_api.CurrencyMismatch(expected="EUR", currency=transfer.currency)
        assert self.received.setdefault(transfer_id, transfer) == transfer
        return SimpleNamespace(id="00000000-0000-0000-0000-000000000001")


@pytest.fixture
def ledger() -> FakeLedger:
    return FakeLedger()


@pytest.fixture
def payments() -> FakePayments:
    return FakePayments()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox")


@pytest.fixture
async def client(
    database: Database,
    ledger: FakeLedger,
    payments: FakePayments,
    clock: ManualClock,
    inbox: Inbox,
) -> AsyncIterator[TestClient]:
    overrides = {
        Database: database,
        Ledger: ledger,
        Payments: payments,
        Clock: clock,
        Inbox: inbox,
    }
    async with TestClient(app, overrides=overrides) as client:
        yield client


def make(*payins: Payin, number: int = 1, currency: str = "EUR") -> bytes:
    return statement(
        payins,
        account="DE89370400440532013000",
        currency=currency,
        number=number,
        day=date(2026, 11, 2),
    )


def payin(bank_reference: str, noise: Noise = Noise.NONE, amount: str = "12.30") -> Payin:
    return Payin(OURS, Decimal(amount), "Aylin Kaya", bank_reference, noise)


async def send(client: TestClient, xml: bytes) -> dict[str, Any]:
    answer = await client.post("/statements", content=xml, headers=XML)
    assert answer.status == 200, answer
    (reading,) = answer.json()
    return dict(reading)


async def transfers(client: TestClient, status: str) -> list[dict[str, Any]]:
    found = (await client.get("/transfers", query={"status": status})).json()["transfers"]
    return list(found)


async def test_money_finds_its_payment(
    client: TestClient, ledger: FakeLedger, payments: FakePayments
) -> None:
    kinds = [n for n in Noise if n not in (Noise.WRONG_DIGIT, Noise.MISSING)]
    reading = await send(client, make(*(payin(f"B{n}", kind) for n, kind in enumerate(kinds))))
    assert (reading["entries"], reading["new"], reading["matched"]) == (6, 6, 6)
    assert {transfer.reference for transfer in payments.received.values()} == {OURS}
    assert set(payments.received) == set(ledger.told)
    assert {event.amount for event in ledger.told.values()} == {Decimal("12.30")}


async def test_what_is_not_certain_waits_for_a_person(
    client: TestClient, ledger: FakeLedger, payments: FakePayments
) -> None:
    unknown = Payin(OTHER, Decimal(1), "Bo", "B3")
    reading = await send(
        client, make(payin("B1", Noise.WRONG_DIGIT), payin("B2", Noise.MISSING), unknown)
    )
    assert (reading["matched"], reading["unmatched"]) == (0, 3)
    assert len(ledger.told) == 3  # it is on the account, whoever it belongs to
    waiting = {transfer["text"]: transfer for transfer in await transfers(client, "unmatched")}
    assert {text: found["reference"] for text, found in waiting.items()} == {
        "RF18539007547035": None,
        "tuition": None,
        OTHER: OTHER,
    }
    assert "No payment has this reference" in waiting[OTHER]["reason"]

    path = f"/transfers/{waiting['tuition']['id']}/match"
    answer = await client.put(path, json={"reference": OTHER})
    assert (answer.status, answer.json()["title"]) == (
        409,
        "The payment with this reference cannot have this money, or there is none",
    )
    answer = await client.put(path, json={"reference": OURS})
    assert (answer.status, answer.json()["status"]) == (200, "matched")
    assert list(payments.received) == [waiting["tuition"]["id"]]
    assert (await client.put(path, json={"reference": OURS})).status == 409


async def test_money_in_another_currency_is_not_given_away(client: TestClient) -> None:
    reading = await send(client, make(payin("B1"), currency="USD"))
    assert reading["unmatched"] == 1


async def test_files_and_entries_that_come_twice_are_harmless(
    client: TestClient, payments: FakePayments, ledger: FakeLedger
) -> None:
    file = make(payin("B1"), payin("B2"))
    assert (await send(client, file))["new"] == 2
    again = await send(client, file)
    assert (again["new"], again["matched"]) == (0, 2)
    overlapping = await send(client, make(payin("B2"), payin("B3"), number=2))
    assert (overlapping["entries"], overlapping["new"]) == (2, 1)
    assert len(payments.received) == len(ledger.told) == 3
    assert len((await client.get("/statements")).json()) == 2


async def test_many_files_at_once(client: TestClient, payments: FakePayments) -> None:
    file = make(*(payin(f"B{n}") for n in range(40)))
    await asyncio.gather(*(send(client, file) for _ in range(4)))
    assert len(payments.received) == 40


async def test_a_file_that_cannot_be_trusted_changes_nothing(client: TestClient) -> None:
    answer = await client.post(
        "/statements", content=make(payin("B1")).replace(b"12.30", b"1.00", 1), headers=XML
    )
    assert answer.status == 422
    assert "do not lead" in answer.json()["detail"]
    assert (await client.get("/statements")).json() == []
    assert (await client.post("/statements", content=b"", headers=XML)).status == 422
    wrong = await client.post("/statements", content=b"{}", headers={"content-type": "text/plain"})
    assert wrong.status == 415


@pytest.mark.parametrize("who", ["ledger", "payments"])
async def test_when_somebody_is_down_nothing_is_lost(
    client: TestClient, ledger: FakeLedger, payments: FakePayments, who: str
) -> None:
    down: Any = {"ledger": ledger, "payments": payments}[who]
    down.down = True
    assert (await send(client, make(payin("B1"), payin("B2"))))["waiting"] == 2
    assert (await client.post("/sweeps")).json() == {"matched": 0, "unmatched": 0, "waiting": 2}
    down.down = False
    assert (await client.post("/sweeps")).json() == {"matched": 2, "unmatched": 0, "waiting": 0}
    assert len(payments.received) == len(ledger.told) == 2


def appears(file: Path) -> None:
    for _ in range(500):
        if file.exists():
            return
        time.sleep(0.01)
    raise AssertionError(f"{file.name} has not come")


async def test_the_inbox_is_read_by_itself(
    client: TestClient, inbox: Inbox, clock: ManualClock, payments: FakePayments
) -> None:
    (inbox.folder / "a.xml").write_bytes(make(payin("B1")))
    (inbox.folder / "b.xml").write_bytes(b"<nonsense/>")
    (inbox.folder / "c.txt").write_bytes(b"not for us")
    await clock.advance(2.0)
    await asyncio.to_thread(appears, inbox.refused / "b.xml")
    assert [file.name for file in (inbox.folder / "read").iterdir()] == ["a.xml"]
    assert "not camt.053" in (inbox.folder / "refused" / "b.xml.reason").read_text()
    assert [file.name for file in inbox.folder.glob("*.*")] == ["c.txt"]
    assert len(payments.received) == 1


async def test_files_that_a_dead_instance_had_begun_are_read_again(
    inbox: Inbox, tmp_path: Path
) -> None:
    (inbox.claimed / "a.xml").write_bytes(b"x")
    seen: list[bytes] = []

    async def read(xml: bytes) -> None:
        seen.append(xml)

    assert await inbox.take(read) == 0
    inbox.take_back()
    assert await inbox.take(read) == 1
    assert seen == [b"x"]


async def test_pages_of_transfers(client: TestClient) -> None:
    await send(client, make(*(payin(f"B{n}") for n in range(5))))
    first = (await client.get("/transfers", query={"limit": 3})).json()
    rest = (await client.get("/transfers", query={"limit": 3, "after": first["next"]})).json()
    ids = [transfer["id"] for transfer in first["transfers"] + rest["transfers"]]
    assert len(set(ids)) == 5
    assert rest["next"] is None
    assert (await client.get(f"/transfers/{ids[0]}")).json()["text"] == OURS
    missing = await client.get("/transfers/00000000-0000-0000-0000-000000000000")
    assert missing.status == 404
