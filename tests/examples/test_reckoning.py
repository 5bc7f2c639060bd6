"""What the demo relies on to find a cent that is missing, and an order that came twice."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bank import camt
from housebank import HouseBank, OrderRefused, read_order
from payouts import pain
from payouts.accounts import own_account
from reckoning import Reckoning

MADE = datetime(2026, 11, 2, 9, tzinfo=UTC)

# One payment that has been paid out, with 5 yen too much that went back; one that waits for the
# bank; and 7 yen that nobody knows the owner of.
PAID = {"state": "paid_out", "pay_in": "JPY", "to_pay": "100", "fee": "3", "held": "0"}
BOOKS: dict[str, Any] = {
    "/trial-balance": {"entries": 9, "difference": "0.00", "drift": []},
    "/payments": {
        "payments": [
            {**PAID, "currency": "EUR", "amount": "0.60"},
            {**PAID, "state": "converted", "currency": "EUR", "amount": "0.50"},
            {**PAID, "state": "funded", "held": "100", "currency": "EUR", "amount": "0.40"},
        ]
    },
    "/entries": {
        "entries": [
            {"kind": "PaymentConverted", "postings": []},
            {"kind": "PaymentConverted", "postings": []},
            {"kind": "PaymentPaidOut", "postings": []},
            {
                "kind": "FundsReturned",
                "postings": [
                    {"account": "client_funds", "currency": "JPY", "amount": "5"},
                    {"account": "bank", "currency": "JPY", "amount": "5"},
                ],
            },
        ]
    },
    "/transfers": {
        "transfers": [
            {"status": "matched", "currency": "JPY", "amount": "305"},
            {"status": "unmatched", "currency": "JPY", "amount": "7"},
            {"status": "outgoing", "currency": "EUR", "amount": "-0.60"},
        ]
    },
    "/totals": [
        {"status": "paid", "currency": "EUR", "amount": "0.60"},
        {"status": "ordered", "currency": "EUR", "amount": "0.50"},
    ],
    "/balances": [
        {"account": "bank", "currency": "JPY", "balance": "307"},
        {"account": "bank", "currency": "EUR", "balance": "-0.60"},
        {"account": "unallocated", "currency": "JPY", "balance": "-7"},
        {"account": "client_funds", "currency": "JPY", "balance": "-100"},
        {"account": "fees", "currency": "JPY", "balance": "-6"},
        {"account": "schools_payable", "currency": "EUR", "balance": "-0.50"},
    ],
    "/summary": {"received": 7, "unique": 5},
    "/batches": [{}],
}


async def look(books: dict[str, Any]) -> Reckoning:
    async def ask(app: str, method: str, path: str) -> Any:
        return books[path.partition("?")[0]]

    reckoning = Reckoning(ask)
    await reckoning.look()
    return reckoning


async def test_books_that_agree() -> None:
    books = await look(BOOKS)
    assert books.agree, books.differences
    assert (books.difference, books.expected) == (Decimal("0.00"), 5)


CHANGES = [
    ("/trial-balance", ("difference",), "0.01"),
    ("/trial-balance", ("drift",), [{}]),
    ("/payments", ("payments", 0, "amount"), "0.61"),
    ("/payments", ("payments", 0, "fee"), "4"),
    ("/payments", ("payments", 1, "state"), "paid_out"),
    ("/payments", ("payments", 2, "held"), "99"),
    ("/entries", ("entries", 3, "postings", 1, "amount"), "6"),
    ("/transfers", ("transfers", 0, "amount"), "306"),
    ("/transfers", ("transfers", 1, "status"), "matched"),
    ("/transfers", ("transfers", 2, "amount"), "-1.20"),
    ("/totals", (0, "amount"), "1.20"),
    ("/totals", (1, "status"), "paid"),
    *(("/balances", (row, "balance"), "1") for row in range(6)),
    ("/summary", ("unique",), 6),
    ("/summary", ("unique",), 4),
]


@pytest.mark.parametrize(("path", "place", "value"), CHANGES)
async def test_whatever_is_changed_is_found(path: str, place: tuple[Any, ...], value: Any) -> None:
    books = copy.deepcopy(BOOKS)
    found = books[path]
    for step in place[:-1]:
        found = found[step]
    assert found[place[-1]] != value
    found[place[-1]] = value
    assert not (await look(books)).agree


def order(batch: str, *payments: int) -> bytes:
    orders = [
        pain.Order(
            f"{number:032x}",
            f"s{number % 2}",
            "School",
            "iban",
            "DE89370400440532013000",
            "COBADEFFXXX",
            Decimal("10.00"),
            "RF18539007547034",
        )
        for number in payments
    ]
    return pain.file(batch, orders, own_account("EUR"), MADE)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    orders, inbox = tmp_path / "orders", tmp_path / "inbox"
    orders.mkdir()
    inbox.mkdir()
    return orders, inbox


def test_orders_become_debits_on_a_statement(folders: tuple[Path, Path]) -> None:
    orders, inbox = folders
    house = HouseBank(orders, inbox, "1")
    (orders / "a.xml").write_bytes(order("a", 1, 2, 3))
    assert (house.work(), house.work()) == (3, 0)
    (file,) = inbox.glob("*.xml")
    (statement,) = camt.read(file.read_bytes())
    assert [entry.units for entry in statement.entries] == [-1000] * 3
    assert {entry.end_to_end for entry in statement.entries} == {f"{n:032x}" for n in (1, 2, 3)}
    assert {entry.booked for entry in statement.entries} == {datetime.now(UTC).date()}
    assert (house.files, house.schools, house.sums) == (1, 2, {"EUR": Decimal("30.00")})
    assert statement.account == own_account("EUR").iban


def test_a_file_that_comes_again_is_known_and_a_payment_that_does_is_said(
    folders: tuple[Path, Path],
) -> None:
    orders, inbox = folders
    house = HouseBank(orders, inbox, "1")
    for _ in range(2):
        (orders / "a.xml").write_bytes(order("a", 1, 2))
        house.work()
    assert (house.files, house.known_files, house.twice()) == (1, 1, 0)
    (orders / "b.xml").write_bytes(order("b", 2))
    house.work()
    assert house.twice() == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<NbOfTxs>2</NbOfTxs>", "<NbOfTxs>3</NbOfTxs>"),
        ("<CtrlSum>20.00</CtrlSum>", "<CtrlSum>20.01</CtrlSum>"),
        (">10.00</InstdAmt>", ">10.01</InstdAmt>"),
        ("<EndToEndId>", "<Other>"),
    ],
)
def test_a_file_that_does_not_add_up_is_refused(before: str, after: str) -> None:
    xml = order("a", 2, 4).decode()
    assert before in xml
    xml = xml.replace(before, after, 1).replace("</EndToEndId>", "</Other>", after == "<Other>")
    with pytest.raises(OrderRefused):
        read_order(xml.encode())
