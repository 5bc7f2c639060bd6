"""Payments in the database: each function is one transaction's work.

Whatever happens to a payment is written as a ``Step`` in the same transaction, and the event that
tells others of it is published with the session: it leaves if, and only if, all of it is committed.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import msgspec
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from payments import reference as references
from payments.clients.bank import TransferReceived
from payments.events import (
    Event,
    FundsAllocated,
    FundsReturned,
    Parties,
    PaymentConverted,
    PaymentFunded,
    PaymentSettled,
    TransferRefused,
)
from payments.machine import (
    OPEN,
    SETTLED,
    Screening,
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
from skerry import publish_with

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
        screening=Screening.NONE.value,
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
    event = FundsAllocated(
        payment.id, id, payment.reference, payment.pay_in, from_minor(amount, payment.pay_in)
    )
    _step(session, payment, "transfer", now, event, (amount, payment.pay_in))
    _go_on(session, payment, now)
    return payment


def allocate(session: Session, received: TransferReceived, now: datetime) -> None:
    """Give money that has come to the payment it names, or say that nobody can have it."""
    if received.reference is None:
        return
    transfer = NewTransfer(
        received.reference, received.currency, received.amount, received.booked, received.sender
    )
    try:
        record_transfer(session, received.transfer_id, transfer, now)
    except (ReferenceUnknown, CurrencyMismatch, AmountNotPayable, TransferChanged) as refused:
        publish_with(session, TransferRefused(received.transfer_id, refused.title))


def screened(session: Session, id: str, found: Screening, now: datetime) -> Payment:
    """Compliance has looked at a payment, or a person has; rejected money goes back whole.

    Raises:
        PaymentUnknown.
    """
    payment = get(session, id, lock=True)
    if payment.screening in (found.value, Screening.CLEARED.value, Screening.REJECTED.value):
        return payment
    payment.screening = found.value
    _step(session, payment, found.value, now)
    if found is Screening.REJECTED:
        _return(session, payment, now)
    else:
        _go_on(session, payment, now)
    return payment


def pay_out(session: Session, id: str, now: datetime) -> Payment:
    """The school has its money. Raises: PaymentUnknown, TransitionNotAllowed."""
    payment = get(session, id, lock=True)
    payment.state = move(State(payment.state), State.PAID_OUT).value
    amount = from_minor(payment.amount, payment.currency)
    event = PaymentSettled(payment.id, _parties(payment), payment.currency, amount)
    _step(session, payment, "paid_out", now, event, (payment.amount, payment.currency))
    return payment


def give_back(session: Session, id: str, now: datetime) -> Payment:
    """Return to the payer what is not owed to the school.

    Raises:
        PaymentUnknown, NothingToReturn.
    """
    payment = get(session, id, lock=True)
    if not _return(session, payment, now):
        raise NothingToReturn(state=payment.state)
    _go_on(session, payment, now)
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


def _go_on(session: Session, payment: Payment, now: datetime) -> None:
    """What follows by itself: a funded payment is screened, a cleared one converted."""
    if payment.state != State.FUNDED.value:
        return
    if payment.screening == Screening.CLEARED.value:
        _convert(session, payment, now)
    elif payment.screening == Screening.NONE.value:
        payment.screening = Screening.ASKED.value
        to_pay = from_minor(payment.to_pay, payment.pay_in)
        publish_with(session, PaymentFunded(payment.id, _parties(payment), payment.pay_in, to_pay))


def _convert(session: Session, payment: Payment, now: datetime) -> None:
    payment.state = move(State.FUNDED, State.CONVERTED).value
    payment.held -= payment.to_pay
    event = PaymentConverted(
        payment.id,
        _parties(payment),
        payment.pay_in,
        from_minor(payment.converted, payment.pay_in),
        from_minor(payment.fee, payment.pay_in),
        payment.currency,
        from_minor(payment.amount, payment.currency),
    )
    _step(session, payment, "converted", now, event, (payment.to_pay, payment.pay_in))


def _return(session: Session, payment: Payment, now: datetime) -> int:
    """Give back what is not owed to the school; how much, in minor units."""
    state = State(payment.state)
    rejected = payment.screening == Screening.REJECTED.value and state not in SETTLED
    amount = returnable(state, held=payment.held, to_pay=payment.to_pay, rejected=rejected)
    if amount:
        payment.state = after_return(state, rejected=rejected).value
        payment.held -= amount
        returned = from_minor(amount, payment.pay_in)
        event = FundsReturned(payment.id, _parties(payment), payment.pay_in, returned)
        _step(session, payment, "returned", now, event, (amount, payment.pay_in))
    return amount


def _parties(payment: Payment) -> Parties:
    return Parties(
        payment.reference,
        payment.payer_name,
        payment.payer_email,
        payment.student,
        payment.school_id,
        payment.school_name,
    )


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
        )
    )
    session.flush()
    if event is not None:
        publish_with(session, event)
