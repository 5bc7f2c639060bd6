"""The books: each function is one transaction's work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import case, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from ledger import models
from ledger.accounts import Account
from ledger.events import Event, Line, lines, subject
from ledger.money import NotAnAmount, from_minor, to_minor
from ledger.problems import AmountNotPayable, EntryUnknown, EventChanged, Unbalanced
from ledger.values import (
    Balance,
    Entry,
    NewEntry,
    Posting,
    Side,
    Total,
    TrialBalance,
    TrialRow,
)


def book_event(session: Session, id: str, event: Event, now: datetime) -> tuple[Entry, bool]:
    """Book an event, once however often it is told; the entry, and whether it is new.

    Raises:
        NotAnAmount, EventChanged.
    """
    return _book(session, id, type(event).__name__, subject(event), lines(event), now)


def book_manually(session: Session, id: str, new: NewEntry, now: datetime) -> tuple[Entry, bool]:
    """Book an entry made by hand.

    Raises:
        AmountNotPayable, Unbalanced, EventChanged.
    """
    try:
        found = [
            (
                posting.account,
                posting.currency,
                to_minor(posting.amount, posting.currency)
                * (1 if posting.side is Side.DEBIT else -1),
            )
            for posting in new.postings
        ]
    except NotAnAmount as error:
        raise AmountNotPayable(detail=str(error)) from None
    return _book(session, id, "Manual", new.text, found, now)


def check(found: Sequence[Line]) -> None:
    """Raises: Unbalanced, unless debits equal credits in every currency."""
    sums: dict[str, int] = defaultdict(int)
    for _, currency, units in found:
        sums[currency] += units
    for currency, units in sorted(sums.items()):
        if units:
            raise Unbalanced(currency=currency, difference=str(from_minor(units, currency)))


def get(session: Session, id: str) -> Entry:
    """Raises: EntryUnknown."""
    row = session.scalar(select(models.Entry).where(models.Entry.id == id))
    if row is None:
        raise EntryUnknown
    return _value(row)


def newest(
    session: Session, *, subject: str, before: int | None, limit: int
) -> tuple[list[Entry], int | None]:
    """Entries, newest first, and the number to go on from."""
    query = select(models.Entry).order_by(models.Entry.number.desc()).limit(limit + 1)
    if subject:
        query = query.where(models.Entry.subject == subject)
    if before is not None:
        query = query.where(models.Entry.number < before)
    found = session.scalars(query).all()
    more = found[limit - 1].number if len(found) > limit else None
    return [_value(row) for row in found[:limit]], more


def balances(session: Session, account: Account | None = None) -> list[Balance]:
    table = models.Balance
    query = select(table).order_by(table.account, table.currency)
    if account is not None:
        query = query.where(table.account == account.value)
    return [_balance(row.account, row.currency, row.units) for row in session.scalars(query)]


def trial_balance(session: Session) -> TrialBalance:
    """Every posting added up anew; nothing is taken from the running balances."""
    line = models.Posting
    debit = func.sum(case((line.units > 0, line.units), else_=literal(0)))
    credit = func.sum(case((line.units < 0, -line.units), else_=literal(0)))
    sums = session.execute(
        select(line.account, line.currency, debit, credit)
        .group_by(line.account, line.currency)
        .order_by(line.currency, line.account)
    ).all()
    # PostgreSQL's sum of integers is a numeric, SQLite's an integer: both are whole.
    rows = [(account, currency, int(dr), int(cr)) for account, currency, dr, cr in sums]
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for _, currency, dr, cr in rows:
        totals[currency][0] += dr
        totals[currency][1] += cr
    kept = {
        (row.account, row.currency): row.units for row in session.scalars(select(models.Balance))
    }
    added = {(account, currency): dr - cr for account, currency, dr, cr in rows}
    return TrialBalance(
        entries=session.scalar(select(func.count()).select_from(models.Entry)) or 0,
        rows=[
            TrialRow(Account(account), currency, from_minor(dr, currency), from_minor(cr, currency))
            for account, currency, dr, cr in rows
        ],
        totals=[
            Total(
                currency,
                from_minor(dr, currency),
                from_minor(cr, currency),
                from_minor(dr - cr, currency),
            )
            for currency, (dr, cr) in totals.items()
        ],
        difference=sum(
            (abs(from_minor(dr - cr, currency)) for currency, (dr, cr) in totals.items()),
            Decimal("0.00"),
        ),
        drift=[
            _balance(account, currency, kept.get((account, currency), 0))
            for account, currency in sorted(kept.keys() | added.keys())
            if kept.get((account, currency), 0) != added.get((account, currency), 0)
        ],
    )


def _book(
    session: Session, id: str, kind: str, subject: str, found: Sequence[Line], now: datetime
) -> tuple[Entry, bool]:
    check(found)
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    number = session.scalar(
        insert(models.Entry)
        .values(id=id, kind=kind, subject=subject, booked=now, sealed=False)
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(models.Entry.number)
    )
    if number is None:
        made = get(session, id)
        if made != _entry(id, kind, subject, made.booked, found):
            raise EventChanged
        return made, False
    rows = [(account.value, currency, units) for account, currency, units in found]
    columns = ("account", "currency", "units", "entry_number")
    session.execute(
        insert(models.Posting), [dict(zip(columns, (*row, number), strict=True)) for row in rows]
    )
    entry = models.Entry
    session.execute(update(entry).where(entry.number == number).values(sealed=True))
    changes: dict[tuple[str, str], int] = defaultdict(int)
    for account, currency, units in rows:
        changes[account, currency] += units
    add = insert(models.Balance)
    session.execute(
        add.on_conflict_do_update(
            index_elements=["account", "currency"],
            set_={"units": models.Balance.units + add.excluded.units},
        ),
        # Always in the same order, so that two entries never wait for each other.
        [dict(zip(columns, (*key, units), strict=False)) for key, units in sorted(changes.items())],
    )
    return _entry(id, kind, subject, now, found), True


def _value(row: models.Entry) -> Entry:
    found = [(Account(line.account), line.currency, line.units) for line in row.postings]
    return _entry(row.id, row.kind, row.subject, row.booked, found)


def _entry(id: str, kind: str, subject: str, booked: datetime, found: Sequence[Line]) -> Entry:
    postings = [
        Posting(
            account,
            Side.DEBIT if units > 0 else Side.CREDIT,
            currency,
            from_minor(abs(units), currency),
        )
        for account, currency, units in found
    ]
    return Entry(id, kind, subject, booked, postings)


def _balance(account: str, currency: str, units: int) -> Balance:
    return Balance(Account(account), currency, from_minor(units, currency))
