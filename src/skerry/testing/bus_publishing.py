"""What is accepted is delivered to every subscription, as it was."""

from __future__ import annotations

import asyncio
import random
import time
from uuid import uuid4

from skerry.bus.driver import Driver, Subscription
from skerry.bus.message import Message, new_id

from .bus_fixtures import Suite
from .bus_tools import SHORT, Another, Subscribe, bodies, counted, info, one, taking


class Publishing(Suite):
    """Part of ``Bus``."""

    async def test_every_subscription_of_a_topic_is_given_its_messages(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        ledger, notify, other = (
            await subscribe(),
            await subscribe(topic, f"{topic}.also"),
            await subscribe(f"{topic}.also"),
        )
        await driver.publish([one(topic, body=b"1"), one(f"{topic}.also", body=b"2")])
        assert await bodies(driver, ledger, 1) == [b"1"]
        assert await bodies(driver, notify, 2) == [b"1", b"2"]
        assert await bodies(driver, other, 1) == [b"2"]
        for subscription in (ledger, notify, other):
            await counted(driver, subscription)

    async def test_a_subscription_is_given_what_is_published_after_it(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        first = await subscribe()
        await driver.publish([one(topic, body=b"1")])
        second = await subscribe()
        await driver.publish([one(topic, body=b"2")])
        assert await bodies(driver, second, 1) == [b"2"]
        assert await bodies(driver, first, 2) == [b"1", b"2"]

    async def test_what_nobody_hears_is_accepted(self, driver: Driver, topic: str) -> None:
        await driver.publish([one(topic)])
        await driver.publish([one(topic)], delay=SHORT)
        await driver.publish([])

    async def test_declaring_again_changes_topics_and_keeps_messages(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe(f"{topic}.a", f"{topic}.b")
        await driver.publish([one(f"{topic}.a", body=b"1")])
        subscription = await subscribe(f"{topic}.b", f"{topic}.c", name=subscription.name)
        await driver.publish([one(f"{topic}.{t}", body=t.encode()) for t in "abc"])
        assert await bodies(driver, subscription, 3) == [b"1", b"b", b"c"]
        found = await info(driver, subscription)
        assert found is not None
        assert sorted(found.topics) == [f"{topic}.b", f"{topic}.c"]

    async def test_several_are_declared_by_several_at_once(
        self, driver: Driver, topic: str, another: Another
    ) -> None:
        subscriptions = [Subscription(f"s{uuid4().hex}.on{n}", (topic,)) for n in range(5)]
        drivers = [driver, await another(), await another()]
        await asyncio.gather(*(d.declare(subscriptions) for d in drivers))
        await driver.publish([one(topic)])
        for subscription in subscriptions:
            await counted(driver, subscription, ready=1)
            await driver.forget(subscription.name)

    async def test_a_message_arrives_as_it_was(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        sent = [
            Message(new_id(), topic, 1, b""),
            Message(
                new_id(),
                topic,
                7,
                '{"name": "Žluťoučký 🐎 \\u0000"}'.encode(),
                key="Ключ/with spaces, 'quotes' & 🗝",
                source="payments",
                time=1_700_000_000.123456,
                headers={"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "b": "é, ;="},
            ),
            Message(new_id(), topic, 2, bytes(range(256)), key="k" * 200),
            Message(new_id(), topic, 1, random.Random(1).randbytes(1 << 20)),
        ]
        await driver.publish(sent)
        async with taking(driver, subscription) as tap:
            found = await tap.several(4)
            # Nothing is promised about the order of different keys.
            assert {d.message.id: d.message for d in found} == {m.id: m for m in sent}
            assert [d.attempt for d in found] == [1, 1, 1, 1]
            for delivery in found:
                await delivery.ack()

    async def test_published_twice_is_delivered_twice(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        message = one(topic)
        await driver.publish([message, message])
        await driver.publish([message])
        async with taking(driver, subscription) as tap:
            assert [d.message for d in await tap.several(3)] == [message] * 3
            await tap.quiet()

    async def test_batches_are_in_their_order(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        for tens in range(5):
            await driver.publish([one(topic, body=b"%d" % (tens * 20 + n)) for n in range(20)])
        assert await bodies(driver, subscription, 100) == [b"%d" % n for n in range(100)]

    async def test_many_publish_at_once(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe()
        drivers = [driver, await another()]
        sent = [one(topic) for _ in range(200)]

        async def publish(number: int) -> None:
            for message in sent[number::20]:
                await drivers[number % 2].publish([message])

        await asyncio.gather(*(publish(n) for n in range(20)))
        async with taking(driver, subscription, 50) as tap:
            found = []
            for _ in sent:
                delivery = await tap.next()
                found.append(delivery.message.id)
                await delivery.ack()
            await tap.quiet()
        assert sorted(found) == sorted(m.id for m in sent)

    async def test_a_delayed_message_comes_late_and_holds_up_nobody(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        began = time.monotonic()
        await driver.publish([one(topic, "k", body=b"late")], delay=SHORT)
        await driver.publish([one(topic, "k", body=b"soon")])
        async with taking(driver, subscription) as tap:
            first = await tap.next()
            assert first.message.body == b"soon"
            await first.ack()
            second = await tap.next()
            assert second.message.body == b"late"
            assert second.attempt == 1
            assert time.monotonic() - began >= SHORT - 0.02
            await second.ack()
        await counted(driver, subscription)

    async def test_a_delayed_message_is_for_those_who_were_there(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        first = await subscribe()
        await driver.publish([one(topic, body=b"1")], delay=SHORT)
        second = await subscribe()
        assert await bodies(driver, first, 1) == [b"1"]
        await counted(driver, second)
