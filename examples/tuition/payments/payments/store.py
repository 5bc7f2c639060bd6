"""Payments in the database: each function is one transaction's work.

Whatever happens to a payment is written as a ``Step`` in the same transaction, together with
the event that tells others of it; telling them comes afterwards, and may come late or twice.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import msgspec
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from payments import reference as references
from payments.events import (
    Event,
    FundsAllocated,
    FundsReturned,
    PaymentConverted,
    PaymentPaidOut,
)
from payments.machine import (
    OPEN,
    State,
    after_return,
    after_transfer,
    move,
    returnable,
)
from payments.models import Payment, Step, Transfer
from payments.money import NotAnAmount, from_minor, to_minor
from payments.problems import (
    AmountNotPayable,
    CurrencyMismatch,
    KeyReused,
    NothingToReturn,
    PaymentUnknown,
    ReferenceUnknown,
    TransferChanged,
)
from payments.values import NewPayment
from payments.values import Transfer as NewTransfer

TIME_TO_PAY = timedelta(days=7)

# Statements come a day or more after the bookings they list, and weekends are between.
GRACE = timedelta(days=4)


class Price(msgspec.Struct, frozen=True):
    """What a payment takes from its quote."""

    quote_id: str
    school_id: str
    school_name: str
    currency: str
    amount: Decimal
    pay_in: str
    rate: Decimal
    converted: Decimal
    fee: Decimal


class Pending(msgspec.Struct, frozen=True):
    """An event that nobody has been told of yet."""

    number: int
    event_id: str
    event: Event


def find_by_key(session: Session, key: str, new: NewPayment) -> Payment | None:
    """The payment that was made with this Idempotency-Key, if one was.

    Raises:
        KeyReused: it is another payment.
    """
    row = session.scalar(select(Payment).where(Payment.key == key))
    if row is not None:
        payer = (row.payer_name, row.payer_email, row.student)
        if (row.quote_id, *payer) != (new.quote_id, *msgspec.structs.astuple(new.payer)):
            raise KeyReused
    return row


def create(
    session: Session, id: str, key: str, new: NewPayment, price: Price, now: datetime
) -> Payment:
    """A payment that waits for its money; the one there is, if ``key`` has made one."""
    made = find_by_key(session, key, new)
    if made is not None:
        return made
    reference = references.fresh()
    while session.scalar(select(Payment.id).where(Payment.reference == reference)):
        reference = references.fresh()
    row = Payment(
        id=id,
        reference=reference,
        key=key,
        quote_id=price.quote_id,
        state=State.AWAITING_FUNDS.value,
        school_id=price.school_id,
        school_name=price.school_name,
        payer_name=new.payer.name,
        payer_email=new.payer.email,
        student=new.payer.student,
        currency=price.currency,
        amount=to_minor(price.amount, price.currency),
        pay_in=price.pay_in,
        rate=f"{price.rate:f}",
        converted=to_minor(price.converted, price.pay_in),
        fee=to_minor(price.fee, price.pay_in),
        to_pay=to_minor(price.converted + price.fee, price.pay_in),
        held=0,
        created=now,
        due=(now + TIME_TO_PAY).date(),
    )
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
            _step(session, row, "created", now)
    except IntegrityError:
        made = find_by_key(session, key, new)  # the same request, a moment earlier
        if made is None:
            raise
        return made
    return row


def get(session: Session, id: str, *, lock: bool = False) -> Payment:
    """Raises: PaymentUnknown."""
    query = select(Payment).where(Payment.id == id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise PaymentUnknown
    return row


def newest(
    session: Session, *, state: State | None, before: int | None, limit: int
) -> tuple[list[Payment], int | None]:
    """Payments, newest first, and the number to go on from."""
    query = select(Payment).order_by(Payment.number.desc()).limit(limit + 1)
    if state is not None:
        query = query.where(Payment.state == state.value)
    if before is not None:
        query = query.where(Payment.number < before)
    found = list(session.scalars(query))
    return found[:limit], found[limit - 1].number if len(found) > limit else None


def steps(session: Session, id: str) -> list[Step]:
    """Everything that has happened to a payment, oldest first. Raises: PaymentUnknown."""
    get(session, id)
    return list(session.scalars(select(Step).where(Step.payment_id == id).order_by(Step.position)))


def record_transfer(session: Session, id: str, new: NewTransfer, now: datetime) -> Payment:
    """Count money that has come, once however often it is told.

    Raises:
        ReferenceUnknown, CurrencyMismatch, AmountNotPayable, TransferChanged.
    """
    payment = session.scalar(
        select(Payment).where(Payment.reference == new.reference).with_for_update()
    )
    if payment is None:
        raise ReferenceUnknown(reference=new.reference)
    if new.currency != payment.pay_in:
        raise CurrencyMismatch(expected=payment.pay_in, currency=new.currency)
    try:
        amount = to_minor(new.amount, new.currency)
    except NotAnAmount as error:
        raise AmountNotPayable(currency=new.currency, detail=str(error)) from None
    told = session.get(Transfer, id)
    if told is not None:
        if (told.payment_id, told.amount) != (payment.id, amount):
            raise TransferChanged
        return payment
    transfer = Transfer(id=id, payment_id=payment.id, amount=amount)
    transfer.reference, transfer.currency = new.reference, new.currency
    transfer.booked, transfer.sender = new.booked, new.sender
    session.add(transfer)
    payment.held += amount
    payment.state = after_transfer(
        State(payment.state),
        held=payment.held,
        to_pay=payment.to_pay,
        late=new.booked > payment.due,
    ).value
    event = FundsAllocated(payment.id, payment.pay_in, from_minor(amount, payment.pay_in))
    _step(session, payment, "transfer", now, event, (amount, payment.pay_in))
    _convert_when_funded(session, payment, now)
    return payment


def pay_out(session: Session, id: str, now: datetime) -> Payment:
    """The school has its money. Raises: PaymentUnknown, TransitionNotAllowed."""
    payment = get(session, id, lock=True)
    payment.state = move(State(payment.state), State.PAID_OUT).value
    event = PaymentPaidOut(
        payment.id, payment.currency, from_minor(payment.amount, payment.currency)
    )
    _step(session, payment, "paid_out", now, event, (payment.amount, payment.currency))
    return payment


def give_back(session: Session, id: str, now: datetime) -> Payment:
    """Return to the payer what is not owed to the school.

    Raises:
        PaymentUnknown, NothingToReturn.
    """
    payment = get(session, id, lock=True)
    state = State(payment.state)
    amount = returnable(state, held=payment.held, to_pay=payment.to_pay)
    if amount == 0:
        raise NothingToReturn(state=state.value)
    payment.state = after_return(state).value
    payment.held -= amount
    event = FundsReturned(payment.id, payment.pay_in, from_minor(amount, payment.pay_in))
    _step(session, payment, "returned", now, event, (amount, payment.pay_in))
    _convert_when_funded(session, payment, now)
    return payment


def expire(session: Session, today: date, now: datetime, limit: int = 500) -> int:
    """Close payments whose money has not come in time; how many."""
    overdue = session.scalars(
        select(Payment)
        .where(Payment.state.in_([state.value for state in OPEN]), Payment.due < today - GRACE)
        .order_by(Payment.number)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for payment in overdue:
        payment.state = move(State(payment.state), State.EXPIRED).value
        _step(session, payment, "expired", now)
    return len(overdue)


def pending(session: Session, payment_id: str | None = None, limit: int = 200) -> list[Pending]:
    """Events still to be told, oldest first; of one payment or of all."""
    query = select(Step).where(Step.announced.is_(None), Step.event.is_not(None))
    if payment_id is not None:
        query = query.where(Step.payment_id == payment_id)
    found = session.scalars(query.order_by(Step.number).limit(limit))
    return [
        Pending(step.number, step.event_id, msgspec.json.decode(step.event, type=Event))
        for step in found
        if step.event_id and step.event
    ]


def mark_announced(session: Session, number: int, now: datetime) -> None:
    session.get_one(Step, number).announced = now


def _convert_when_funded(session: Session, payment: Payment, now: datetime) -> None:
    if payment.state != State.FUNDED.value:
        return
    payment.state = move(State.FUNDED, State.CONVERTED).value
    payment.held -= payment.to_pay
    event = PaymentConverted(
        payment.id,
        payment.pay_in,
        from_minor(payment.converted, payment.pay_in),
        from_minor(payment.fee, payment.pay_in),
        payment.currency,
        from_minor(payment.amount, payment.currency),
    )
    _step(session, payment, "converted", now, event, (payment.to_pay, payment.pay_in))


def _step(
    session: Session,
    payment: Payment,
    what: str,
    now: datetime,
    event: Event | None = None,
    moved: tuple[int, str] | None = None,
) -> None:
    last = session.scalar(select(func.max(Step.position)).where(Step.payment_id == payment.id))
    amount, currency = moved or (None, None)
    session.add(
        Step(
            payment_id=payment.id,
            position=(last or 0) + 1,
            what=what,
            state=payment.state,
            at=now,
            amount=amount,
            currency=currency,
            event_id=str(uuid4()) if event else None,
            event=msgspec.json.encode(event) if event else None,
            announced=None,
        )
    )
    session.flush()
