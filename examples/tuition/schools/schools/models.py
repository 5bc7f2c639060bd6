"""The tables of schools."""

from __future__ import annotations

import unicodedata

from sqlalchemy import Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Letters with a stroke are letters of their own to Unicode, and typed without it by everyone.
_STROKES = str.maketrans("łøđħŧ", "lodht")


class Base(DeclarativeBase):
    pass


class School(Base):
    """A school that can be paid.

    Attributes:
        id: its web domain with dashes: ``ethz-ch``.
        folded: the name as people type it: lower case, without accents.
        scheme: how the account is written: ``iban``, or a national scheme such as ``aba``.
        bank: the BIC, or the bank's code in the national scheme; empty where the account says it.
    """

    __tablename__ = "schools"
    __table_args__ = (
        Index("schools_by_name", "folded", "id"),
        Index("schools_by_country", "country", "folded", "id"),
    )

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    folded: Mapped[str] = mapped_column(String(200))
    country: Mapped[str] = mapped_column(String(2))
    domain: Mapped[str] = mapped_column(String(80), unique=True)
    currency: Mapped[str] = mapped_column(String(3), index=True)
    scheme: Mapped[str] = mapped_column(String(12))
    account: Mapped[str] = mapped_column(String(34))
    bank: Mapped[str] = mapped_column(String(20))


def fold(text: str) -> str:
    """Text to search by: lower case, without accents, single spaces."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return " ".join(bare.translate(_STROKES).split())
