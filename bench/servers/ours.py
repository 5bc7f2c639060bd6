"""Skerry, everything on: the whole server stack, and the whole client stack for the hop."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import Annotated

from annotated_types import Gt
from msgspec import Struct

from skerry import App

from .ours_client import NewQuote as Ask
from .ours_client import Quotes


class NewQuote(Struct):
    school_id: str
    amount: Annotated[Decimal, Gt(0)]
    pay_in: str


class Quote(Struct):
    id: str
    rate: Decimal
    to_pay: Decimal


RATE = Decimal("1.0845")

app = App("quotes")
front = App("front")


@app.post("/quotes", status=201)
async def create_quote(new: NewQuote) -> Quote:
    """Lock today's rate for one payment."""
    return Quote(new.school_id, RATE, (new.amount * RATE).quantize(Decimal("0.01")))


@front.post("/front", status=201)
async def pass_on(new: NewQuote, quotes: Quotes) -> Quote:
    """Ask another app."""
    ask = Ask(school_id=new.school_id, amount=new.amount, pay_in=new.pay_in)
    got = await quotes.create_quote(ask)
    return Quote(got.id, got.rate, got.to_pay)


if os.environ.get("TOGETHER"):
    from skerry.transport import loopback

    loopback.provide("quotes", app.service)
