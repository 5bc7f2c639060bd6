"""Deliveries are leased, ended once, counted, and given back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from skerry.bus.driver import Driver

from .bus_fixtures import Suite
from .bus_place import Place
from .bus_tools import (
    FAILURE,
    LONG,
    PROMPTLY,
    SHORT,
    Another,
    Subscribe,
    Tap,
    counted,
    either,
    first,
    first_of,
    one,
    refuses,
    replaced_lease,
    taking,
)


class Attempts(Suite):
    """Part of ``Bus``."""

    async def test_instances_share_a_subscription(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe()
        other = await another()
        seen: Counter[str] = Counter()
        async with taking(driver, subscription, 2) as mine, taking(other, subscription, 2) as his:
            sent = [one(topic) for _ in range(30)]
            await driver.publish(sent)

            async def work(tap: Tap) -> None:
                while sum(seen.values()) < 30:
                    delivery = await tap.next()
                    seen[delivery.message.id] += 1
                    await delivery.ack()

            await first_of(work(mine), work(his))
            await mine.quiet()
            await his.quiet()
        assert seen == Counter(m.id for m in sent)

    async def test_an_idle_consumer_is_woken(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe()
        other = await another()
        async with taking(other, subscription) as tap:
            for _ in range(5):
                await tap.quiet(0.05)
                await driver.publish([one(topic)])
                await (await tap.next()).ack()

    async def test_a_retried_message_comes_again_and_is_counted(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe()
        message = one(topic)
        await driver.publish([message])
        other = await another()
        async with taking(driver, subscription) as tap:
            for number in (1, 2, 3):
                delivery = await tap.next()
                assert (delivery.message, delivery.attempt) == (message, number)
                await delivery.retry(0.0)
            delivery = await tap.next()
            assert delivery.attempt == 4
            await delivery.retry(0.01)
        async with taking(other, subscription) as tap:
            delivery = await tap.next()
            assert delivery.attempt == 5
            await delivery.ack()
        await counted(driver, subscription)

    async def test_a_retry_waits_for_its_delay(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(topic)])
        async with taking(driver, subscription) as tap:
            delivery = await tap.next()
            began = time.monotonic()
            await delivery.retry(SHORT)
            await counted(driver, subscription, delayed=1)
            delivery = await tap.next()
            assert time.monotonic() - began >= SHORT - 0.02
            await delivery.ack()

    async def test_what_was_no_attempt_does_not_count(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(topic)])
        async with taking(driver, subscription) as tap:
            await (await tap.next()).retry(0.0)
            for delay in (0.0, 0.01, 0.0):
                delivery = await tap.next()
                assert delivery.attempt == 2
                await delivery.retry(delay, counts=False)
            delivery = await tap.next()
            assert delivery.attempt == 2
            await delivery.ack()

    async def test_a_delivery_ends_once(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(topic), one(topic)])
        async with taking(driver, subscription) as tap:
            first, second = await tap.several(2)
            await first.ack()
            await second.bury(FAILURE)
            for delivery in (first, second):
                await refuses(delivery)
        assert len(await driver.dead(subscription.name)) == 1
        await counted(driver, subscription, dead=1)

    async def test_a_lease_that_ends_is_somebody_elses(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe(lease=SHORT)
        message = one(topic)
        await driver.publish([message])
        other = await another()
        async with taking(driver, subscription, 1) as mine:
            zombie = await mine.next()
            async with taking(other, replaced_lease(subscription), 1) as his:
                delivery = await either(mine, his)
                assert (delivery.message, delivery.attempt) == (message, 2)
                await refuses(zombie)
        await refuses(zombie)

    async def test_the_new_holder_is_not_disturbed_by_the_old(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe(lease=SHORT)
        await driver.publish([one(topic)])
        other = await another()
        async with driver.consume(subscription, 1) as deliveries:
            zombie = await first(deliveries)  # and nobody asks for more
        async with taking(other, replaced_lease(subscription), 1) as his:
            delivery = await his.next()
            assert delivery.attempt == 2
            await refuses(zombie)
            await delivery.extend()
            await delivery.ack()
        await counted(driver, subscription)

    async def test_who_says_that_he_is_alive_keeps_his_lease(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe(lease=1.0)
        await driver.publish([one(topic)])
        other = await another()
        async with taking(driver, subscription) as mine, taking(other, subscription) as his:
            delivery = await either(mine, his)
            until = time.monotonic() + 2.5
            while time.monotonic() < until:
                await asyncio.sleep(0.2)
                await delivery.extend()
            await mine.quiet(0)
            await his.quiet(0)
            await delivery.ack()
        await counted(driver, subscription)

    async def test_what_was_taken_ahead_does_not_lose_its_lease(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe(lease=SHORT)
        await driver.publish([one(topic, body=b"1"), one(topic, body=b"2")])
        async with driver.consume(subscription, 2) as deliveries:
            delivery = await first(deliveries)
            for _ in range(10):  # its handler takes longer than a lease
                await asyncio.sleep(SHORT / 4)
                await delivery.extend()
            await delivery.ack()
            delivery = await first(deliveries)
            assert (delivery.message.body, delivery.attempt) == (b"2", 1)
            await delivery.ack()

    async def test_closing_gives_back_what_is_out(
        self, driver: Driver, topic: str, subscribe: Subscribe, place: Place
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(topic)])
        leaving = place.make()
        await leaving.open()
        async with taking(leaving, subscription) as tap:
            await tap.next()
        await leaving.close()
        async with taking(driver, subscription) as tap:
            began = time.monotonic()
            delivery = await tap.next()
            assert delivery.attempt == 2
            assert time.monotonic() - began < PROMPTLY
            await delivery.ack()

    async def test_at_the_blocks_end_nothing_new_is_taken(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(topic, body=b"%d" % n) for n in range(4)])
        other = await another()
        async with driver.consume(subscription, 2) as deliveries:
            mine = await first(deliveries)
        await driver.publish([one(topic, body=b"4")])
        await counted(driver, subscription, ready=4, leased=1)
        async with taking(other, subscription) as tap:
            found = await tap.several(4)
            assert sorted(d.message.body for d in found) == [b"1", b"2", b"3", b"4"]
            assert [d.attempt for d in found] == [1] * 4  # its handler was never begun
        await mine.extend()
        await mine.ack()

    async def test_no_more_than_prefetch_are_out(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(topic) for _ in range(10)])
        async with taking(driver, subscription, 3) as tap:
            out = await tap.several(3)
            await tap.quiet()
            await counted(driver, subscription, ready=7, leased=3)
            await out.pop().ack()
            await out.pop().retry(LONG)
            await out.pop().bury(FAILURE)
            out = await tap.several(3)
            await tap.quiet()
            await counted(driver, subscription, ready=4, delayed=1, leased=3, dead=1)
