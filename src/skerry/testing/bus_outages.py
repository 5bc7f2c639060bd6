"""Processes that are killed, and a broker that comes and goes."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress

import pytest

from skerry.bus.driver import Driver, LeaseLost
from skerry.core.errors import BusUnavailable

from .bus_child import child, spelled, taken
from .bus_fixtures import Suite
from .bus_place import Place
from .bus_tools import (
    FAILURE,
    PATIENCE,
    SHORT,
    Another,
    Subscribe,
    counted,
    one,
    publish_somehow,
    taking,
)


class Outages(Suite):
    """Part of ``Bus``."""

    async def test_what_was_accepted_survives_its_publisher(
        self, driver: Driver, topic: str, subscribe: Subscribe, place: Place
    ) -> None:
        subscription = await subscribe()
        work = f"await driver.publish([Message('m%d' % n, {topic!r}, 1, b'') for n in range(10)])"
        async with child(place, work) as publisher:
            assert await publisher.line() == "done"
            await publisher.kill()
        async with taking(driver, subscription) as tap:
            assert [d.message.id for d in await tap.several(10)] == [f"m{n}" for n in range(10)]

    async def test_attempts_that_end_in_kill_minus_9_count(
        self, driver: Driver, topic: str, subscribe: Subscribe, place: Place
    ) -> None:
        subscription = await subscribe(lease=2.0)
        message = one(topic, "k")
        await driver.publish([message, one(topic, "k")])
        for number in (1, 2):
            async with child(place, taken(subscription)) as consumer:
                assert await consumer.line() == f"{message.id} {number}"
                await consumer.kill()
        async with taking(driver, subscription) as tap:
            delivery = await tap.next()
            assert (delivery.message, delivery.attempt) == (message, 3)
            await delivery.ack()
            assert (await tap.next()).attempt == 1

    async def test_a_dead_letter_survives_who_buried_it(
        self, driver: Driver, topic: str, subscribe: Subscribe, place: Place
    ) -> None:
        subscription = await subscribe(lease=2.0)
        message = one(topic)
        await driver.publish([message])
        work = (
            f"async with driver.consume({spelled(subscription)}, 1) as deliveries:\n"
            "    delivery = await anext(deliveries)\n"
            "    await delivery.bury(Failure('boom'))\n"
        )
        async with child(place, work) as consumer:
            assert await consumer.line() == "done"
            await consumer.kill()
        (letter,) = await driver.dead(subscription.name)
        assert (letter.message, letter.failure.reason) == (message, "boom")
        await counted(driver, subscription, dead=1)

    async def test_while_it_is_away_everything_says_so_and_then_goes_on(
        self, driver: Driver, topic: str, subscribe: Subscribe, place: Place, another: Another
    ) -> None:
        if place.outage is None:
            pytest.skip("this broker cannot be away")
        subscription = await subscribe()
        await driver.publish([one(topic, body=b"before")])
        await driver.publish([one(topic, body=b"late")], delay=SHORT)
        publisher = await another()
        late = place.make()
        async with taking(driver, subscription) as tap:
            out = await tap.next()
            async with place.outage():
                for call in (
                    lambda: publisher.publish([one(topic, body=b"lost")]),
                    publisher.queues,
                    lambda: publisher.peek(subscription.name),
                    lambda: publisher.dead(subscription.name),
                    lambda: publisher.declare([subscription]),
                    publisher.open,
                    late.open,
                ):
                    with pytest.raises(BusUnavailable):
                        async with asyncio.timeout(PATIENCE):
                            await call()
            await late.open()
            await publish_somehow(publisher, one(topic, body=b"after"))
            await late.close()
            seen = {out.message.body}
            while not seen >= {b"before", b"late", b"after"}:
                delivery = await tap.next()
                seen.add(delivery.message.body)
                await delivery.ack()
            assert b"lost" not in seen

    async def test_what_was_accepted_survives_a_restart(
        self, driver: Driver, topic: str, subscribe: Subscribe, place: Place
    ) -> None:
        if place.restart is None:
            pytest.skip("this broker cannot be restarted")
        subscription = await subscribe()
        await driver.publish([one(topic, "k", body=b"%d" % n) for n in range(10)])
        async with taking(driver, subscription) as tap:
            await (await tap.next()).ack()
            await (await tap.next()).bury(FAILURE)
            await place.restart()
            await publish_somehow(driver, one(topic, "k", body=b"10"))
            seen: list[int] = []
            while not seen or seen[-1] != 10:
                delivery = await tap.next()
                try:
                    await delivery.ack()
                except (LeaseLost, BusUnavailable):
                    continue
                seen.append(int(delivery.message.body))
        assert list(dict.fromkeys(seen)) == list(range(2, 11))
        (letter,) = await driver.dead(subscription.name)
        assert letter.message.body == b"1"

    async def test_a_consumer_goes_on_after_its_connection_is_cut(
        self, driver: Driver, topic: str, subscribe: Subscribe, place: Place
    ) -> None:
        if place.cut is None:
            pytest.skip("there is no connection")
        subscription = await subscribe()
        await driver.publish([one(topic, body=b"0")])
        async with taking(driver, subscription) as tap:
            zombie = await tap.next()
            seen: set[bytes] = set()
            for number in itertools.count(1):
                await place.cut()
                await publish_somehow(driver, one(topic, body=b"%d" % number))
                again = await tap.next()
                while again.message.body != b"0":
                    with suppress(LeaseLost):  # it came before the cut
                        await again.ack()
                        seen.add(again.message.body)
                    again = await tap.next()
                with pytest.raises((LeaseLost, BusUnavailable)):
                    await zombie.ack()
                zombie = again
                if number == 3:
                    await again.ack()
                    break
            while not seen >= {b"1", b"2", b"3"}:  # nothing that was published is missing
                delivery = await tap.next()
                with suppress(LeaseLost):
                    await delivery.ack()
                    seen.add(delivery.message.body)
