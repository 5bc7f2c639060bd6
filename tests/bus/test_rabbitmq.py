"""The driver for RabbitMQ against a real one, through a proxy that can be cut."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import aiormq
import pytest
from msgspec.structs import replace
from pamqp.commands import Basic

from skerry.bus import rabbitmq_intake, rabbitmq_topology
from skerry.bus.driver import Driver, Subscription
from skerry.bus.rabbitmq import RabbitMQ
from skerry.bus.rabbitmq_envelope import EVENTS
from skerry.bus.rabbitmq_link import Channel
from skerry.bus.rabbitmq_topology import _durable
from skerry.core.errors import BusUnavailable, Unconfirmed
from skerry.testing.bus import Bus, Place
from skerry.testing.bus_tools import (
    FAILURE,
    LONG,
    Another,
    Subscribe,
    bodies,
    counted,
    eventually,
    info,
    one,
    publish_somehow,
    taking,
)

from .rabbitmq_server import Proxy, Server, server

__all__ = ["server"]

RABBITMQ_4 = {"x-queue-type": "quorum", "x-delivery-limit": -1}


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    found = Proxy(server.url)
    await found.open()
    yield found
    await found.close()


@asynccontextmanager
async def other_program(server: Server) -> AsyncIterator[aiormq.abc.AbstractChannel]:
    """Somebody who speaks AMQP and knows nothing of Skerry."""
    async with aiormq.connect(server.url) as connection:
        yield await connection.channel()


class TestRabbitMQ(Bus):
    @pytest.fixture
    def place(self, server: Server, proxy: Proxy) -> Place:
        return Place(
            lambda: RabbitMQ(proxy.url, quiet=0.0),
            code=("from skerry.bus.rabbitmq import RabbitMQ", f"RabbitMQ({server.url!r})"),
            outage=proxy.outage,
            restart=lambda: asyncio.to_thread(server.restart),
            cut=proxy.cut,
        )

    # Where RabbitMQ differs from the suite

    async def test_a_delayed_message_is_for_those_who_were_there(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        """It is: and for those who have come since. It is routed when it is due."""
        first = await subscribe()
        await driver.publish([one(topic, body=b"1")], delay=2.0)
        second = await subscribe()
        assert await bodies(driver, first, 1) == [b"1"]
        assert await bodies(driver, second, 1) == [b"1"]

    async def test_peeking_leaves_everything_where_it_is(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        """What has been sent ahead to a consumer can be seen by that driver alone."""
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
            assert await driver.peek(subscription.name) == sent[2:]
            assert await other.peek(subscription.name) == []

    async def test_the_state_of_a_queue(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        """Nobody knows the age of what waits."""
        subscription = await subscribe(topic, f"{topic}.b")
        await driver.publish([one(topic) for _ in range(5)])
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
            assert (found.consumers, found.oldest) == (1, None)

    # Other programs

    async def test_anybody_may_publish(
        self, driver: Driver, topic: str, subscribe: Subscribe, server: Server
    ) -> None:
        subscription = await subscribe()
        async with other_program(server) as channel:
            await channel.basic_publish(b"{}", exchange=EVENTS, routing_key=topic)
        async with taking(driver, subscription) as tap:
            delivery = await tap.next()
            message = delivery.message
            assert (message.topic, message.version, message.body) == (topic, 1, b"{}")
            assert (message.key, message.source, message.headers) == ("", "", {})
            await delivery.retry(0.0)
            assert (await tap.next()).message == message

    async def test_a_derived_id_is_the_same_every_time(
        self, topic: str, subscribe: Subscribe, another: Another, server: Server
    ) -> None:
        subscription = await subscribe()
        async with other_program(server) as channel:
            properties = Basic.Properties(message_id="", headers={"version": "x", "n": 1})
            await channel.confirm_delivery()
            await _raw(channel, topic, b'{"n": 1}', properties)
        seen = []
        for _ in range(2):
            driver = await another()
            async with taking(driver, subscription) as tap:
                seen.append((await tap.next()).message)
            await driver.close()
        assert seen[0] == seen[1]
        assert seen[0].id
        assert seen[0].version == 1

    async def test_anybody_may_listen(self, driver: Driver, topic: str, server: Server) -> None:
        async with other_program(server) as channel:
            queue = (await channel.queue_declare(exclusive=True)).queue or ""
            await channel.queue_bind(queue, EVENTS, f"{topic}.*")
            message = replace(one(topic, "k"), headers={"traceparent": "00-a-b-01"})
            await driver.publish([message])
            got = await channel.basic_get(queue)
        properties = got.header.properties
        headers: Any = properties.headers
        assert properties.message_id == message.id
        assert (properties.message_type, properties.app_id) == (topic, "payments")
        assert (properties.content_type, properties.delivery_mode) == ("application/json", 2)
        assert headers["cloudEvents:id"] == message.id
        assert headers["cloudEvents:type"] == topic
        assert headers["cloudEvents:partitionkey"] == "k"
        assert headers["traceparent"] == "00-a-b-01"

    # The topology changes

    async def test_a_queue_that_is_otherwise_is_replaced_and_what_is_in_it_moves(
        self, driver: Driver, topic: str, subscribe: Subscribe, server: Server
    ) -> None:
        name = f"s{uuid4().hex[:12]}.book_it"
        async with other_program(server) as channel:
            await channel.queue_declare(name, durable=True)  # a classic one
            for number in range(3):
                await channel.basic_publish(b"%d" % number, routing_key=name)
            subscription = await subscribe(name=name)
            await driver.publish([one(topic, body=b"new")])
            found = await bodies(driver, subscription, 4)
            assert sorted(found) == [b"0", b"1", b"2", b"new"]
            await eventually(lambda: _is_gone(server, name))

    @pytest.mark.parametrize("ordered", [True, False])
    async def test_order_may_come_to_matter_or_not(
        self, driver: Driver, topic: str, subscribe: Subscribe, server: Server, ordered: bool
    ) -> None:
        subscription = await subscribe(ordered=not ordered)
        await driver.publish([one(topic, "k", body=b"1"), one(topic, body=b"2")])
        subscription = await subscribe(ordered=ordered, name=subscription.name)
        await driver.publish([one(topic, "k", body=b"3"), one(topic, body=b"4")])
        assert sorted(await bodies(driver, subscription, 4)) == [b"1", b"2", b"3", b"4"]
        await counted(driver, subscription)
        if not ordered:
            await eventually(lambda: _is_gone(server, f"{subscription.name}.p7"))

    # Failures

    async def test_what_was_accepted_survives_kill_minus_9_of_the_broker(
        self, driver: Driver, topic: str, subscribe: Subscribe, server: Server
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(f"{topic}.first")], delay=1.0)  # the ladder is there after it
        await asyncio.sleep(4.0)  # RabbitMQ may keep new bindings to itself for two seconds
        await driver.publish([one(topic, "k", body=b"1")])
        await driver.publish([one(topic, "k", body=b"2")], delay=1.0)
        await asyncio.to_thread(server.restart, kill=True)
        await publish_somehow(driver, one(topic, "k", body=b"3"))
        assert set(await bodies(driver, subscription, 3)) == {b"1", b"2", b"3"}

    async def test_a_broker_without_memory_is_unavailable(
        self, driver: Driver, topic: str, subscribe: Subscribe, server: Server
    ) -> None:
        subscription = await subscribe()
        driver._publisher._patience = 0.5  # type: ignore[attr-defined]
        driver._publisher._confirm_within = 2.0  # type: ignore[attr-defined]
        await driver.publish([one(topic, body=b"1")])
        async with taking(driver, subscription) as tap:
            delivery = await tap.next()
            await asyncio.to_thread(server.control, "set_vm_memory_high_watermark", "0")
            try:
                for _ in range(2):  # RabbitMQ says so to whoever publishes
                    with pytest.raises((BusUnavailable, Unconfirmed)):
                        await driver.publish([one(topic), one(topic)])
                began = time.monotonic()
                with pytest.raises((BusUnavailable, Unconfirmed)):
                    await driver.publish([one(topic)])
                assert time.monotonic() - began < 5
                await delivery.ack()
                await delivery_is_gone(driver, subscription)
            finally:
                await asyncio.to_thread(server.control, "set_vm_memory_high_watermark", "0.6")
            await publish_somehow(driver, one(topic, body=b"after"))
            while (await tap.next()).message.body != b"after":
                pass

    async def test_headers_that_do_not_fit_are_refused(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        with pytest.raises(BusUnavailable, match="cannot be sent"):
            await driver.publish([replace(one(topic), headers={"baggage": "x" * 200_000})])
        await driver.publish([one(topic, body=b"fine")])
        assert await bodies(driver, subscription, 1) == [b"fine"]

    async def test_calls_of_one_turn_share_a_write_and_nothing_else(
        self, driver: Driver, topic: str, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(topic, body=b"first")])
        writes, write = 0, Channel.write

        async def counting(self: Channel, payload: bytes, *, drained: bool = False) -> None:
            nonlocal writes
            writes += drained
            await write(self, payload, drained=drained)

        monkeypatch.setattr(Channel, "write", counting)
        messages = [one(topic, body=b"%d" % number) for number in range(50)]
        messages[20] = replace(messages[20], headers={"baggage": "x" * 200_000})
        publishing = (driver.publish([message]) for message in messages)
        results = await asyncio.gather(*publishing, return_exceptions=True)
        assert [n for n, result in enumerate(results) if result is not None] == [20]
        assert isinstance(results[20], BusUnavailable)
        assert writes < 10
        expected = [b"first", *(m.body for n, m in enumerate(messages) if n != 20)]
        assert await bodies(driver, subscription, 50) == expected

    async def test_the_queue_of_dead_letters_is_there_before_the_first(
        self, server: Server, subscribe: Subscribe
    ) -> None:
        """A broker that is killed right after it has made a queue may never serve it again."""
        subscription = await subscribe()
        async with other_program(server) as channel:
            for queue in ("dead", "attempts"):
                await channel.queue_declare(f"{subscription.name}.{queue}", passive=True)

    async def test_a_failure_of_any_length_is_buried(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        await driver.publish([one(topic)])
        failure = replace(FAILURE, reason="é" * 100_000, stack="é" * 1_000_000)
        async with taking(driver, subscription) as tap:
            await (await tap.next()).bury(failure)
        (letter,) = await driver.dead(subscription.name)
        assert letter.failure.error == FAILURE.error
        assert 10_000 < len(letter.failure.stack) < 30_000

    async def test_an_instance_that_leaves_hands_over_in_order(
        self, driver: Driver, topic: str, subscribe: Subscribe, another: Another
    ) -> None:
        subscription = await subscribe()
        sent = [one(topic, f"k{n % 5}", body=b"%d" % n) for n in range(300)]
        await driver.publish(sent)
        seen: dict[str, list[int]] = defaultdict(list)
        for _ in range(3):
            leaving = await another()
            async with taking(leaving, subscription, 4) as tap:
                for _ in range(20):
                    delivery = await tap.next()
                    await delivery.ack()
                    seen[delivery.message.key].append(int(delivery.message.body))
            await leaving.close()  # what it had begun and not ended is delivered again
        async with taking(driver, subscription, 20) as tap:
            while sum(map(len, seen.values())) < 300:
                delivery = await tap.next()
                assert delivery.attempt <= 4
                await delivery.ack()
                seen[delivery.message.key].append(int(delivery.message.body))
        assert dict(seen) == {f"k{k}": list(range(k, 300, 5)) for k in range(5)}

    async def test_instances_share_partitions(
        self,
        driver: Driver,
        topic: str,
        subscribe: Subscribe,
        another: Another,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(rabbitmq_intake, "BALANCE_EVERY", 0.2)
        subscription = await subscribe()
        seen: dict[str, list[int]] = defaultdict(list)
        handled: Counter[int] = Counter()
        enough = asyncio.Event()
        drivers = [driver, await another(), await another()]

        async def work(number: int) -> None:
            async with taking(drivers[number], subscription, 4) as tap:
                while True:
                    delivery = await tap.next()
                    await asyncio.sleep(0.001)
                    seen[delivery.message.key].append(int(delivery.message.body))
                    handled[number] += 1
                    if len(handled) == 3 and min(handled.values()) > 100:
                        enough.set()
                    await delivery.ack()

        workers = [asyncio.create_task(work(number)) for number in range(3)]
        count = 0
        async with asyncio.timeout(30):
            while not enough.is_set():
                await driver.publish(
                    [one(topic, f"k{n % 40}", body=b"%d" % n) for n in range(count, count + 40)]
                )
                count += 40
                await asyncio.sleep(0.02)

        async def all_handled() -> bool:
            return sum(map(len, seen.values())) >= count

        await eventually(all_handled)
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)
        assert dict(seen) == {f"k{k}": list(range(k, count, 40)) for k in range(40)}

    async def test_delays_of_any_length_come_when_they_are_due(
        self, driver: Driver, topic: str, subscribe: Subscribe
    ) -> None:
        subscription = await subscribe()
        began = time.monotonic()
        for delay in (0.01, 0.4, 0.85, 1.3, 3_000.0, 1e9):
            await driver.publish([one(topic, body=b"%g" % delay)], delay=delay)
        async with taking(driver, subscription) as tap:
            for expected in (0.01, 0.4, 0.85, 1.3):
                delivery = await tap.next()
                assert delivery.message.body == b"%g" % expected
                assert expected - 0.02 <= time.monotonic() - began < expected + 2
                await delivery.ack()


class _Channel:
    """Of a server that says that it is of some version."""

    def __init__(self, version: object) -> None:
        self.connection = SimpleNamespace(server_properties={"version": version})


@pytest.mark.parametrize("version", ["4.0.0", "4.2.1-rc.1", "10.0"])
def test_rabbitmq_4_is_told_to_deliver_as_often_as_it_takes(version: str) -> None:
    """By default it drops what has been delivered 20 times, or gives it to a dead-letter exchange
    that our queues have not: counting attempts is ours."""
    arguments = _durable(cast(Channel, _Channel(version)))
    assert arguments == {"x-queue-type": "quorum", "x-delivery-limit": -1}


@pytest.mark.parametrize("version", ["3.10.8", "3.13.7", "", None])
def test_older_ones_have_no_limit_and_take_no_such_number(version: object) -> None:
    assert _durable(cast(Channel, _Channel(version))) == {"x-queue-type": "quorum"}


async def test_every_queue_that_keeps_messages_is_declared_so(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is declared to RabbitMQ 4, as far as an older server takes it."""
    declared: dict[str, dict[str, Any]] = {}
    declare = Channel.queue_declare

    async def note(channel: Channel, queue: str = "", **options: Any) -> Any:
        if options.get("durable"):
            declared[queue] = dict(options.get("arguments") or {})
            options["arguments"] = {**declared[queue]}
            options["arguments"].pop("x-delivery-limit", None)
        return await declare(channel, queue, **options)

    monkeypatch.setattr(Channel, "queue_declare", note)
    monkeypatch.setattr(rabbitmq_topology, "_durable", lambda channel: dict(RABBITMQ_4))
    driver = RabbitMQ(server.url)
    await driver.open()
    name = f"s{uuid4().hex[:12]}.book_it"
    subscription = Subscription(name, (f"t{uuid4().hex[:12]}",))
    await driver.declare([subscription])
    try:
        await driver.publish([one(subscription.topics[0])], delay=0.1)
        async with taking(driver, subscription) as tap:
            await (await tap.next()).bury(FAILURE)
    finally:
        await driver.forget(name)
        await driver.close()
    assert {name, f"{name}.p0", f"{name}.dead", "skerry.delay.0"} <= declared.keys()
    for queue, arguments in declared.items():
        if queue != "skerry.unheard":  # which keeps nothing
            assert arguments.items() >= RABBITMQ_4.items(), queue


async def delivery_is_gone(driver: Driver, subscription: Subscription) -> None:
    async def gone() -> bool:
        found = await info(driver, subscription)
        return found is not None and not found.leased

    await eventually(gone)


async def _raw(
    channel: aiormq.abc.AbstractChannel, topic: str, body: bytes, properties: Basic.Properties
) -> None:
    await channel.basic_publish(body, exchange=EVENTS, routing_key=topic, properties=properties)


async def _is_gone(server: Server, queue: str) -> bool:
    async with other_program(server) as channel:
        try:
            await channel.queue_declare(queue, passive=True)
        except aiormq.exceptions.ChannelNotFoundEntity:
            return True
    return False
