"""What schools answers with."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class School(Struct, frozen=True):
    """A school that can be paid.

    Attributes:
        id: stays the same for good.
        country: ISO 3166-1 alpha-2.
        currency: ISO 4217; what the school is paid in.
    """

    id: str
    name: str
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")]
    domain: str
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class SchoolPage(Struct, frozen=True):
    """Some schools, in the order of their names.

    Attributes:
        next: give it as ``cursor`` for what comes after; absent at the end.
    """

    schools: list[School]
    next: str | None = None


class PayoutAccount(Struct, frozen=True):
    """Where the school's money goes.

    Attributes:
        scheme: ``iban``, or the national scheme that the account is written in.
        account: the IBAN or account number, without spaces.
        bank: the BIC, or the bank's code in the national scheme.
    """

    school_id: str
    holder: str
    currency: str
    scheme: str
    account: str
    bank: str


class Currency(Struct, frozen=True):
    """A currency that at least one school is paid in.

    Attributes:
        code: ISO 4217.
        digits: decimals of an amount: 2 for EUR, 0 for JPY.
    """

    code: str
    name: str
    digits: int
    schools: int
