"""Payouts in the database: each function is one transaction's work.

A payment is owed once, since its id is unique; it is ordered once, since a batch is made in one
transaction and never changes; and the bank carries a batch out once, by its name.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payouts import models, pain
from payouts.clients.bank import TransferSent
from payouts.clients.payments import PaymentConverted
from payouts.clients.schools import PayoutAccount
from payouts.events import PaymentPaidOut
from payouts.models import Status
from payouts.money import from_minor, to_minor
from payouts.problems import NotAsOrdered
from payouts.values import Batch, Payout, Total
from skerry import publish_with

MOST_IN_A_FILE = 500


def owe(session: Session, converted: PaymentConverted, account: PayoutAccount) -> None:
    """A school is owed the money of a payment."""
    parties = converted.parties
    session.add(
        models.Payout(
            payment_id=converted.payment_id,
            status=Status.OWED.value,
            currency=converted.currency,
            amount=to_minor(converted.amount, converted.currency),
            school_id=parties.school_id,
            holder=account.holder,
            scheme=account.scheme,
            account=account.account,
            bank=account.bank,
            remittance=f"{parties.reference} {parties.student}",
        )
    )


def make_batches(session: Session, now: datetime) -> int:
    """Put what is owed into batches, one for each currency; how many."""
    owed = session.scalars(
        select(models.Payout)
        .where(models.Payout.status == Status.OWED.value)
        .order_by(models.Payout.number)
        .limit(MOST_IN_A_FILE)
        .with_for_update(skip_locked=True)
    ).all()
    by_currency: dict[str, list[models.Payout]] = defaultdict(list)
    for payout in owed:
        by_currency[payout.currency].append(payout)
    for currency, payouts in sorted(by_currency.items()):
        # The first payment's id makes the name unlike any other's, in every database's life.
        name = f"{currency}-{now:%y%m%d}-{pain.end_to_end_of(payouts[0].payment_id)[:20]}"
        batch = models.Batch(name=name, currency=currency, made=now)
        session.add(batch)
        session.flush()
        for payout in payouts:
            payout.status, payout.batch_number = Status.ORDERED.value, batch.number
    return len(by_currency)


def to_hand_over(session: Session) -> list[tuple[Batch, list[pain.Order]]]:
    """The batches whose files the bank has not got, with their orders."""
    waiting = session.scalars(
        select(models.Batch).where(models.Batch.handed.is_(None)).order_by(models.Batch.number)
    ).all()
    return [(_batch(session, row), _orders(session, row)) for row in waiting]


def handed_over(session: Session, name: str, now: datetime) -> None:
    """The bank has the file."""
    session.scalars(select(models.Batch).where(models.Batch.name == name)).one().handed = now


def confirm(session: Session, sent: TransferSent) -> None:
    """The bank says that money has gone: if it was a payout, its school is paid.

    Raises:
        NotAsOrdered: it was a payout, and is not what was ordered.
    """
    payment_id = pain.payment_of(sent.end_to_end)
    row = session.scalar(
        select(models.Payout).where(models.Payout.payment_id == payment_id).with_for_update()
    )
    if row is None:
        return
    amount = from_minor(row.amount, row.currency)
    if row.batch_number is None or (row.currency, amount) != (sent.currency, sent.amount):
        raise NotAsOrdered(
            f"{row.payment_id}: {amount} {row.currency} is {row.status}, and the bank has "
            f"booked {sent.amount} {sent.currency}"
        )
    if row.status == Status.PAID.value:
        raise NotAsOrdered(f"{row.payment_id} has been paid before; this is {sent.transfer_id}")
    row.status = Status.PAID.value
    batch = session.get_one(models.Batch, row.batch_number).name
    publish_with(session, PaymentPaidOut(row.payment_id, row.currency, amount, batch))


def page(
    session: Session, *, status: Status | None, after: int, limit: int
) -> tuple[list[Payout], int | None]:
    """Payouts, oldest first, and the number to go on from."""
    query = (
        select(models.Payout, models.Batch.name)
        .outerjoin(models.Batch, models.Batch.number == models.Payout.batch_number)
        .where(models.Payout.number > after)
    )
    if status is not None:
        query = query.where(models.Payout.status == status.value)
    found = session.execute(query.order_by(models.Payout.number).limit(limit + 1)).all()
    more = found[limit - 1][0].number if len(found) > limit else None
    return [_payout(row, batch) for row, batch in found[:limit]], more


def batches(session: Session, limit: int) -> list[Batch]:
    """Files of orders, newest first."""
    query = select(models.Batch).order_by(models.Batch.number.desc()).limit(limit)
    return [_batch(session, row) for row in session.scalars(query)]


def totals(session: Session) -> list[Total]:
    """What is owed, ordered and paid, by currency."""
    row = models.Payout
    rows = session.execute(
        select(row.currency, row.status, func.count(), func.sum(row.amount))
        .group_by(row.currency, row.status)
        .order_by(row.currency, row.status)
    )
    return [
        Total(currency, Status(status), count, from_minor(int(units), currency))
        for currency, status, count, units in rows
    ]


def _orders(session: Session, batch: models.Batch) -> list[pain.Order]:
    query = select(models.Payout).where(models.Payout.batch_number == batch.number)
    return [
        pain.Order(
            pain.end_to_end_of(row.payment_id),
            row.school_id,
            row.holder,
            row.scheme,
            row.account,
            row.bank,
            from_minor(row.amount, row.currency),
            row.remittance,
        )
        for row in session.scalars(query.order_by(models.Payout.number))
    ]


def _batch(session: Session, row: models.Batch) -> Batch:
    count, units = session.execute(
        select(func.count(), func.sum(models.Payout.amount)).where(
            models.Payout.batch_number == row.number
        )
    ).one()
    total = from_minor(int(units), row.currency)
    return Batch(row.name, row.currency, count, total, row.made, row.handed)


def _payout(row: models.Payout, batch: str | None) -> Payout:
    return Payout(
        row.payment_id,
        Status(row.status),
        row.school_id,
        row.holder,
        row.currency,
        from_minor(row.amount, row.currency),
        batch,
    )
