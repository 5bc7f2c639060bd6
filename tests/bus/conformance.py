"""What a bus driver does, whatever broker it is for. Every driver inherits ``Bus``.

Each test is a sentence of ``skerry.bus.driver``. A driver's test file gives a fixture ``place``:
a broker to itself, and what can be done to it::

    class TestEmbedded(Bus):
        @pytest.fixture
        def place(self, tmp_path: Path) -> Place:
            return Place(lambda: Embedded(tmp_path / "bus.db"), code=...)

Names of topics and subscriptions are new in every test, so that one server may serve all of them.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

import pytest
from msgspec.structs import replace

from skerry.bus.driver import (
    Delivery,
    Driver,
    Failure,
    LeaseLost,
    QueueInfo,
    Subscription,
)
from skerry.bus.message import Message, new_id
from skerry.core.errors import BusUnavailable, Unconfirmed

PATIENCE = 30.0  # until something that must happen counts as not happening
SHORT = 0.3  # a lease, or a delay, that a test waits for
LONG = 120.0  # a lease, or a delay, that no test waits for
PROMPTLY = 10.0  # far less than LONG: it was not the lease's end that did it
FAILURE = Failure("no such account", "LookupError", "Traceback …\n  boom", permanent=True)


@dataclass
class Place:
    """A broker for one test. What is None cannot be done to this one; its tests are skipped.

    Attributes:
        make: another driver on it, not opened, as another process would have.
        code: a Python expression for such a driver, with the imports it needs before it, as
            ``("from x import y", "y(...)")``.
        outage: inside this block it cannot be reached.
        restart: stops and starts it; returns when it can be reached.
        cut: breaks every connection to it.
    """

    make: Callable[[], Driver]
    code: tuple[str, str] | None = None
    outage: Callable[[], AbstractAsyncContextManager[None]] | None = None
    restart: Callable[[], Awaitable[None]] | None = None
    cut: Callable[[], Awaitable[None]] | None = None


class Tap:
    """What a consumer has been given, in its order."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[Delivery] = asyncio.Queue()

    async def next(self) -> Delivery:
        async with asyncio.timeout(PATIENCE):
            return await self.inbox.get()

    async def several(self, count: int) -> list[Delivery]:
        return [await self.next() for _ in range(count)]

    async def quiet(self, seconds: float = 0.2) -> None:
        """Nothing more comes."""
        await asyncio.sleep(seconds)
        left = [self.inbox.get_nowait() for _ in range(self.inbox.qsize())]
        assert left == []


@asynccontextmanager
async def taking(
    driver: Driver, subscription: Subscription, prefetch: int = 10
) -> AsyncIterator[Tap]:
    """Consume into a ``Tap`` for the block's length."""
    tap = Tap()

    async def pump(deliveries: AsyncIterator[Delivery]) -> None:
        async for delivery in deliveries:
            tap.inbox.put_nowait(delivery)

    async with driver.consume(subscription, prefetch) as deliveries:
        pumping = asyncio.create_task(pump(deliveries))
        try:
            yield tap
        finally:
            pumping.cancel()
            await asyncio.wait([pumping])
            if not pumping.cancelled() and (error := pumping.exception()) is not None:
                raise error


async def eventually(check: Callable[[], Awaitable[object]]) -> None:
    """Until ``check`` returns something true."""
    until = time.monotonic() + PATIENCE
    while not await check():
        assert time.monotonic() < until, "it did not come to pass"
        await asyncio.sleep(0.02)


async def info(driver: Driver, subscription: Subscription) -> QueueInfo | None:
    found = [q for q in await driver.queues() if q.subscription == subscription.name]
    assert len(found) <= 1
    return found[0] if found else None


async def counted(
    driver: Driver,
    subscription: Subscription,
    *,
    ready: int = 0,
    delayed: int = 0,
    leased: int = 0,
    dead: int = 0,
) -> None:
    """Until the broker counts these; brokers may take a moment to."""
    seen: list[tuple[int, ...] | None] = []

    async def agrees() -> bool:
        found = await info(driver, subscription)
        state = found and (found.ready, found.delayed, found.leased, found.dead)
        seen[:] = [state]
        return state == (ready, delayed, leased, dead)

    try:
        await eventually(agrees)
    except AssertionError:
        raise AssertionError(
            f"{seen} and not {(ready, delayed, leased, dead)} (ready, delayed, leased, dead)"
        ) from None


CHILD = """
import asyncio, sys
import msgspec
from skerry.bus.driver import Failure, Subscription
from skerry.bus.message import Message
{imports}

async def main():
    driver = {driver}
    await driver.open()
    {work}
    print("done", flush=True)
    await asyncio.Event().wait()

def said(line):
    print(line, flush=True)

asyncio.run(main())
"""


class Child:
    """A process with a driver of its own, to be killed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            found = (await self._process.stdout.readline()).decode().strip()
        assert found, "the child ended"
        return found

    async def kill(self) -> None:
        """``kill -9``."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def child(place: Place, work: str) -> AsyncIterator[Child]:
    if place.code is None:
        pytest.skip("another process cannot reach this broker")
    imports, driver = place.code
    source = CHILD.format(imports=imports, driver=driver, work=work.replace("\n", "\n    "))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE
    )
    found = Child(process)
    try:
        yield found
    finally:
        await found.kill()


def spelled(subscription: Subscription) -> str:
    return (
        f"Subscription({subscription.name!r}, {subscription.topics!r}, "
        f"{subscription.ordered!r}, {subscription.lease!r})"
    )


def taken(subscription: Subscription, prefetch: int = 10) -> str:
    """A child's work: say ``id attempt`` of what it is given, and end nothing."""
    return (
        f"async with driver.consume({spelled(subscription)}, {prefetch}) as deliveries:\n"
        "    async for delivery in deliveries:\n"
        "        said(f'{delivery.message.id} {delivery.attempt}')\n"
    )


class Bus:
    """The suite."""

    @pytest.fixture
    def place(self) -> Place:
        raise NotImplementedError

    @pytest.fixture
    async def another(self, place: Place) -> AsyncIterator[Callable[[], Awaitable[Driver]]]:
        """Opens one more driver on the broker, as another instance would; closed at the end."""
        opened: list[Driver] = []

        async def make() -> Driver:
            driver = place.make()
            await driver.open()
            opened.append(driver)
            return driver

        yield make
        for driver in opened:
            await driver.close()

    @pytest.fixture
    async def driver(self, another: Callable[[], Awaitable[Driver]]) -> Driver:
        return await another()

    @pytest.fixture
    def topic(self) -> str:
        return f"t{uuid4().hex[:12]}.settled"

    @pytest.fixture
    async def subscribe(
        self, driver: Driver, topic: str
    ) -> AsyncIterator[Callable[..., Awaitable[Subscription]]]:
        """Declares a subscription of ``topic``, or of others; forgotten at the end."""
        made: list[str] = []

        async def make(
            *topics: str, ordered: bool = True, lease: float = LONG, name: str = ""
        ) -> Subscription:
            name = name or f"s{uuid4().hex[:12]}.book_it"
            subscription = Subscription(name, topics or (topic,), ordered, lease)
            await driver.declare([subscription])
            made.append(name)
            return subscription

        yield make
        for name in made:
            await driver.forget(name)

    # Publishing and subscriptions

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

    # Attempts

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

    # Crashes

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

    # Order

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

    # Dead letters and what people do with queues

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

    # A broker that comes and goes

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


Subscribe = Callable[..., Awaitable[Subscription]]
Another = Callable[[], Awaitable[Driver]]


def one(topic: str, key: str = "", *, body: bytes = b"{}") -> Message:
    return Message(new_id(), topic, 1, body, key, "payments", time.time())


def replaced_lease(subscription: Subscription) -> Subscription:
    """The same with a lease that does not end, as in an app's next version."""
    return Subscription(subscription.name, subscription.topics, subscription.ordered, LONG)


async def first(deliveries: AsyncIterator[Delivery]) -> Delivery:
    async with asyncio.timeout(PATIENCE):
        return await anext(deliveries)


async def bodies(driver: Driver, subscription: Subscription, count: int) -> list[bytes]:
    """The next ``count`` messages' bodies, one out at a time, acknowledged."""
    found = []
    async with taking(driver, subscription, 1) as tap:
        for _ in range(count):
            delivery = await tap.next()
            found.append(delivery.message.body)
            await delivery.ack()
    return found


async def either(*taps: Tap) -> Delivery:
    """What comes first, to any of them."""
    tasks = [asyncio.create_task(tap.next()) for tap in taps]
    done, late = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late)
    (delivery,) = (task.result() for task in done)
    return delivery


async def first_of(*work: Awaitable[None]) -> None:
    """Until one of them is through; an error in any is ours."""
    tasks = [asyncio.ensure_future(w) for w in work]
    done, late = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late)
    for task in done:
        task.result()


async def refuses(delivery: Delivery) -> None:
    """It is not ours to end, and none of the ways to do so does anything."""
    calls: Sequence[Callable[[], Awaitable[None]]] = (
        delivery.ack,
        delivery.extend,
        lambda: delivery.retry(0.0),
        lambda: delivery.bury(FAILURE),
    )
    for call in calls:
        with pytest.raises(LeaseLost):
            await call()


async def publish_somehow(driver: Driver, message: Message) -> None:
    """As an outbox would: until it is accepted."""

    async def accepted() -> bool:
        try:
            await driver.publish([message])
        except (BusUnavailable, Unconfirmed):
            return False
        return True

    await eventually(accepted)
