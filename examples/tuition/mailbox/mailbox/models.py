"""The table of mailbox: every mail that has been accepted, those that came twice among them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from skerry.data.types import UtcDateTime

# SQLite counts up only a column that is exactly INTEGER, which there is 64 bits wide anyway.
Counter = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    pass


class Mail(Base):
    """One mail as it was handed over.

    Attributes:
        recipient: of the envelope, not of the header.
    """

    __tablename__ = "mails"

    number: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    message_id: Mapped[str] = mapped_column(String(250), index=True)
    sender: Mapped[str] = mapped_column(String(320))
    recipient: Mapped[str] = mapped_column(String(320), index=True)
    subject: Mapped[str] = mapped_column(String(500))
    text: Mapped[str] = mapped_column(Text)
    received: Mapped[datetime] = mapped_column(UtcDateTime)
