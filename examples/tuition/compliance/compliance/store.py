"""Cases in the database: each function is one transaction's work."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from compliance import models
from compliance.clients.payments import PaymentFunded
from compliance.events import PaymentCleared, PaymentHeld, PaymentRejected
from compliance.models import Status
from compliance.problems import CaseDecided, CaseUnknown
from compliance.values import Case, Decision, Verdict
from skerry import publish_with


def screened(session: Session, funded: PaymentFunded, reasons: list[str], now: datetime) -> None:
    """Note what was found, and tell: the payment goes on, or a person has to look."""
    session.add(
        models.Case(
            payment_id=funded.payment_id,
            status=(Status.OPEN if reasons else Status.CLEARED).value,
            payer_name=funded.parties.payer_name,
            school_name=funded.parties.school_name,
            amount=f"{funded.to_pay:f}",
            currency=funded.pay_in,
            reasons="\n".join(reasons),
            screened=now,
            decided_by="",
            note="",
        )
    )
    id = funded.payment_id
    publish_with(session, PaymentHeld(id, reasons) if reasons else PaymentCleared(id))


def decide(session: Session, payment_id: str, decision: Decision, now: datetime) -> Case:
    """What a person has decided of an open case.

    Raises:
        CaseUnknown, CaseDecided.
    """
    row = _get(session, payment_id, lock=True)
    if row.status != Status.OPEN.value:
        raise CaseDecided(state=row.status)
    release = decision.verdict is Verdict.RELEASE
    row.status = (Status.RELEASED if release else Status.REJECTED).value
    row.decided, row.decided_by, row.note = now, decision.by, decision.note
    publish_with(session, PaymentCleared(payment_id) if release else PaymentRejected(payment_id))
    return _case(row)


def get(session: Session, payment_id: str) -> Case:
    """Raises: CaseUnknown."""
    return _case(_get(session, payment_id))


def page(
    session: Session, *, status: Status | None, after: int, limit: int
) -> tuple[list[Case], int | None]:
    """Cases, oldest first, and the number to go on from."""
    query = select(models.Case).where(models.Case.number > after)
    if status is not None:
        query = query.where(models.Case.status == status.value)
    found = session.scalars(query.order_by(models.Case.number).limit(limit + 1)).all()
    more = found[limit - 1].number if len(found) > limit else None
    return [_case(row) for row in found[:limit]], more


def _get(session: Session, payment_id: str, *, lock: bool = False) -> models.Case:
    query = select(models.Case).where(models.Case.payment_id == payment_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise CaseUnknown
    return row


def _case(row: models.Case) -> Case:
    return Case(
        payment_id=row.payment_id,
        status=Status(row.status),
        payer_name=row.payer_name,
        school_name=row.school_name,
        amount=Decimal(row.amount),
        currency=row.currency,
        reasons=row.reasons.splitlines(),
        screened=row.screened,
        decided=row.decided,
        decided_by=row.decided_by,
        note=row.note,
    )
