"""The tables of payouts. Amounts are in minor units of the currency beside them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from skerry.data.types import UtcDateTime

# SQLite counts up only a column that is exactly INTEGER, which there is 64 bits wide anyway.
Counter = BigInteger().with_variant(Integer, "sqlite")


class Status(StrEnum):
    """How far a payout has come.

    Attributes:
        OWED: the school is owed it, and nobody has been told to pay.
        ORDERED: it is in a batch, whose file the bank has or is about to get.
        PAID: the bank says that the money has gone.
    """

    OWED = "owed"
    ORDERED = "ordered"
    PAID = "paid"


STATUSES = ", ".join(f"'{status.value}'" for status in Status)


class Base(DeclarativeBase):
    pass


class Batch(Base):
    """What is ordered with one file.

    Attributes:
        name: its ``MsgId``, and its file's name.
        handed: when its file was in the bank's folder.
    """

    __tablename__ = "batches"

    number: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(35), unique=True)
    currency: Mapped[str] = mapped_column(String(3))
    made: Mapped[datetime] = mapped_column(UtcDateTime)
    handed: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class Payout(Base):
    """One payment to one school; there is one for each payment, whatever happens."""

    __tablename__ = "payouts"
    __table_args__ = (
        CheckConstraint(f"status IN ({STATUSES})", name="status_known"),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("(status = 'owed') = (batch_number IS NULL)", name="ordered_in_a_batch"),
    )

    number: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    payment_id: Mapped[str] = mapped_column(String(36), unique=True)
    status: Mapped[str] = mapped_column(String(16), index=True)
    batch_number: Mapped[int | None] = mapped_column(ForeignKey("batches.number"), index=True)
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int] = mapped_column(BigInteger)
    school_id: Mapped[str] = mapped_column(String(80))
    holder: Mapped[str] = mapped_column(String(200))
    scheme: Mapped[str] = mapped_column(String(20))
    account: Mapped[str] = mapped_column(String(34))
    bank: Mapped[str] = mapped_column(String(35))
    remittance: Mapped[str] = mapped_column(String(200))
