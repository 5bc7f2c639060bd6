"""The tables of bank. Amounts are in minor units of the currency beside them."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from skerry.data.types import UtcDateTime

# SQLite counts up only a column that is exactly INTEGER, which there is 64 bits wide anyway.
Counter = BigInteger().with_variant(Integer, "sqlite")


class Status(StrEnum):
    """How far a transfer has come.

    Attributes:
        NEW: read and told; payments has not said yet whose it is.
        MATCHED: a payment has it.
        UNMATCHED: it is a person's turn to find out whose it is.
        OUTGOING: money that left; nothing to match.
    """

    NEW = "new"
    MATCHED = "matched"
    UNMATCHED = "unmatched"
    OUTGOING = "outgoing"


STATUSES = ", ".join(f"'{status.value}'" for status in Status)


class Base(DeclarativeBase):
    pass


class Statement(Base):
    """A statement that has been read."""

    __tablename__ = "statements"
    __table_args__ = (UniqueConstraint("account", "name"),)

    number: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    account: Mapped[str] = mapped_column(String(34))
    name: Mapped[str] = mapped_column(String(35))
    currency: Mapped[str] = mapped_column(String(3))
    opening: Mapped[int] = mapped_column(BigInteger)
    closing: Mapped[int] = mapped_column(BigInteger)
    read: Mapped[datetime] = mapped_column(UtcDateTime)


class Transfer(Base):
    """One transfer in or out; listed twice, it is still one.

    Attributes:
        units: positive has come, negative has gone.
        text: what the sender wrote.
        reason: why it is unmatched.
    """

    __tablename__ = "transfers"
    __table_args__ = (
        CheckConstraint(f"status IN ({STATUSES})", name="status_known"),
        CheckConstraint(
            "(status = 'matched') = (payment_id IS NOT NULL)", name="matched_to_a_payment"
        ),
    )

    number: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    statement_number: Mapped[int] = mapped_column(ForeignKey("statements.number"), index=True)
    currency: Mapped[str] = mapped_column(String(3))
    units: Mapped[int] = mapped_column(BigInteger)
    booked: Mapped[date] = mapped_column(Date)
    bank_reference: Mapped[str] = mapped_column(String(35))
    text: Mapped[str] = mapped_column(Text)
    sender: Mapped[str] = mapped_column(String(140))
    reference: Mapped[str | None] = mapped_column(String(25))
    status: Mapped[str] = mapped_column(String(16), index=True)
    payment_id: Mapped[str | None] = mapped_column(String(36))
    reason: Mapped[str] = mapped_column(String(200))
