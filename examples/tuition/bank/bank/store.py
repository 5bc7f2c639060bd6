"""Statements and transfers in the database: each function is one transaction's work.

What a statement says for the first time is published in the transaction that keeps it: so each
transfer is told once, however often it is listed, and whatever dies.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bank import camt, models
from bank.events import TransferReceived, TransferSent
from bank.matching import find_reference
from bank.models import Status
from bank.money import from_minor
from bank.problems import TransferSettled, TransferUnknown
from bank.values import Statement, Transfer
from skerry import publish_with

NO_REFERENCE = "no reference, or not exactly one with right check digits"


def keep(session: Session, statement: camt.Statement, now: datetime) -> tuple[int, int]:
    """Keep a statement and its transfers, each once; its number, and how many are new."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.execute(
        insert(models.Statement)
        .values(
            account=statement.account,
            name=statement.id,
            currency=statement.currency,
            opening=statement.opening,
            closing=statement.closing,
            read=now,
        )
        .on_conflict_do_nothing(index_elements=["account", "name"])
    )
    number = session.scalars(
        select(models.Statement.number).where(
            models.Statement.account == statement.account, models.Statement.name == statement.id
        )
    ).one()
    rows = {str(entry.id): _row(entry, statement.currency, number) for entry in statement.entries}
    if not rows:
        return number, 0
    unless_known = insert(models.Transfer).on_conflict_do_nothing(index_elements=["id"])
    new = unless_known.returning(models.Transfer.id)
    # Always in the same order, so that two statements never wait for each other.
    fresh = set(session.execute(new, [rows[id] for id in sorted(rows)]).scalars())
    told = [
        _event(entry, statement.currency) for entry in statement.entries if str(entry.id) in fresh
    ]
    publish_with(session, *told)
    return number, len(told)


def get(session: Session, id: str) -> Transfer:
    """Raises: TransferUnknown."""
    return _transfer(_get(session, id))


def matched(session: Session, id: str, reference: str, payment_id: str) -> Transfer:
    """A payment has it."""
    row = _get(session, id)
    row.status, row.reference, row.payment_id = Status.MATCHED.value, reference, payment_id
    row.reason = ""
    return _transfer(row)


def unmatched(session: Session, id: str, reason: str) -> Transfer:
    """Nobody has it, and a person has to look; unless one has looked already."""
    row = _get(session, id)
    if row.status == Status.NEW.value:
        row.status, row.reason = Status.UNMATCHED.value, reason[:200]
    return _transfer(row)


def open_transfer(session: Session, id: str) -> Transfer:
    """A transfer that nobody has. Raises: TransferUnknown, TransferSettled."""
    row = _get(session, id)
    if row.status not in (Status.NEW.value, Status.UNMATCHED.value):
        raise TransferSettled(state=row.status)
    return _transfer(row)


def page(
    session: Session, *, status: Status | None, after: int, limit: int
) -> tuple[list[Transfer], int | None]:
    """Transfers, oldest first, and the number to go on from."""
    query = select(models.Transfer).where(models.Transfer.number > after)
    if status is not None:
        query = query.where(models.Transfer.status == status.value)
    found = session.scalars(query.order_by(models.Transfer.number).limit(limit + 1)).all()
    more = found[limit - 1].number if len(found) > limit else None
    return [_transfer(row) for row in found[:limit]], more


def statements(session: Session, limit: int) -> list[Statement]:
    """What has been read, newest first."""
    query = select(models.Statement).order_by(models.Statement.number.desc()).limit(limit)
    return [
        Statement(
            row.account,
            row.name,
            row.currency,
            from_minor(row.opening, row.currency),
            from_minor(row.closing, row.currency),
            row.read,
        )
        for row in session.scalars(query)
    ]


def counts(session: Session, transfers: list[str]) -> dict[Status, int]:
    """How many of these transfers are in which state."""
    found = dict.fromkeys(Status, 0)
    for start in range(0, len(transfers), 500):  # databases limit how much one question asks
        part = transfers[start : start + 500]
        rows = session.execute(
            select(models.Transfer.status, func.count())
            .where(models.Transfer.id.in_(part))
            .group_by(models.Transfer.status)
        )
        for status, count in rows:
            found[Status(status)] += count
    return found


def _get(session: Session, id: str) -> models.Transfer:
    row = session.scalar(select(models.Transfer).where(models.Transfer.id == id))
    if row is None:
        raise TransferUnknown
    return row


def _row(entry: camt.Entry, currency: str, statement: int) -> dict[str, object]:
    text = " | ".join(entry.remittance) or entry.end_to_end
    reference = _reference(entry)
    status = Status.OUTGOING
    if entry.units > 0:
        status = Status.NEW if reference else Status.UNMATCHED
    return {
        "id": str(entry.id),
        "statement_number": statement,
        "currency": currency,
        "units": entry.units,
        "booked": entry.booked,
        "bank_reference": entry.servicer_reference[:35],
        "text": text,
        "sender": entry.party,
        "reference": reference,
        "status": status.value,
        "payment_id": None,
        "reason": NO_REFERENCE if status is Status.UNMATCHED else "",
    }


def _event(entry: camt.Entry, currency: str) -> TransferReceived | TransferSent:
    id, amount = str(entry.id), from_minor(abs(entry.units), currency)
    if entry.units < 0:
        return TransferSent(id, currency, amount, entry.booked, entry.end_to_end)
    return TransferReceived(id, currency, amount, entry.booked, entry.party, _reference(entry))


def _reference(entry: camt.Entry) -> str | None:
    return find_reference((*entry.remittance, entry.end_to_end))


def _transfer(row: models.Transfer) -> Transfer:
    return Transfer(
        id=row.id,
        currency=row.currency,
        amount=from_minor(row.units, row.currency),
        booked=row.booked,
        bank_reference=row.bank_reference,
        sender=row.sender,
        text=row.text,
        status=Status(row.status),
        reference=row.reference,
        payment_id=row.payment_id,
        reason=row.reason,
    )
