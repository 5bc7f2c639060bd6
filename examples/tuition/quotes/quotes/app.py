"""The endpoints of quotes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from quotes import store
from quotes.clients import schools as schools_api
from quotes.clients.schools import Schools
from quotes.faults import FaultSettings, Intact, intact
from quotes.problems import (
    AmountNotPayable,
    CurrencyUnknown,
    QuoteExpired,
    QuoteTaken,
    QuoteUnknown,
    SchoolUnknown,
)
from quotes.rates import Rates
from quotes.values import Acceptance, NewQuote, Quote, Rate
from skerry import App
from skerry.core.clock import Clock, system
from skerry.data.database import Database

app = App("quotes", version="1.0.0", description="Exchange rates, locked for a while.")
app.settings(FaultSettings, prefix="QUOTES_")
app.resource(intact, scope="request")

QuoteId = Annotated[str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


@app.resource
async def database() -> AsyncIterator[Database]:
    async with Database.opened(
        "quotes", migrations=Path(__file__).with_name("migrations")
    ) as database:
        yield database


@database.health
async def answers(database: Database) -> None:
    await database.ping()


@app.resource
def rates() -> Rates:
    return Rates.latest()


@app.resource
def clock() -> Clock:
    return system


@app.post("/quotes", status=201, raises=[CurrencyUnknown, SchoolUnknown, AmountNotPayable])
async def create_quote(
    new: NewQuote, rates: Rates, schools: Schools, database: Database, clock: Clock, _: Intact
) -> Quote:
    """Lock today's rate for one payment."""
    try:
        school = await schools.get_school(new.school_id)
    except schools_api.SchoolUnknown:
        raise SchoolUnknown(school_id=new.school_id) from None
    return await database.write(store.lock, new, school.name, school.currency, rates, _now(clock))


@app.get("/quotes/{quote_id}", raises=[QuoteUnknown])
async def get_quote(quote_id: QuoteId, database: Database, _: Intact) -> Quote:
    """One quote, whether it still holds or not."""
    return await database.read(store.get, quote_id)


@app.put("/quotes/{quote_id}/acceptance", raises=[QuoteUnknown, QuoteExpired, QuoteTaken])
async def accept_quote(
    quote_id: QuoteId, acceptance: Acceptance, database: Database, clock: Clock, _: Intact
) -> Quote:
    """Let one payment have the quote; the same payment may ask again."""
    return await database.write(store.accept, quote_id, acceptance.payment_id, _now(clock))


@app.get("/rates")
async def list_rates(rates: Rates, _: Intact) -> list[Rate]:
    """The reference rates that quotes are made of, without any margin."""
    return [Rate(currency, rate, rates.day) for currency, rate in sorted(rates.per_euro.items())]


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.wall(), UTC)
