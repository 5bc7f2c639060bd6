"""One delivery of a key is out at a time, in the order of publishing."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict

from skerry.bus.driver import Delivery, Driver

from .bus_fixtures import Suite
from .bus_tools import (
    FAILURE,
    SHORT,
    Another,
    Subscribe,
    Tap,
    bodies,
    either,
    first,
    first_of,
    one,
    replaced_lease,
    taking,
)


class Order(Suite):
    """Part of ``Bus``."""

    async def test_keys_are_handled_in_order_by_everybody_together(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe()
        drivers = [driver, await another()]
        chance = random.Random(7)
        sent = [one(topic, f"k{n % 7}", body=b"%d" % n) for n in range(140)]
        seen: dict[str, list[int]] = defaultdict(list)
        out: Counter[str] = Counter()
        failed: set[bytes] = set()

        async def handle(delivery: Delivery) -> None:
            message = delivery.message
            out[message.key] += 1
            assert out[message.key] == 1, f"two of {message.key} are out"
            await asyncio.sleep(chance.random() * 0.005)
            out[message.key] -= 1
            if chance.random() < 0.1 and message.body not in failed:
                failed.add(message.body)
                await delivery.retry(chance.random() * 0.02)
            else:
                seen[message.key].append(int(message.body))
                await delivery.ack()

        async def work(tap: Tap) -> None:
            while sum(map(len, seen.values())) < len(sent):
                await handle(await tap.next())

        async with (
            taking(drivers[0], subscription, 4) as a,
            taking(drivers[0], subscription, 4) as b,
            taking(drivers[1], subscription, 4) as c,
            taking(drivers[1], subscription, 4) as d,
        ):
            for begin in range(0, len(sent), 10):
                await drivers[begin // 10 % 2].publish(sent[begin : begin + 10])
            await first_of(*(work(tap) for tap in (a, b, c, d) for _ in range(4)))
        assert failed
        assert dict(seen) == {f"k{k}": list(range(k, 140, 7)) for k in range(7)}

    async def test_one_of_a_key_is_out_at_a_time_and_holds_up_no_other_key(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe()
        await driver.publish(
            [one(topic, "hot", body=b"%d" % n) for n in range(30)] + [one(topic, "cold")]
        )
        other = await another()
        async with taking(driver, subscription) as mine, taking(other, subscription) as his:
            found = [await either(mine, his), await either(mine, his)]
            hot, cold = sorted(found, key=lambda d: d.message.key, reverse=True)
            assert (hot.message.body, cold.message.key) == (b"0", "cold")
            await mine.quiet()
            await his.quiet(0)
            await hot.ack()
            assert (await either(mine, his)).message.body == b"1"

    async def test_a_message_to_be_retried_holds_up_its_key_only(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        await driver.publish(
            [one(topic, key, body=b"%d" % n) for n in range(2) for key in ("a", "b", "")]
        )
        async with taking(driver, subscription) as tap:
            by_key = {d.message.key: d for d in await tap.several(4) if d.message.body == b"0"}
            retried = by_key["a"]
            await retried.retry(SHORT)
            await by_key["b"].ack()
            delivery = await tap.next()
            assert (delivery.message.key, delivery.message.body) == ("b", b"1")
            delivery = await tap.next()
            assert delivery.message == retried.message
            assert delivery.attempt == 2
            await delivery.ack()
            delivery = await tap.next()
            assert (delivery.message.key, delivery.message.body) == ("a", b"1")

    async def test_a_buried_message_holds_up_nobody(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(topic, "k", body=b"%d" % n) for n in range(2)])
        async with taking(driver, subscription) as tap:
            await (await tap.next()).bury(FAILURE)
            delivery = await tap.next()
            assert delivery.message.body == b"1"
            await delivery.ack()

    async def test_one_whose_lease_ended_still_comes_first(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe(lease=SHORT)
        await driver.publish([one(topic, "k", body=b"%d" % n) for n in range(3)])
        other = await another()
        async with driver.consume(subscription, 5) as deliveries:
            await first(deliveries)
        assert await bodies(other, replaced_lease(subscription), 3) == [b"0", b"1", b"2"]

    async def test_messages_without_a_key_are_handled_side_by_side(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(topic) for _ in range(3)])
        async with taking(driver, subscription) as tap:
            await tap.several(3)

    async def test_a_subscription_may_not_care_for_keys(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe(ordered=False)
        await driver.publish([one(topic, "k") for _ in range(3)])
        async with taking(driver, subscription) as tap:
            out = await tap.several(3)
            assert {d.message.key for d in out} == {"k"}

    async def test_a_key_is_each_subscriptions_own(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        ledger, notify = await subscribe(), await subscribe()
        await driver.publish([one(topic, "k", body=b"%d" % n) for n in range(2)])
        async with taking(driver, ledger) as tap:
            await tap.next()
            assert await bodies(driver, notify, 2) == [b"0", b"1"]
            await tap.quiet(0)

    async def test_a_key_orders_all_topics_of_a_subscription(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        both, second = await subscribe(topic, f"{topic}.b"), await subscribe(f"{topic}.b")
        await driver.publish([one(topic, "k", body=b"1"), one(f"{topic}.b", "k", body=b"2")])
        async with taking(driver, both) as tap:
            delivery = await tap.next()
            assert await bodies(driver, second, 1) == [b"2"]
            await tap.quiet(0.1)
            await delivery.ack()
            assert (await tap.next()).message.body == b"2"
