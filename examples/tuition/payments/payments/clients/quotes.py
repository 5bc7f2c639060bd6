"""A client of quotes 1.0.0."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct

from skerry.clients.runtime import Client, Endpoint, Problem, body, path


class NewQuote(Struct, frozen=True):
    school_id: str
    amount: Decimal
    pay_in: str


class Quote(Struct, frozen=True):
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
    payment_id: str


class CurrencyUnknown(Problem, status=422):
    """No rate is published for this currency."""

    currency: str


class SchoolUnknown(Problem, status=422):
    """There is no such school."""

    school_id: str


class AmountNotPayable(Problem, status=422):
    """The currency has no such amount."""

    currency: str


class QuoteUnknown(Problem, status=404):
    """There is no such quote."""


class QuoteExpired(Problem, status=410):
    """The rate was locked for a while, which is over."""

    expired: datetime


class QuoteTaken(Problem, status=409):
    """Another payment has been made of this quote."""


class Quotes(Client):
    __app__ = "quotes"

    async def create_quote(self, new: NewQuote) -> Quote:
        return await self._call(_CREATE_QUOTE, new)

    async def get_quote(self, quote_id: str) -> Quote:
        return await self._call(_GET_QUOTE, quote_id)

    async def accept_quote(self, quote_id: str, acceptance: Acceptance) -> Quote:
        return await self._call(_ACCEPT_QUOTE, quote_id, acceptance)


_CREATE_QUOTE = Endpoint[Quote](
    "create_quote",
    "POST",
    "/quotes",
    body(NewQuote),
    answers={201: Quote},
    raises={422: (CurrencyUnknown, SchoolUnknown, AmountNotPayable)},
)
_GET_QUOTE = Endpoint[Quote](
    "get_quote",
    "GET",
    "/quotes/{quote_id}",
    path("quote_id"),
    answers={200: Quote},
    raises={404: QuoteUnknown},
)
_ACCEPT_QUOTE = Endpoint[Quote](
    "accept_quote",
    "PUT",
    "/quotes/{quote_id}/acceptance",
    path("quote_id"),
    body(Acceptance),
    answers={200: Quote},
    raises={404: QuoteUnknown, 409: QuoteTaken, 410: QuoteExpired},
)
