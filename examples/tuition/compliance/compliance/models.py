"""The table of compliance: one row for each payment that has been looked at."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from skerry.data.types import UtcDateTime

# SQLite counts up only a column that is exactly INTEGER, which there is 64 bits wide anyway.
Counter = BigInteger().with_variant(Integer, "sqlite")


class Status(StrEnum):
    """How a case stands.

    Attributes:
        CLEARED: nobody had to look.
        OPEN: it is a person's turn.
        RELEASED: a person has let it go on.
        REJECTED: a person has sent the money back.
    """

    CLEARED = "cleared"
    OPEN = "open"
    RELEASED = "released"
    REJECTED = "rejected"


STATUSES = ", ".join(f"'{status.value}'" for status in Status)


class Base(DeclarativeBase):
    pass


class Case(Base):
    """One payment that has been screened.

    Attributes:
        amount: a decimal as text; it is shown and never added up.
        reasons: why a person had to look, one a line.
        decided_by: who has; empty while nobody has or had to.
    """

    __tablename__ = "cases"
    __table_args__ = (CheckConstraint(f"status IN ({STATUSES})", name="status_known"),)

    number: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    payment_id: Mapped[str] = mapped_column(String(36), unique=True)
    status: Mapped[str] = mapped_column(String(16), index=True)
    payer_name: Mapped[str] = mapped_column(String(140))
    school_name: Mapped[str] = mapped_column(String(200))
    amount: Mapped[str] = mapped_column(String(24))
    currency: Mapped[str] = mapped_column(String(3))
    reasons: Mapped[str] = mapped_column(Text)
    screened: Mapped[datetime] = mapped_column(UtcDateTime)
    decided: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str] = mapped_column(String(140))
    note: Mapped[str] = mapped_column(String(500))
