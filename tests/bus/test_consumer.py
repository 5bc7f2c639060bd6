from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec import Struct

from skerry.bus.attempt import Attempt, Permanent
from skerry.bus.consumer import Consumer, HandlerSettings, Retries, failure_of
from skerry.bus.driver import Subscription
from skerry.bus.event import EventType, event, event_type
from skerry.bus.memory import Broker, Memory
from skerry.bus.message import Message, compose, new_id, read
from skerry.core.clock import ManualClock
from skerry.core.context import Context, attach, current, new_trace
from skerry.core.errors import BreakerOpen, ConfigError
from skerry.stack.consumer import consumer_stack
from skerry.telemetry.metrics import Metrics


@event("payments.settled", key="payment_id")
class Settled(Struct):
    payment_id: str
    cents: int


KIND = event_type(Settled)
SUBSCRIPTION = Subscription("ledger.book", ("payments.settled",), lease=30.0)
Handle = Callable[[Attempt], Awaitable[None]]


class Bench:
    """One handler on a broker in memory, with the time in our hands."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.broker = Broker(self.clock)
        self.driver = Memory(self.broker)
        self.metrics = Metrics()

    @asynccontextmanager
    async def handling(self, handle: Handle, **options: Any) -> AsyncIterator[Consumer]:
        await self.driver.declare([SUBSCRIPTION])
        settings = options.get("settings", HandlerSettings())
        stack = consumer_stack(
            "ledger.book", app="ledger", settings=settings, metrics=self.metrics, clock=self.clock
        )
        consumer = Consumer(
            self.driver,
            SUBSCRIPTION,
            {"payments.settled": {1: KIND}},
            stack.build(handle),
            metrics=self.metrics,
            chance=lambda: 0.0,
            **options,
        )
        consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop(0.05)

    async def publish(self, *events: Settled) -> list[Message]:
        messages = [compose(KIND, e, source="payments", clock=self.clock) for e in events]
        await self.driver.publish(messages)
        await self.clock.advance(0)
        return messages

    async def left(self) -> tuple[int, int, int, int]:
        (queue,) = await self.driver.queues()
        return queue.ready, queue.delayed, queue.leased, queue.dead


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_handler_gets_the_event_in_the_context_it_was_published_in(bench: Bench) -> None:
    seen: list[tuple[Any, Context, int]] = []

    async def handle(attempt: Attempt) -> None:
        seen.append((attempt.event, current(), attempt.number))

    async with bench.handling(handle):
        trace = new_trace()
        attach(Context(trace, None, "critical", {"tenant": "t1"}))
        (message,) = await bench.publish(Settled("p1", 5))
    ((value, context, number),) = seen
    assert (value, number) == (Settled("p1", 5), 1)
    assert (context.criticality, context.baggage) == ("critical", {"tenant": "t1"})
    assert context.trace is not None
    assert context.trace.trace_id != trace.trace_id  # a trace of its own
    assert message.link is not None
    assert message.link.trace_id == trace.trace_id  # that is linked to the publisher's
    assert await bench.left() == (0, 0, 0, 0)


async def test_failures_come_back_later_and_later_until_they_are_buried(bench: Bench) -> None:
    tries: list[float] = []

    async def handle(attempt: Attempt) -> None:
        tries.append(bench.clock.now())
        raise OSError("no route")

    settings = HandlerSettings(retries=Retries(attempts=4, first=1.0))
    async with bench.handling(handle, settings=settings):
        await bench.publish(Settled("p1", 5))
        assert await bench.left() == (0, 1, 0, 0)
        for seconds in (1, 2, 4):
            await bench.clock.advance(seconds)
        assert await bench.left() == (0, 0, 0, 1)
    assert [b - a for a, b in itertools.pairwise(tries)] == [1, 2, 4]
    (letter,) = await bench.driver.dead("ledger.book")
    assert (letter.attempts, letter.failure.error, letter.failure.permanent) == (
        4,
        "OSError",
        False,
    )
    assert letter.failure.reason == "OSError: no route"
    assert "in handle" in letter.failure.stack


@pytest.mark.parametrize("error", [Permanent("no such school"), KeyError("x")])
async def test_what_more_attempts_would_not_help_is_buried_at_once(
    bench: Bench, error: Exception
) -> None:
    async def handle(attempt: Attempt) -> None:
        raise error

    async with bench.handling(handle, permanent=(KeyError,)):
        await bench.publish(Settled("p1", 5))
    (letter,) = await bench.driver.dead("ledger.book")
    assert (letter.attempts, letter.failure.permanent) == (1, True)


@pytest.mark.parametrize(
    ("version", "body", "reason"),
    [
        (2, b'{"payment_id":"p","cents":1}', "has version 2; this handler reads 1"),
        (1, b'{"payment_id":"p"}', "#/cents"),
        (1, b"\xff\x00", "payments.settled.v1"),
    ],
)
async def test_what_nobody_can_read_is_buried_with_the_reason(
    bench: Bench, version: int, body: bytes, reason: str
) -> None:
    async def handle(attempt: Attempt) -> None:
        raise AssertionError

    async with bench.handling(handle):
        await bench.driver.publish([Message(new_id(), "payments.settled", version, body)])
        await bench.clock.advance(0)
    (letter,) = await bench.driver.dead("ledger.book")
    assert reason in letter.failure.reason
    assert letter.failure.permanent


async def test_a_dependency_that_is_away_pauses_and_burns_no_attempts(bench: Bench) -> None:
    away = True
    tries: list[tuple[float, int]] = []

    async def handle(attempt: Attempt) -> None:
        tries.append((bench.clock.now() - 1000, attempt.number))
        if away:
            raise BreakerOpen("left alone", app="schools")

    async with bench.handling(handle, settings=HandlerSettings(concurrency=1)):
        await bench.publish(*(Settled(f"p{n}", n) for n in range(20)))
        for _ in range(60):
            await bench.clock.advance(1)
        assert len(tries) < 10  # probes, further and further apart
        assert {number for _, number in tries} == {1}
        away = False
        for _ in range(60):
            await bench.clock.advance(1)
        assert await bench.left() == (0, 0, 0, 0)
    assert len(await bench.driver.dead("ledger.book")) == 0


async def test_a_long_handler_keeps_its_event(bench: Bench) -> None:
    done: list[str] = []

    async def handle(attempt: Attempt) -> None:
        await bench.clock.sleep(120)
        done.append(attempt.id)

    async with bench.handling(handle):
        await bench.publish(Settled("p1", 5))
        for _ in range(25):
            await bench.clock.advance(5)
    assert len(done) == 1
    assert await bench.left() == (0, 0, 0, 0)


async def test_what_waits_for_its_turn_is_kept_too(bench: Bench) -> None:
    done: list[int] = []

    async def handle(attempt: Attempt) -> None:
        await bench.clock.sleep(50)
        assert attempt.number == 1
        done.append(attempt.event.cents)

    async with bench.handling(handle, settings=HandlerSettings(concurrency=1, prefetch=4)):
        await bench.publish(*(Settled(f"p{n}", n) for n in range(4)))
        for _ in range(45):
            await bench.clock.advance(5)
    assert done == [0, 1, 2, 3]


async def test_a_handler_whose_event_is_lost_stops(bench: Bench) -> None:
    ended: list[str] = []

    async def handle(attempt: Attempt) -> None:
        try:
            await bench.clock.sleep(120)
        finally:
            ended.append("stopped")

    async with bench.handling(handle):
        await bench.publish(Settled("p1", 5))
        await bench.driver.purge("ledger.book", dead=False)
        bench.broker.queues["ledger.book"].entries[0].holder = None  # somebody else's by now
        await bench.clock.advance(11)
        assert ended == ["stopped"]


async def test_stopping_gives_back_what_does_not_end(bench: Bench) -> None:
    async def handle(attempt: Attempt) -> None:
        await asyncio.Event().wait()

    async with bench.handling(handle):
        await bench.publish(Settled("p1", 5))
        assert await bench.left() == (0, 0, 1, 0)
    assert await bench.left() == (1, 0, 0, 0)
    assert bench.broker.queues["ledger.book"].entries[0].attempts == 0


async def test_concurrency_is_bounded_and_keys_are_in_order(bench: Bench) -> None:
    now, most, order = 0, 0, list[tuple[str, int]]()

    async def handle(attempt: Attempt) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await bench.clock.sleep(1)
        order.append((attempt.event.payment_id, attempt.event.cents))
        now -= 1

    async with bench.handling(handle, settings=HandlerSettings(concurrency=3)):
        await bench.publish(*(Settled(f"p{n % 5}", n) for n in range(20)))
        for _ in range(30):
            await bench.clock.advance(1)
    assert most == 3
    for key in range(5):
        assert [c for k, c in order if k == f"p{key}"] == list(range(key, 20, 5))


async def test_keys_to_hand_on_are_the_same_in_every_attempt(bench: Bench) -> None:
    keys: list[tuple[str, str]] = []

    async def handle(attempt: Attempt) -> None:
        keys.append((attempt.idempotency_key(), attempt.idempotency_key("mail")))
        if attempt.number == 1:
            raise OSError

    async with bench.handling(handle):
        await bench.publish(Settled("p1", 5))
        await bench.clock.advance(5)
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 2


async def test_there_is_nothing_to_write_in_without_a_database(bench: Bench) -> None:
    async def handle(attempt: Attempt) -> None:
        await attempt.write(lambda session: None)

    async with bench.handling(handle, permanent=(ConfigError,)):
        await bench.publish(Settled("p1", 5))
    (letter,) = await bench.driver.dead("ledger.book")
    assert "no Database" in letter.failure.reason


def test_delays_double_up_to_a_limit_and_chance_only_shortens() -> None:
    retries = Retries(first=2.0, longest=10.0, jitter=0.5)
    assert [retries.delay(n, 0.0) for n in (1, 2, 3, 4, 1000)] == [2, 4, 8, 10, 10]
    assert retries.delay(3, 1.0) == 4.0


def test_a_long_stack_keeps_its_end() -> None:
    def deep(n: int) -> None:
        if n:
            deep(n - 1)
        raise ValueError("x" * 30_000)

    try:
        deep(50)
    except ValueError as error:
        failure = failure_of(error, False)
    assert len(failure.stack) < 21_000
    assert len(failure.reason) <= 500


def test_events_are_declared_once_and_well() -> None:
    assert EventType("payments.settled", 1, Settled, "payment_id") == KIND
    assert KIND.key_of(Settled("p9", 1)) == "p9"
    for topic, options in (
        ("Payments", {}),
        ("a..b", {}),
        ("a", {"version": 0}),
        ("a", {"key": "x"}),
    ):
        with pytest.raises(ConfigError):
            event(topic, **options)(Struct)  # type: ignore[arg-type]

    class Later(Settled):
        pass

    with pytest.raises(ConfigError, match="is no event"):
        event_type(Later)


def test_a_message_comes_back_as_it_was() -> None:
    message = compose(KIND, Settled("p1", 5), source="payments")
    assert read(message, {1: KIND}) == Settled("p1", 5)
    assert (message.key, message.source, message.topic) == ("p1", "payments", "payments.settled")
    ids = [new_id(float(n)) for n in range(100)]
    assert ids == sorted(ids)
    assert all(i[14] == "7" and i[19] in "89ab" for i in ids)
