"""The tuition fleet as a whole: whatever payers do, every cent is accounted for."""

from __future__ import annotations

import ast
import random
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from skerry import eventually
from skerry.app.testclient import TestClient
from skerry.spec import load

from .conftest import APPS, HouseBank

TUITION = Path(__file__).parents[2] / "examples" / "tuition"
PAYER = {"name": "Aylin Kaya", "email": "aylin@example.org", "student": "Deniz Kaya"}
TODAY = datetime.now(UTC).date()
Fleet = dict[str, TestClient]


@pytest.fixture
def house(fleet: Fleet) -> HouseBank:
    """The bank at the other end."""
    data = Path(".skerry/data").absolute()
    return HouseBank(data / "bank-orders", data / "bank-inbox", run="1")


async def pay(fleet: Fleet, school: str, amount: str, pay_in: str, key: str) -> dict[str, Any]:
    new = {"school_id": school, "amount": amount, "pay_in": pay_in}
    quote = await fleet["quotes"].post("/quotes", json=new)
    assert quote.status == 201, quote
    payment = await fleet["payments"].post(
        "/payments",
        json={"quote_id": quote.json()["id"], "payer": PAYER},
        headers={"idempotency-key": key},
    )
    assert payment.status == 201, payment
    return dict(payment.json())


async def read(fleet: Fleet, payins: list[Any], account: str, currency: str) -> dict[str, Any]:
    from bank.generate import statement

    xml = statement(payins, account=account, currency=currency, number=1, day=TODAY)
    answer = await fleet["bank"].post(
        "/statements", content=xml, headers={"content-type": "application/xml"}
    )
    assert answer.status == 200, answer
    return dict(answer.json()[0])


async def balances(fleet: Fleet) -> dict[tuple[str, str], Decimal]:
    found = (await fleet["ledger"].get("/balances")).json()
    return {(row["account"], row["currency"]): Decimal(row["balance"]) for row in found}


async def order_and_carry_out(fleet: Fleet, house: HouseBank) -> int:
    """Order what is owed, have the world outside carry it out, and read its statements."""
    await fleet["payouts"].post("/sweeps")
    done = house.work()
    await fleet["bank"].post("/sweeps")
    return done


async def state_of(fleet: Fleet, payment: dict[str, Any]) -> str:
    return str((await fleet["payments"].get(f"/payments/{payment['id']}")).json()["state"])


async def becomes(fleet: Fleet, payment: dict[str, Any], state: str) -> None:
    async def so() -> bool:
        found = await state_of(fleet, payment)
        assert found == state, found
        return True

    await eventually(so, within=30)


async def test_one_payment_crosses_the_company(fleet: Fleet, house: HouseBank) -> None:
    from bank.generate import Noise, Payin

    payment = await pay(fleet, "ku-edu-tr", "48250.00", "JPY", "k1")
    payin = Payin(
        payment["reference"], Decimal(payment["to_pay"]), "A. Kaya", "B1", Noise.WORDS_AROUND
    )
    reading = await read(fleet, [payin], payment["send_to"]["iban"], "JPY")
    assert (reading["new"], reading["unmatched"]) == (1, 0)
    await becomes(fleet, payment, "converted")

    async def ordered() -> bool:
        return await order_and_carry_out(fleet, house) == 1

    await eventually(ordered, within=30)
    await becomes(fleet, payment, "paid_out")
    to_pay, fee = Decimal(payment["to_pay"]), Decimal(payment["fee"])

    async def booked() -> bool:
        left = {key: amount for key, amount in (await balances(fleet)).items() if amount}
        assert left == {
            ("bank", "JPY"): to_pay,
            ("fees", "JPY"): -fee,
            ("fx_position", "JPY"): fee - to_pay,
            ("fx_position", "TRY"): Decimal("48250.00"),
            ("bank", "TRY"): Decimal("-48250.00"),
        }
        return True

    async def written() -> bool:
        mails = (await fleet["mailbox"].get("/mails")).json()["mails"]
        assert sorted(mail["recipient"] for mail in mails) == [
            *("aylin@example.org", "aylin@example.org"),
            "tuition-ku-edu-tr@schools.example",
        ]
        return True

    await eventually(booked, within=30)
    await eventually(written, within=30)
    case = (await fleet["compliance"].get(f"/cases/{payment['id']}")).json()
    assert (case["status"], case["reasons"]) == ("cleared", [])
    page = await fleet["portal"].get(f"/payments/{payment['id']}")
    assert "The school has been paid" in page.text


@pytest.mark.parametrize("verdict", ["release", "reject"])
async def test_a_payment_that_is_held_waits_for_a_person(fleet: Fleet, verdict: str) -> None:
    from bank.generate import Payin

    payment = await pay(fleet, "unitus-it", "15000.00", "EUR", "k1")
    due = Decimal(payment["to_pay"])
    await read(
        fleet, [Payin(payment["reference"], due, "X", "B1")], payment["send_to"]["iban"], "EUR"
    )

    async def held() -> bool:
        found = (await fleet["payments"].get(f"/payments/{payment['id']}")).json()
        assert (found["state"], found["screening"]) == ("funded", "held")
        return True

    await eventually(held, within=30)
    (case,) = (await fleet["compliance"].get("/cases?status=open")).json()["cases"]
    assert case["payment_id"] == payment["id"]
    assert "at least 15000 EUR" in case["reasons"][0]
    path = f"/cases/{payment['id']}/decision"
    answer = await fleet["compliance"].post(path, json={"verdict": verdict, "by": "Noor"})
    assert answer.status == 200
    assert (
        await fleet["compliance"].post(path, json={"verdict": verdict, "by": "N"})
    ).status == 409
    await becomes(fleet, payment, {"release": "converted", "reject": "refunded"}[verdict])

    async def nothing_is_held() -> bool:
        return not (await balances(fleet)).get(("client_funds", "EUR"), Decimal(-1))

    await eventually(nothing_is_held, within=30)


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_payers_do_every_cent_is_accounted_for(
    fleet: Fleet, house: HouseBank, seed: int
) -> None:
    """Too little, too much, twice, late, unreadable: then everything that can be done is done,
    and what is on the accounts is what the payments, the bank's queue and the fees say."""
    from bank.generate import Noise, Payin, noisy

    chance = random.Random(seed)
    schools = (await fleet["schools"].get("/schools?q=university&limit=100")).json()["schools"]
    payments = [
        await pay(
            fleet,
            chance.choice(schools)["id"],
            str(chance.randrange(1_000, 90_000)),
            chance.choice(("EUR", "JPY", "ISK", "USD")),
            f"{seed}-{number}",
        )
        for number in range(24)
    ]
    sent: dict[str, list[Any]] = defaultdict(list)
    accounts: dict[str, str] = {}
    for number, payment in enumerate(payments):
        accounts[payment["pay_in"]] = payment["send_to"]["iban"]
        for copy in range(chance.choice((0, 1, 1, 1, 1, 2))):
            off = chance.choice((0, 0, 0, 0, -1, 7))
            noise = chance.choice((Noise.NONE, Noise.NONE, Noise.WRONG_DIGIT, Noise.MISSING))
            amount = Decimal(payment["to_pay"]) + off
            payin = Payin(payment["reference"], amount, "X", f"{seed}-{number}-{copy}", noise)
            sent[payment["pay_in"]] += noisy(chance, [payin]) if noise is Noise.NONE else [payin]
    for currency, payins in sent.items():
        for _ in range(2):
            await read(fleet, payins, accounts[currency], currency)

    async def over() -> bool:
        """Do what people would; whether nothing is left to be done."""
        new = (await fleet["bank"].get("/transfers?status=new")).json()["transfers"]
        for case in (await fleet["compliance"].get("/cases?status=open")).json()["cases"]:
            verdict = {"verdict": chance.choice(("release", "reject")), "by": "Noor"}
            await fleet["compliance"].post(f"/cases/{case['payment_id']}/decision", json=verdict)
        await order_and_carry_out(fleet, house)
        found = (await fleet["payments"].get("/payments?limit=200")).json()["payments"]
        for payment in found:
            if Decimal(payment["held"]) and payment["state"] != "funded":
                await fleet["payments"].post(f"/payments/{payment['id']}/return")
        states = {payment["state"] for payment in found}
        assert states <= {"awaiting_funds", "refunded", "paid_out"}, states
        assert not new
        assert not any(Decimal(payment["held"]) for payment in found)
        return True

    await eventually(over, within=90)

    async def the_books_agree() -> bool:
        trial = (await fleet["ledger"].get("/trial-balance")).json()
        assert (Decimal(trial["difference"]), trial["drift"]) == (0, [])
        found = (await fleet["payments"].get("/payments?limit=200")).json()["payments"]
        queue = (await fleet["bank"].get("/transfers?status=unmatched&limit=200")).json()
        books = await balances(fleet)
        for currency in sent:
            came = sum((payin.amount for payin in sent[currency]), Decimal(0))
            lost = sum(
                (Decimal(t["amount"]) for t in queue["transfers"] if t["currency"] == currency),
                Decimal(0),
            )
            done = [p for p in found if p["pay_in"] == currency and p["state"] == "paid_out"]
            paid = [p for p in found if p["currency"] == currency and p["state"] == "paid_out"]
            out = sum((Decimal(p["amount"]) for p in paid), Decimal(0))
            kept = sum((Decimal(p["to_pay"]) for p in done), Decimal(0))
            assert books.get(("unallocated", currency), 0) == -lost
            assert books.get(("client_funds", currency), 0) == 0
            assert books.get(("fees", currency), 0) == -sum(Decimal(p["fee"]) for p in done)
            assert books[("bank", currency)] == lost + kept - out
            assert came >= lost + kept
        assert not any(a for (account, _), a in books.items() if account == "schools_payable")
        return True

    await eventually(the_books_agree, within=30)
    assert house.twice() == 0  # a file may come again, under its name; what is in it may not
    summary = (await fleet["mailbox"].get("/summary")).json()
    assert summary["received"] == summary["unique"]


async def test_every_app_is_ready_and_says_what_it_promises(fleet: Fleet) -> None:
    for name, client in fleet.items():
        assert (await client.get("/readyz")).status == 200, name
        assert (await client.get("/openapi.json")).json()["info"]["title"] == name


def _sources() -> list[Path]:
    return [
        path
        for path in TUITION.rglob("*.py")
        if path.parent != TUITION and not {"tests", ".skerry"}.intersection(path.parts)
    ]


@pytest.mark.parametrize("path", _sources(), ids=lambda path: str(path.relative_to(TUITION)))
def test_nothing_is_ever_a_float(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        where = f"{path.name}:{getattr(node, 'lineno', 0)}"
        assert getattr(node, "id", "") != "float", where
        assert type(getattr(node, "value", None)) is not float, where


@pytest.mark.parametrize("app", APPS)
def test_no_app_imports_another(app: str) -> None:
    others = set(APPS) - {app}
    for path in (TUITION / app).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert not {name.partition(".")[0] for name in names} & others, path


def test_both_fleet_files_run_the_same_apps() -> None:
    apart = load(TUITION / "fleet.toml")
    together = load(TUITION / "together.toml")
    assert set(apart.apps) == set(together.apps) == set(APPS)
    assert apart.together == ()
    assert {name for group in together.together for name in group} == set(APPS)
    for name in APPS:
        assert apart.apps[name].needs == together.apps[name].needs
        assert apart.apps[name].app == together.apps[name].app == f"{name}.app:app"
