"""The tables of payments. Amounts are in minor units of the currency named beside them."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from payments.machine import State
from skerry.data.types import UtcDateTime

STATES = ", ".join(f"'{state.value}'" for state in State)
# SQLite counts up only a column that is exactly INTEGER, which there is 64 bits wide anyway.
Counter = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    pass


class Payment(Base):
    """One payment.

    Attributes:
        key: the Idempotency-Key it was made with; its ``id`` follows from it.
        quote_id: a quote is used once.
        held: transfers in ``pay_in``, less what was converted and what went back.
        screening: what compliance says of it; apart from the state, because money may come and go
            while somebody looks.
    """

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint(f"state IN ({STATES})", name="state_known"),
        CheckConstraint("held >= 0", name="held_not_negative"),
        CheckConstraint("to_pay = converted + fee", name="to_pay_is_the_sum"),
        CheckConstraint("amount > 0", name="amount_positive"),
        Index("payments_open", "due", "state"),
    )

    number: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    reference: Mapped[str] = mapped_column(String(25), unique=True)
    key: Mapped[str] = mapped_column(String(255), unique=True)
    quote_id: Mapped[str] = mapped_column(String(36), unique=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    screening: Mapped[str] = mapped_column(String(16), server_default="none")
    school_id: Mapped[str] = mapped_column(String(80))
    school_name: Mapped[str] = mapped_column(String(200))
    payer_name: Mapped[str] = mapped_column(String(140))
    payer_email: Mapped[str] = mapped_column(String(254))
    student: Mapped[str] = mapped_column(String(140))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int] = mapped_column(BigInteger)
    pay_in: Mapped[str] = mapped_column(String(3))
    rate: Mapped[str] = mapped_column(String(24))
    converted: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(BigInteger)
    to_pay: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    due: Mapped[date] = mapped_column(Date)


class Transfer(Base):
    """Money that came for a payment; each is counted once, by its id."""

    __tablename__ = "transfers"
    __table_args__ = (CheckConstraint("amount > 0", name="transfer_positive"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"), index=True)
    reference: Mapped[str] = mapped_column(String(25))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int] = mapped_column(BigInteger)
    booked: Mapped[date] = mapped_column(Date)
    sender: Mapped[str] = mapped_column(String(140))


class Step(Base):
    """One thing that happened to a payment, in the transaction that made it happen.

    Attributes:
        position: counts the payment's steps; unique, so that two cannot happen at once.
    """

    __tablename__ = "steps"
    __table_args__ = (UniqueConstraint("payment_id", "position"),)

    number: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    position: Mapped[int] = mapped_column(Integer)
    what: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    amount: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3))
