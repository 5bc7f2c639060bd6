"""Bank as others see it, with payments played by the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from bank.app import app
from bank.clients import payments as payments_api
from bank.clients.payments import FundsAllocated, Payments, TransferRefused
from bank.generate import Noise, Payin, Payout, statement
from bank.inbox import Inbox

from skerry import eventually
from skerry.app.testclient import TestClient
from skerry.bus.driver import Driver
from skerry.bus.event import event_type
from skerry.bus.memory import Broker, Memory
from skerry.bus.message import compose
from skerry.data.database import Database

OURS, OTHER = "RF18539007547034", "RF74000000000001"
P = "00000000-0000-0000-0000-000000000001"
XML = {"content-type": "application/xml"}


class FakePayments:
    """Knows one reference, in euros."""

    def __init__(self) -> None:
        self.received: dict[str, payments_api.Transfer] = {}

    async def record_transfer(self, transfer_id: str, transfer: payments_api.Transfer) -> Any:
        await asyncio.sleep(0)
        if transfer.reference != OURS:
            raise payments_api.ReferenceUnknown(reference=transfer.reference)
        if transfer.currency != "EUR":
            raise payments_api.CurrencyMismatch(expected="EUR", currency=transfer.currency)
        assert self.received.setdefault(transfer_id, transfer) == transfer
        return SimpleNamespace(id="00000000-0000-0000-0000-000000000001")


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def payments() -> FakePayments:
    return FakePayments()


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox")


@pytest.fixture
async def client(
    database: Database, broker: Broker, payments: FakePayments, inbox: Inbox
) -> AsyncIterator[TestClient]:
    overrides = {
        Database: database,
        Driver: Memory(broker),
        Payments: payments,
        Inbox: inbox,
    }
    async with TestClient(app, overrides=overrides) as client:
        yield client


def make(*payins: Payin | Payout, number: int = 1, currency: str = "EUR") -> bytes:
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


async def told(broker: Broker, count: int) -> list[dict[str, Any]]:
    """Wait until bank has published so many transfers; what it has said of them."""

    async def so() -> list[dict[str, Any]]:
        found = [m for m in broker.published if m.topic.startswith("bank.")]
        assert len(found) == count
        return [{"topic": m.topic, **msgspec.json.decode(m.body)} for m in found]

    return await eventually(so, within=30) if count else []


async def answer(broker: Broker, *events: Any) -> None:
    """What payments tells."""
    await Memory(broker).publish(
        [compose(event_type(type(event)), event, source="test") for event in events]
    )


async def becomes(client: TestClient, id: str, status: str) -> dict[str, Any]:
    async def so() -> dict[str, Any]:
        found = (await client.get(f"/transfers/{id}")).json()
        assert found["status"] == status
        return dict(found)

    return await eventually(so, within=30)


async def test_money_that_has_come_is_told_with_the_reference_that_was_found(
    client: TestClient, broker: Broker
) -> None:
    kinds = [n for n in Noise if n not in (Noise.WRONG_DIGIT, Noise.MISSING)]
    reading = await send(client, make(*(payin(f"B{n}", kind) for n, kind in enumerate(kinds))))
    assert (reading["entries"], reading["new"], reading["waiting"]) == (6, 6, 6)
    found = await told(broker, 6)
    assert {each["topic"] for each in found} == {"bank.transfer-received"}
    assert {each["reference"] for each in found} == {OURS}
    assert {each["amount"] for each in found} == {"12.30"}
    assert len({each["transfer_id"] for each in found}) == 6


async def test_money_that_has_gone_is_told_with_what_its_order_called_it(
    client: TestClient, broker: Broker
) -> None:
    await send(client, make(Payout("0123abcd", Decimal("99.10"), "Tuscia", "B1"), payin("B2")))
    sent = next(each for each in await told(broker, 2) if each["topic"] == "bank.transfer-sent")
    assert (sent["end_to_end"], sent["amount"], sent["currency"]) == ("0123abcd", "99.10", "EUR")
    (outgoing,) = await transfers(client, "outgoing")
    assert (outgoing["id"], outgoing["amount"]) == (sent["transfer_id"], "-99.10")


async def test_payments_says_whose_it_is(client: TestClient, broker: Broker) -> None:
    await send(client, make(payin("B1"), Payin(OTHER, Decimal(1), "Bo", "B2")))
    mine, nobodys = sorted(await told(broker, 2), key=lambda each: str(each["reference"]))
    allocated = FundsAllocated(
        payment_id=P,
        transfer_id=mine["transfer_id"],
        reference=OURS,
        currency="EUR",
        amount=Decimal("12.30"),
    )
    refused = TransferRefused(transfer_id=nobodys["transfer_id"], reason="No payment has it")
    await answer(broker, allocated, refused)
    matched = await becomes(client, mine["transfer_id"], "matched")
    assert (matched["payment_id"], matched["reference"]) == (P, OURS)
    unmatched = await becomes(client, nobodys["transfer_id"], "unmatched")
    assert unmatched["reason"] == "No payment has it"


async def test_what_is_not_certain_waits_for_a_person(
    client: TestClient, broker: Broker, payments: FakePayments
) -> None:
    reading = await send(client, make(payin("B1", Noise.WRONG_DIGIT), payin("B2", Noise.MISSING)))
    assert (reading["matched"], reading["unmatched"]) == (0, 2)
    found = await told(broker, 2)  # it is on the account, whoever it belongs to
    assert {each.get("reference") for each in found} == {None}
    waiting = {transfer["text"]: transfer for transfer in await transfers(client, "unmatched")}
    assert "no reference" in waiting["tuition"]["reason"]

    path = f"/transfers/{waiting['tuition']['id']}/match"
    refused = await client.put(path, json={"reference": OTHER})
    assert (refused.status, refused.json()["title"]) == (
        409,
        "The payment with this reference cannot have this money, or there is none",
    )
    matched = await client.put(path, json={"reference": OURS})
    assert (matched.status, matched.json()["status"]) == (200, "matched")
    assert list(payments.received) == [waiting["tuition"]["id"]]
    assert (await client.put(path, json={"reference": OURS})).status == 409


async def test_what_a_person_has_matched_stays_matched(client: TestClient, broker: Broker) -> None:
    await send(client, make(payin("B1"), payin("B2")))
    first, second = [each["transfer_id"] for each in await told(broker, 2)]
    assert (await client.put(f"/transfers/{first}/match", json={"reference": OURS})).status == 200
    for id in (first, second):
        await answer(broker, TransferRefused(transfer_id=id, reason="too late"))
    await becomes(client, second, "unmatched")
    await becomes(client, first, "matched")


async def test_files_and_entries_that_come_twice_are_told_once(
    client: TestClient, broker: Broker
) -> None:
    file = make(payin("B1"), payin("B2"))
    assert (await send(client, file))["new"] == 2
    again = await send(client, file)
    assert (again["new"], again["entries"]) == (0, 2)
    overlapping = await send(client, make(payin("B2"), payin("B3"), number=2))
    assert (overlapping["entries"], overlapping["new"]) == (2, 1)
    assert len({each["transfer_id"] for each in await told(broker, 3)}) == 3
    assert len((await client.get("/statements")).json()) == 2


async def test_many_files_at_once(client: TestClient, broker: Broker) -> None:
    file = make(*(payin(f"B{n}") for n in range(40)))
    read = await asyncio.gather(*(send(client, file) for _ in range(4)))
    assert sum(reading["new"] for reading in read) == 40
    assert len({each["transfer_id"] for each in await told(broker, 40)}) == 40


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


async def test_while_the_bus_is_away_nothing_is_lost(client: TestClient, broker: Broker) -> None:
    broker.reachable = False
    assert (await send(client, make(payin("B1"), payin("B2"))))["waiting"] == 2
    broker.reachable = True
    await told(broker, 2)


async def test_the_inbox_is_read_by_itself(
    client: TestClient, inbox: Inbox, broker: Broker
) -> None:
    (inbox.folder / "a.xml").write_bytes(make(payin("B1")))
    (inbox.folder / "b.xml").write_bytes(b"<nonsense/>")
    (inbox.folder / "c.txt").write_bytes(b"not for us")

    async def read() -> bool:
        return (inbox.refused / "b.xml").exists()

    await eventually(read, within=30)
    assert [file.name for file in (inbox.folder / "read").iterdir()] == ["a.xml"]
    assert "not camt.053" in (inbox.folder / "refused" / "b.xml.reason").read_text()
    assert [file.name for file in inbox.folder.glob("*.*")] == ["c.txt"]
    await told(broker, 1)


async def test_a_file_that_somebody_died_over_is_read_again(inbox: Inbox) -> None:
    (inbox.folder / "a.xml").write_bytes(b"x")
    seen: list[bytes] = []

    async def die(xml: bytes) -> None:
        seen.append(xml)
        if len(seen) == 1:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await inbox.take(die)
    assert await inbox.take(die) == 1
    assert await inbox.take(die) == 0
    assert seen == [b"x", b"x"]


async def test_a_file_that_another_has_put_away_is_no_error(inbox: Inbox) -> None:
    file = inbox.folder / "a.xml"
    file.write_bytes(b"x")

    async def slowly(xml: bytes) -> None:
        file.replace(inbox.read / file.name)

    assert await inbox.take(slowly) == 0


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
