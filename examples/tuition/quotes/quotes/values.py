"""What quotes is asked and answers with."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from annotated_types import Gt, Le
from msgspec import Meta, Struct

CurrencyCode = Annotated[str, Meta(pattern="^[A-Z]{3}$", examples=["EUR"])]
SchoolId = Annotated[str, Meta(pattern="^[a-z0-9-]{1,80}$", examples=["ethz-ch"])]
Amount = Annotated[Decimal, Gt(Decimal(0)), Le(Decimal(1_000_000_000_000))]


class NewQuote(Struct, frozen=True):
    """What a payer wants a price for.

    Attributes:
        amount: what the school asks for, in the school's own currency.
        pay_in: the payer's currency.
    """

    school_id: SchoolId
    amount: Amount
    pay_in: CurrencyCode


class Quote(Struct, frozen=True):
    """A price that holds for a while.

    Attributes:
        currency: the school's.
        amount: what the school gets, to the cent.
        mid_rate: the reference rate: units of ``pay_in`` for one of ``currency``.
        rate: what is charged: the reference rate and a margin.
        rate_day: the day of the reference rates.
        converted: ``amount`` at ``rate``, in ``pay_in``, rounded up to its smallest unit.
        fee: in ``pay_in``.
        to_pay: ``converted`` and ``fee``.
        expires: until then a payment can be made of it.
        payment_id: the payment that was made of it.
    """

    id: str
    school_id: str
    school_name: str
    currency: str
    amount: Decimal
    pay_in: str
    mid_rate: Decimal
    rate: Decimal
    rate_day: date
    converted: Decimal
    fee: Decimal
    to_pay: Decimal
    created: datetime
    expires: datetime
    payment_id: str | None = None


class Acceptance(Struct, frozen=True):
    """Who takes the quote."""

    payment_id: Annotated[str, Meta(pattern="^[0-9a-f-]{36}$")]


class Rate(Struct, frozen=True):
    """One currency's reference rate.

    Attributes:
        per_euro: how much of it one euro is.
    """

    currency: str
    per_euro: Decimal
    day: date
