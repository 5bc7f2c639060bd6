"""FastStream: its RabbitBroker on uvloop, events as msgspec structs, no line logged for each."""

from __future__ import annotations

import sys

import uvloop
from fast_depends.msgspec import MsgSpecSerializer
from faststream import AckPolicy, FastStream
from faststream.rabbit import (
    Channel,
    ExchangeType,
    QueueType,
    RabbitBroker,
    RabbitExchange,
    RabbitQueue,
)
from msgspec import Struct

from .common import EVENT, PREFETCH, URL, Tally, publish_all

TOPIC = "payments.settled"
tally = Tally()
broker = RabbitBroker(
    URL,
    serializer=MsgSpecSerializer(),
    default_channel=Channel(prefetch_count=PREFETCH, publisher_confirms=True),
    logger=None,
)
app = FastStream(broker, logger=None)
events = RabbitExchange("faststream.events", type=ExchangeType.TOPIC, durable=True)
queue = RabbitQueue("faststream.book", queue_type=QueueType.QUORUM, durable=True, routing_key=TOPIC)


class PaymentSettled(Struct):
    payment_id: str
    amount: int
    currency: str
    school: str
    payer: str
    reference: str
    settled_at: str


@broker.subscriber(queue, events, ack_policy=AckPolicy.NACK_ON_ERROR)
async def book(settled: PaymentSettled) -> None:
    tally.add(settled.amount)


async def publish() -> None:
    await broker.connect()  # not ``start``, which would also consume

    async def one() -> None:
        event = PaymentSettled(**EVENT)
        await broker.publish(event, exchange=events, routing_key=TOPIC, persist=True)

    await publish_all(one)
    await broker.stop()


if __name__ == "__main__":
    uvloop.run(app.run() if sys.argv[1] == "consume" else publish())
