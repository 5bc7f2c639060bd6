"""Litestar with msgspec and aiohttp's client: the fastest pair of well-known parts."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated

import aiohttp
import msgspec
from litestar import Litestar, post
from litestar.datastructures import State
from msgspec import Meta, Struct


class NewQuote(Struct):
    school_id: Annotated[str, Meta(min_length=1)]
    amount: Decimal
    pay_in: str


class Quote(Struct):
    id: str
    rate: Decimal
    to_pay: Decimal


RATE = Decimal("1.0845")
decode_quote = msgspec.json.Decoder(Quote).decode
encode = msgspec.json.Encoder().encode


@post("/quotes", status_code=201)
async def create_quote(data: NewQuote) -> Quote:
    return Quote(data.school_id, RATE, (data.amount * RATE).quantize(Decimal("0.01")))


@post("/front", status_code=201)
async def ask(data: NewQuote, state: State) -> Quote:
    async with state.client.post(
        "/quotes", data=encode(data), headers={"content-type": "application/json"}
    ) as response:
        response.raise_for_status()
        return decode_quote(await response.read())


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    timeout = aiohttp.ClientTimeout(total=10)
    base = os.environ.get("BACK_URL") or None
    async with aiohttp.ClientSession(base_url=base, timeout=timeout) as session:
        app.state.client = session
        yield


app = Litestar([create_quote], openapi_config=None)
front = Litestar([ask], lifespan=[lifespan], openapi_config=None)
