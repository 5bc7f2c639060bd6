"""A contract with one of everything, for the tests of documents."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from annotated_types import Ge, Le
from msgspec import Meta

from skerry.contract.operation import Answer, Body, Contract, Operation, Parameter
from skerry.core.errors import Internal, NotFound, Overloaded, Problem

from .kinds import Cat, Colour, Customer, Dog, Everything, NewQuote, Node, Page

JSON = "application/json"
NDJSON = "application/x-ndjson"


class CurrencyUnknown(Problem, status=422):
    """No rate is published for this currency."""

    currency: str
    known: list[Colour] = []


class Gone(Problem, status=404):
    """It was here once."""

    since: date


LIMIT = Annotated[int, Ge(1), Le(100), Meta(description="How many.")]
CONTRACT = Contract(
    "quotes",
    "1.2.0",
    "Locks **rates**.",
    (
        Operation(
            "create_quote", "POST", "/quotes", "Lock today's rate.", "For one payment.\n\nOnly.",
            (Parameter("x-tenant", "header", str, False, ""),),
            Body(NewQuote, description="What is asked for."),
            Answer(201, Everything, JSON, description="The quote."),
            (CurrencyUnknown,), ("quotes",),
        ),
        Operation(
            "list_quotes", "GET", "/quotes", "List.",
            parameters=(
                Parameter("tag", "query", list[str], False, ()),
                Parameter("limit", "query", LIMIT, False, 10),
                Parameter("above", "query", Decimal | None, False),
                Parameter("colour", "query", Colour | None, False, description="Which."),
                Parameter("session", "cookie", str | None, False),
                Parameter("x-days", "header", list[date], True),
            ),
            answer=Answer(200, Page[NewQuote], JSON),
            tags=("quotes", "lists"),
        ),
        Operation(
            "get_quote", "GET", "/quotes/{id}", "One.",
            parameters=(Parameter("id", "path", str),),
            answer=Answer(200, Cat | Dog | None, JSON),
            problems=(NotFound, Gone),
        ),
        Operation(
            "drop_quote", "DELETE", "/quotes/{id}",
            parameters=(Parameter("id", "path", UUID),),
            deprecated=True,
        ),
        Operation("watch", "GET", "/watch", answer=Answer(200, NewQuote, NDJSON, True)),
        Operation("events", "GET", "/events", answer=Answer(200, Node, "text/event-stream", True)),
        Operation(
            "load", "PUT", "/load",
            body=Body(NewQuote, NDJSON, stream=True),
            answer=Answer(200, bytes, "application/octet-stream"),
        ),
        Operation(
            "store", "PUT", "/files",
            body=Body(bytes, "application/octet-stream", required=False),
            answer=Answer(200, str, "text/plain; charset=utf-8"),
        ),
        Operation(
            "add_customer", "POST", "/customers",
            body=Body(Customer), answer=Answer(200, dict[str, Any], JSON), strict=True,
        ),
    ),
    (Internal, Overloaded),
)  # fmt: skip
