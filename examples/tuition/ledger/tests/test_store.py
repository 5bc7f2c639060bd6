from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger import models, store
from ledger.accounts import Account
from ledger.problems import AmountNotPayable, EntryUnknown, EventChanged, Unbalanced
from ledger.values import NewEntry, Posting, Side, TrialBalance
from samples import allocated
from samples import received as event_of
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from skerry.data.database import Database

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
ACCOUNTS = st.sampled_from(list(Account))
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])
PIECES = st.lists(st.tuples(ACCOUNTS, st.integers(1, 10**9)), min_size=1, max_size=4)


def received(database: Database, amount: str = "12.30", id: str = "", about: str = "") -> str:
    id = id or str(uuid4())
    with database.writing() as session:
        store.book_event(session, id, event_of("EUR", amount, about or id), NOW)
    return id


def trial(database: Database) -> TrialBalance:
    with database.reading() as session:
        return store.trial_balance(session)


def test_an_event_becomes_an_entry(database: Database) -> None:
    id = received(database)
    with database.reading() as session:
        entry = store.get(session, id)
        assert store.newest(session, subject=id, before=None, limit=5) == ([entry], None)
        assert [(b.account, b.balance) for b in store.balances(session)] == [
            (Account.BANK, Decimal("12.30")),
            (Account.UNALLOCATED, Decimal("-12.30")),
        ]
        assert len(store.balances(session, Account.BANK)) == 1
    assert (entry.kind, entry.booked) == ("TransferReceived", NOW)
    assert entry.postings == [
        Posting(Account.BANK, Side.DEBIT, "EUR", Decimal("12.30")),
        Posting(Account.UNALLOCATED, Side.CREDIT, "EUR", Decimal("12.30")),
    ]


def test_told_twice_booked_once(database: Database) -> None:
    id = received(database)
    received(database, id=id)
    assert trial(database).entries == 1
    with pytest.raises(EventChanged):
        received(database, amount="12.31", id=id)


def test_told_by_many_at_once_booked_once(database: Database) -> None:
    id = str(uuid4())
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: received(database, id=id), range(8)))
    assert trial(database).entries == 1
    assert trial(database).totals[0].debit == Decimal("12.30")


def test_many_at_once_add_up(database: Database) -> None:
    def book(n: int) -> None:
        with database.writing() as session:
            kind = event_of if n % 2 else allocated
            store.book_event(session, str(uuid4()), kind("EUR", str(n)), NOW)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(book, range(1, 31)))
    books = trial(database)
    assert books.entries == 30
    assert (books.difference, books.drift) == (Decimal("0.00"), [])
    assert books.totals[0].debit == sum(range(1, 31))


def test_a_manual_entry_must_balance_in_each_currency(database: Database) -> None:
    euros = Posting(Account.FEES, Side.DEBIT, "EUR", Decimal("1.00"))
    dollars = Posting(Account.BANK, Side.CREDIT, "USD", Decimal("1.00"))
    with pytest.raises(Unbalanced) as refused, database.writing() as session:
        store.book_manually(session, str(uuid4()), NewEntry("x", [euros, dollars]), NOW)
    assert (refused.value.currency, refused.value.difference) == ("EUR", "1.00")
    tiny = Posting(Account.BANK, Side.CREDIT, "EUR", Decimal("0.001"))
    with pytest.raises(AmountNotPayable), database.writing() as session:
        store.book_manually(session, str(uuid4()), NewEntry("x", [euros, tiny]), NOW)
    assert trial(database).entries == 0


def test_an_empty_ledger_balances(database: Database) -> None:
    assert trial(database) == TrialBalance(0, [], [], Decimal("0.00"), [])
    with database.reading() as session, pytest.raises(EntryUnknown):
        store.get(session, "nothing")


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(CURRENCIES, PIECES, ACCOUNTS, st.booleans()), max_size=6))
def test_the_books_balance_whatever_is_booked(
    database: Database, entries: list[tuple[str, list[tuple[Account, int]], Account, bool]]
) -> None:
    for currency, pieces, against, debit in entries:
        sign = 1 if debit else -1
        found = [(account, currency, sign * units) for account, units in pieces]
        found.append((against, currency, -sum(units for _, _, units in found)))
        with database.writing() as session:
            store._book(session, str(uuid4()), "Random", "", found, NOW)
    books = trial(database)
    assert books.difference == 0
    assert all(total.difference == 0 for total in books.totals)
    assert books.drift == []


UNBALANCED = [
    "INSERT INTO postings (entry_number, account, currency, units) VALUES (1, 'bank', 'EUR', 1)",
    "UPDATE postings SET units = units + 1",
    "UPDATE postings SET currency = 'USD' WHERE account = 'bank'",
    "DELETE FROM postings",
    "UPDATE entries SET sealed = false",
    "UPDATE entries SET kind = 'x'",
    "DELETE FROM entries",
    "INSERT INTO entries (id, kind, subject, booked, sealed) "
    "VALUES ('x', 'x', 'x', '2026-01-01 00:00:00', true)",
]


@pytest.mark.parametrize("statement", UNBALANCED)
def test_the_database_itself_keeps_what_is_sealed(database: Database, statement: str) -> None:
    received(database)
    with pytest.raises(IntegrityError), database.writing() as session:
        session.execute(text(statement))
    assert trial(database).difference == 0


def test_the_database_itself_refuses_to_seal_what_does_not_balance(database: Database) -> None:
    for postings in (
        [],
        [models.Posting(account="bank", currency="EUR", units=1)],
        [
            models.Posting(account="bank", currency="EUR", units=1),
            models.Posting(account="fees", currency="USD", units=-1),
        ],
    ):
        with pytest.raises(IntegrityError), database.writing() as session:
            entry = models.Entry(
                id=str(uuid4()), kind="x", subject="x", booked=NOW, sealed=False, postings=postings
            )
            session.add(entry)
            session.flush()
            entry.sealed = True
            session.flush()


def test_a_balance_that_drifts_is_named(database: Database) -> None:
    received(database)
    with database.writing() as session:
        session.execute(text("UPDATE balances SET units = units + 1 WHERE account = 'bank'"))
    (drifted,) = trial(database).drift
    assert (drifted.account, drifted.balance) == (Account.BANK, Decimal("12.31"))
