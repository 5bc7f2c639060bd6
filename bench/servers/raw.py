"""By hand: raw ASGI, the body decoded and checked by msgspec; the hop over pyreqwest.

What Skerry is held against: the least that this work can cost on these libraries.
"""

from __future__ import annotations

import os
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct


class NewQuote(Struct):
    school_id: str
    amount: Decimal
    pay_in: str


class Quote(Struct):
    id: str
    rate: Decimal
    to_pay: Decimal


decode = msgspec.json.Decoder(NewQuote).decode
decode_quote = msgspec.json.Decoder(Quote).decode
encode = msgspec.json.Encoder().encode
RATE = Decimal("1.0845")
BACK = os.environ.get("BACK_URL", "") + "/quotes"
client: Any = None


async def reply(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def app(scope: Any, receive: Any, send: Any) -> None:
    new = decode((await receive())["body"])
    quote = Quote(new.school_id, RATE, (new.amount * RATE).quantize(Decimal("0.01")))
    await reply(send, 201, encode(quote))


async def front(scope: Any, receive: Any, send: Any) -> None:
    global client
    if client is None:
        from pyreqwest.client import ClientBuilder

        client = ClientBuilder().no_proxy().build()
    new = decode((await receive())["body"])
    request = client.post(BACK).header("content-type", "application/json")
    response = await request.body_bytes(encode(new)).build().send()
    quote = decode_quote(await response.bytes())
    await reply(send, 201, encode(quote))
