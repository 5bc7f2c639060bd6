"""Quotes in the database: each function is one transaction's work."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from sqlalchemy.orm import Session

from quotes import models
from quotes.money import NotAnAmount, from_minor, to_minor
from quotes.problems import (
    AmountNotPayable,
    CurrencyUnknown,
    QuoteExpired,
    QuoteTaken,
    QuoteUnknown,
)
from quotes.rates import Rates
from quotes.values import NewQuote, Quote

LOCKED_FOR = timedelta(minutes=30)


def lock(
    session: Session, new: NewQuote, school_name: str, currency: str, rates: Rates, now: datetime
) -> Quote:
    """Price ``new`` by ``rates`` and keep the price.

    Raises:
        CurrencyUnknown: nobody publishes a rate for one of the two.
        AmountNotPayable: the school's currency has no such amount.
    """
    try:
        amount = to_minor(new.amount, currency)
    except NotAnAmount as error:
        raise AmountNotPayable(currency=currency, detail=str(error)) from None
    try:
        price = rates.price(new.amount, currency, new.pay_in)
    except KeyError as missing:
        code = str(missing.args[0])
        detail = f"{code} is not among the {len(rates.per_euro)} rates of {rates.day}."
        raise CurrencyUnknown(currency=code, detail=detail) from None
    row = models.Quote(
        id=str(uuid4()),
        school_id=new.school_id,
        school_name=school_name,
        currency=currency,
        amount=amount,
        pay_in=new.pay_in,
        mid_rate=f"{price.mid_rate:f}",
        rate=f"{price.rate:f}",
        rate_day=rates.day,
        converted=to_minor(price.converted, new.pay_in),
        fee=to_minor(price.fee, new.pay_in),
        created=now,
        expires=now + LOCKED_FOR,
        payment_id=None,
    )
    session.add(row)
    return _value(row)


def get(session: Session, id: str) -> Quote:
    """Raises: QuoteUnknown."""
    row = session.get(models.Quote, id)
    if row is None:
        raise QuoteUnknown
    return _value(row)


def accept(session: Session, id: str, payment_id: str, now: datetime) -> Quote:
    """Let one payment have the quote; asking again for the same payment changes nothing.

    Raises:
        QuoteUnknown, QuoteExpired, QuoteTaken.
    """
    row = session.get(models.Quote, id, with_for_update=True)
    if row is None:
        raise QuoteUnknown
    if row.payment_id is None:
        if now >= row.expires:
            raise QuoteExpired(expired=row.expires)
        row.payment_id = payment_id
    elif row.payment_id != payment_id:
        raise QuoteTaken
    return _value(row)


def _value(row: models.Quote) -> Quote:
    return Quote(
        id=row.id,
        school_id=row.school_id,
        school_name=row.school_name,
        currency=row.currency,
        amount=from_minor(row.amount, row.currency),
        pay_in=row.pay_in,
        mid_rate=Decimal(row.mid_rate),
        rate=Decimal(row.rate),
        rate_day=row.rate_day,
        converted=from_minor(row.converted, row.pay_in),
        fee=from_minor(row.fee, row.pay_in),
        to_pay=from_minor(row.converted + row.fee, row.pay_in),
        created=row.created,
        expires=row.expires,
        payment_id=row.payment_id,
    )
