"""The tables of the ledger, and the rules that hold whoever writes to them.

An entry is written open, gets its postings, and is then *sealed*. Triggers in the database
refuse to seal one that does not balance in every currency, and to change anything sealed; so
neither a bug nor a hand at the database's prompt can unbalance the books unseen.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from ledger.accounts import Account
from skerry.data.types import UtcDateTime

ACCOUNTS = ", ".join(f"'{account.value}'" for account in Account)
# SQLite counts up only a column that is exactly INTEGER, which there is 64 bits wide anyway.
Counter = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    pass


class Entry(Base):
    """A journal entry."""

    __tablename__ = "entries"

    number: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(200), index=True)
    booked: Mapped[datetime] = mapped_column(UtcDateTime)
    sealed: Mapped[bool] = mapped_column(Boolean)
    postings: Mapped[list[Posting]] = relationship(order_by="Posting.id", lazy="selectin")


class Posting(Base):
    """One line of an entry: positive units are debit, negative are credit."""

    __tablename__ = "postings"
    __table_args__ = (
        CheckConstraint(f"account IN ({ACCOUNTS})", name="account_known"),
        CheckConstraint("units <> 0", name="units_not_zero"),
        Index("postings_by_account", "account", "currency"),
    )

    id: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    entry_number: Mapped[int] = mapped_column(ForeignKey("entries.number"), index=True)
    account: Mapped[str] = mapped_column(String(20))
    currency: Mapped[str] = mapped_column(String(3))
    units: Mapped[int] = mapped_column(BigInteger)


class Balance(Base):
    """The sum of an account's postings in one currency, kept with every entry."""

    __tablename__ = "balances"

    account: Mapped[str] = mapped_column(String(20), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    units: Mapped[int] = mapped_column(BigInteger)
