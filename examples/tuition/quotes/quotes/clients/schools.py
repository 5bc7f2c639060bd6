"""A client of schools 1.0.0."""

from __future__ import annotations

from msgspec import Struct

from skerry.clients.runtime import Client, Endpoint, Problem, path, query


class School(Struct, frozen=True):
    id: str
    name: str
    country: str
    domain: str
    currency: str


class SchoolPage(Struct, frozen=True):
    schools: list[School]
    next: str | None = None


class Currency(Struct, frozen=True):
    code: str
    name: str
    digits: int
    schools: int


class SchoolUnknown(Problem, status=404):
    """There is no such school."""


class Schools(Client):
    __app__ = "schools"

    async def search_schools(
        self,
        *,
        q: str = "",
        country: str = "",
        currency: str = "",
        limit: int = 20,
        cursor: str = "",
    ) -> SchoolPage:
        return await self._call(_SEARCH_SCHOOLS, q, country, currency, limit, cursor)

    async def get_school(self, school_id: str) -> School:
        return await self._call(_GET_SCHOOL, school_id)

    async def list_currencies(self) -> list[Currency]:
        return await self._call(_LIST_CURRENCIES)


_SEARCH_SCHOOLS = Endpoint[SchoolPage](
    "search_schools",
    "GET",
    "/schools",
    query("q", default=""),
    query("country", default=""),
    query("currency", default=""),
    query("limit", int, default=20),
    query("cursor", default=""),
    answers={200: SchoolPage},
)
_GET_SCHOOL = Endpoint[School](
    "get_school",
    "GET",
    "/schools/{school_id}",
    path("school_id"),
    answers={200: School},
    raises={404: SchoolUnknown},
)
_LIST_CURRENCIES = Endpoint[list[Currency]](
    "list_currencies", "GET", "/currencies", answers={200: list[Currency]}
)
