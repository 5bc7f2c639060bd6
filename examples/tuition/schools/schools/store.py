"""Finding schools: each function is one question to the database."""

from __future__ import annotations

import base64
import binascii

import msgspec
from babel.numbers import get_currency_name
from iso4217 import Currency as Iso
from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from schools.models import School, fold
from schools.values import Currency, PayoutAccount, SchoolPage
from schools.values import School as SchoolValue

Place = tuple[str, str]
"""Where a page ended: the folded name and the id of its last school."""


def search(
    session: Session,
    *,
    words: str = "",
    country: str = "",
    currency: str = "",
    after: Place | None = None,
    limit: int = 20,
) -> SchoolPage:
    """Schools whose name contains every one of ``words``, by name."""
    query = select(School).order_by(School.folded, School.id).limit(limit + 1)
    for word in fold(words).split():
        query = query.where(School.folded.contains(word, autoescape=True))
    if country:
        query = query.where(School.country == country)
    if currency:
        query = query.where(School.currency == currency)
    if after:
        query = query.where(tuple_(School.folded, School.id) > tuple_(*after))
    found = session.scalars(query).all()
    page, more = found[:limit], len(found) > limit
    return SchoolPage(
        [_value(school) for school in page],
        write_cursor((page[-1].folded, page[-1].id)) if more else None,
    )


def get(session: Session, id: str) -> SchoolValue | None:
    school = session.get(School, id)
    return None if school is None else _value(school)


def payout_account(session: Session, id: str) -> PayoutAccount | None:
    school = session.get(School, id)
    if school is None:
        return None
    return PayoutAccount(
        school_id=school.id,
        holder=school.name,
        currency=school.currency,
        scheme=school.scheme,
        account=school.account,
        bank=school.bank,
    )


def currencies(session: Session) -> list[Currency]:
    rows = session.execute(
        select(School.currency, func.count()).group_by(School.currency).order_by(School.currency)
    )
    return [
        Currency(code, get_currency_name(code, locale="en"), Iso(code).exponent or 0, count)
        for code, count in rows
    ]


def write_cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def read_cursor(cursor: str) -> Place:
    """The place a cursor stands for.

    Raises:
        ValueError: it was not made by ``write_cursor``.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place: Place = msgspec.json.decode(
            base64.b64decode(padded, altchars=b"-_", validate=True), type=Place
        )
    except (UnicodeEncodeError, binascii.Error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError("not a cursor of this list") from error
    if "\0" in place[0] + place[1]:
        raise ValueError("not a cursor of this list")
    return place


def _value(school: School) -> SchoolValue:
    return SchoolValue(school.id, school.name, school.country, school.domain, school.currency)
