"""aio-pika by hand: the least code that has the same guarantees."""

from __future__ import annotations

import asyncio
import sys

import aio_pika
import msgspec
import uvloop
from aio_pika import DeliveryMode, ExchangeType, Message
from aio_pika.abc import AbstractIncomingMessage

from .common import EVENT, PREFETCH, URL, Tally, publish_all

EXCHANGE, TOPIC, QUEUE = "raw.events", "payments.settled", "raw.book"
tally = Tally()


class PaymentSettled(msgspec.Struct):
    payment_id: str
    amount: int
    currency: str
    school: str
    payer: str
    reference: str
    settled_at: str


decode = msgspec.json.Decoder(PaymentSettled).decode
encode = msgspec.json.Encoder().encode


async def book(message: AbstractIncomingMessage) -> None:
    tally.add(decode(message.body).amount)
    await message.ack()


async def consume() -> None:
    connection = await aio_pika.connect_robust(URL)
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=PREFETCH)
    exchange = await channel.declare_exchange(EXCHANGE, ExchangeType.TOPIC, durable=True)
    queue = await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    await queue.bind(exchange, TOPIC)
    await queue.consume(book)
    await asyncio.Event().wait()


async def publish() -> None:
    connection = await aio_pika.connect_robust(URL)
    channel = await connection.channel(publisher_confirms=True)
    exchange = await channel.declare_exchange(EXCHANGE, ExchangeType.TOPIC, durable=True)

    async def one() -> None:
        body = encode(PaymentSettled(**EVENT))
        message = Message(
            body, content_type="application/json", delivery_mode=DeliveryMode.PERSISTENT
        )
        await exchange.publish(message, TOPIC)

    await publish_all(one)
    await connection.close()


if __name__ == "__main__":
    uvloop.run(consume() if sys.argv[1] == "consume" else publish())
