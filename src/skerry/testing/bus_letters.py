"""Dead letters, and what people do with queues."""

from __future__ import annotations

import time

from msgspec.structs import replace

from skerry.bus.driver import Driver, Failure
from skerry.bus.message import new_id

from .bus_fixtures import Suite
from .bus_tools import (
    FAILURE,
    LONG,
    Another,
    Subscribe,
    bodies,
    counted,
    eventually,
    first,
    info,
    one,
    taking,
)


class Letters(Suite):
    """Part of ``Bus``."""

    async def test_a_dead_letter_keeps_what_was_known(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe()
        sent = [one(topic, "k", body=b"%d" % n) for n in range(3)]
        await driver.publish(sent)
        began = time.time()
        async with taking(driver, subscription) as tap:
            await (await tap.next()).retry(0.0)
            for _ in sent:
                await (await tap.next()).bury(FAILURE)
        other = await another()
        letters = await other.dead(subscription.name)
        assert [letter.message for letter in letters] == sent
        assert [letter.attempts for letter in letters] == [2, 1, 1]
        for letter in letters:
            assert (letter.subscription, letter.failure) == (subscription.name, FAILURE)
            assert began - 1 <= letter.died <= time.time() + 1
        assert await other.dead(subscription.name, 2) == letters[:2]
        assert await other.dead(subscription.name) == letters
        await counted(driver, subscription, dead=3)

    async def test_a_failure_may_hold_what_is_no_text(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(topic)])
        async with taking(driver, subscription) as tap:
            await (await tap.next()).bury(Failure("no file \udcff \x00 🗝", "É", "\udcfe"))
        (letter,) = await driver.dead(subscription.name)
        assert letter.failure.reason.startswith("no file ")
        assert letter.failure.error == "É"

    async def test_dead_letters_are_driven_again(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription, bystander = await subscribe(), await subscribe()
        sent = [one(topic, "k", body=b"%d" % n) for n in range(4)]
        await driver.publish(sent)
        async with taking(driver, subscription) as tap:
            for _ in sent:
                delivery = await tap.next()
                await delivery.retry(0.0)
                delivery = await tap.next()
                assert delivery.attempt == 2
                await delivery.bury(FAILURE)
        assert await bodies(driver, bystander, 4) == [b"0", b"1", b"2", b"3"]
        chosen = [sent[1].id, new_id(), sent[2].id]
        assert await driver.redrive(subscription.name, chosen, {sent[2].id: b"mended"}) == 2
        assert await driver.redrive(subscription.name, chosen) == 0
        assert await driver.redrive(subscription.name, []) == 0
        async with taking(driver, subscription) as tap:
            for expected in (sent[1], replace(sent[2], body=b"mended")):
                delivery = await tap.next()
                assert (delivery.message, delivery.attempt) == (expected, 1)
                await delivery.ack()
        left = await driver.dead(subscription.name)
        assert [letter.message for letter in left] == [sent[0], sent[3]]
        await counted(driver, subscription, dead=2)
        await counted(driver, bystander)

    async def test_dead_letters_of_several_subscriptions_are_apart(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        ledger, notify = await subscribe(), await subscribe()
        message = one(topic)
        await driver.publish([message])
        for subscription in (ledger, notify):
            async with taking(driver, subscription) as tap:
                await (await tap.next()).bury(FAILURE)
        assert await driver.redrive(ledger.name, [message.id]) == 1
        assert await driver.dead(ledger.name) == []
        assert [letter.message for letter in await driver.dead(notify.name)] == [message]
        await counted(driver, ledger, ready=1)

    async def test_what_is_dead_can_be_deleted(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(topic) for _ in range(3)])
        async with taking(driver, subscription, 3) as tap:
            for delivery in await tap.several(3):
                await delivery.bury(FAILURE)
        await driver.publish([one(topic)])
        assert await driver.purge(subscription.name, dead=True) == 3
        assert await driver.purge(subscription.name, dead=True) == 0
        assert await driver.dead(subscription.name) == []
        await counted(driver, subscription, ready=1)

    async def test_what_waits_can_be_deleted(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription, bystander = await subscribe(), await subscribe()
        await driver.publish([one(topic, "k") for _ in range(3)] + [one(topic)] * 3)
        async with driver.consume(subscription, 1) as deliveries:
            out = await first(deliveries)
        await counted(driver, subscription, ready=5, leased=1)
        assert await driver.purge(subscription.name, dead=False) == 5
        assert await driver.purge(subscription.name, dead=False) == 0
        await counted(driver, subscription, leased=1)
        await counted(driver, bystander, ready=6)
        await driver.publish([one(topic, "k", body=b"next")])
        await out.ack()
        assert await bodies(driver, subscription, 1) == [b"next"]

    async def test_a_subscription_can_be_forgotten(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(topic), one(topic)])
        async with taking(driver, subscription, 1) as tap:
            await (await tap.next()).bury(FAILURE)
        await driver.forget(subscription.name)
        await driver.forget(subscription.name)
        assert await info(driver, subscription) is None
        await driver.publish([one(topic)])
        await driver.declare([subscription])
        await counted(driver, subscription)
        assert await driver.dead(subscription.name) == []

    async def test_peeking_leaves_everything_where_it_is(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe()
        sent = [one(topic, f"k{n % 2}", body=b"%d" % n) for n in range(6)]
        await driver.publish(sent)
        other = await another()
        assert await other.peek(subscription.name) == sent
        assert await other.peek(subscription.name, 2) == sent[:2]
        await counted(driver, subscription, ready=6)
        async with taking(driver, subscription, 2) as tap:
            found = await tap.several(2)
            assert [d.attempt for d in found] == [1, 1]
            await counted(driver, subscription, ready=4, leased=2)
            assert await other.peek(subscription.name) == sent[2:]

    async def test_the_state_of_a_queue(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe(topic, f"{topic}.b")
        found = await info(driver, subscription)
        assert found is not None
        assert found.oldest is None
        other = await subscribe()
        named = [found.subscription for found in await driver.queues([other.name, "nobody.is"])]
        assert named == [other.name]
        sent = [replace(one(topic), time=1_700_000_000.0 + n) for n in range(5)]
        await driver.publish(sent)
        await driver.publish([one(topic)], delay=LONG)
        async with taking(driver, subscription, 3) as tap:
            first, second, _ = await tap.several(3)
            await tap.quiet(0)
            await first.bury(FAILURE)
            await second.retry(LONG)
            await tap.several(2)
            await counted(driver, subscription, ready=0, delayed=2, leased=3, dead=1)
            found = await info(driver, subscription)
            assert found is not None
            assert sorted(found.topics) == [topic, f"{topic}.b"]
            assert found.consumers in (1, None)
        await driver.publish([replace(one(topic), time=1_800_000_000.0)])

        async def waits() -> bool:
            state = await info(driver, subscription)
            return state is not None and state.ready == 1 and state.oldest is not None

        await eventually(waits)
