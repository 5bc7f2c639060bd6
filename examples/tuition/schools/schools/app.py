"""The endpoints of schools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from schools import store
from schools.values import Currency, PayoutAccount, School, SchoolPage
from skerry import App, Problem
from skerry.data.database import Database

app = App(
    "schools", version="1.0.0", description="The schools that can be paid, and how they are paid."
)

SchoolId = Annotated[str, Meta(pattern="^[a-z0-9-]{1,80}$", examples=["ethz-ch"])]
Words = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]*$")]
Country = Annotated[str, Meta(pattern="^([A-Z]{2})?$")]
CurrencyCode = Annotated[str, Meta(pattern="^([A-Z]{3})?$")]


class SchoolUnknown(Problem, status=404):
    """There is no such school."""


class CursorUnknown(Problem, status=422):
    """The cursor is not one that a page of this list named."""


@app.resource
async def database() -> AsyncIterator[Database]:
    async with Database.opened(
        "schools", migrations=Path(__file__).with_name("migrations")
    ) as database:
        yield database


@database.health
async def answers(database: Database) -> None:
    await database.ping()


@app.get("/schools", raises=[CursorUnknown])
async def search_schools(
    database: Database,
    q: Words = "",
    country: Country = "",
    currency: CurrencyCode = "",
    limit: Annotated[int, Meta(ge=1, le=100)] = 20,
    cursor: Annotated[str, Meta(max_length=1000)] = "",
) -> SchoolPage:
    """Schools by name, a page at a time.

    ``q`` is words that the name contains, in any order, without regard to case and accents.
    """
    try:
        after = store.read_cursor(cursor) if cursor else None
    except ValueError as error:
        raise CursorUnknown(detail=str(error)) from None
    return await database.read(
        store.search, words=q, country=country, currency=currency, after=after, limit=limit
    )


@app.get("/schools/{school_id}", raises=[SchoolUnknown])
async def get_school(school_id: SchoolId, database: Database) -> School:
    """One school."""
    school = await database.read(store.get, school_id)
    if school is None:
        raise SchoolUnknown
    return school


@app.get("/schools/{school_id}/payout-account", raises=[SchoolUnknown])
async def get_payout_account(school_id: SchoolId, database: Database) -> PayoutAccount:
    """Where the school's money goes."""
    account = await database.read(store.payout_account, school_id)
    if account is None:
        raise SchoolUnknown
    return account


@app.get("/currencies")
async def list_currencies(database: Database) -> list[Currency]:
    """The currencies that schools are paid in."""
    return await database.read(store.currencies)
