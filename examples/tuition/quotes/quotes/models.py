"""The table of quotes."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from skerry.data.types import UtcDateTime


class Base(DeclarativeBase):
    pass


class Quote(Base):
    """A price that holds until ``expires``; amounts are in minor units.

    Attributes:
        rate: as text: it has as many decimals as its size needs, and SQLite would make it a float.
        payment_id: the one payment that uses it; none yet.
    """

    __tablename__ = "quotes"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("converted > 0 AND fee >= 0", name="price_positive"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    school_id: Mapped[str] = mapped_column(String(80))
    school_name: Mapped[str] = mapped_column(String(200))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int] = mapped_column(BigInteger)
    pay_in: Mapped[str] = mapped_column(String(3))
    mid_rate: Mapped[str] = mapped_column(String(24))
    rate: Mapped[str] = mapped_column(String(24))
    rate_day: Mapped[date] = mapped_column(Date)
    converted: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    expires: Mapped[datetime] = mapped_column(UtcDateTime)
    payment_id: Mapped[str | None] = mapped_column(String(36), unique=True)
