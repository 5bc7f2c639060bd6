"""What tests of bus drivers say over and over: take, wait until, count, refuse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from skerry.bus.driver import Delivery, Driver, Failure, LeaseLost, QueueInfo, Subscription
from skerry.bus.message import Message, new_id
from skerry.core.errors import BusUnavailable, Unconfirmed

PATIENCE = 30.0  # until something that must happen counts as not happening
SHORT = 0.3  # a lease, or a delay, that a test waits for
LONG = 120.0  # a lease, or a delay, that no test waits for
PROMPTLY = 10.0  # far less than LONG: it was not the lease's end that did it
FAILURE = Failure("no such account", "LookupError", "Traceback …\n  boom", permanent=True)

Subscribe = Callable[..., Awaitable[Subscription]]
Another = Callable[[], Awaitable[Driver]]


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
        state = (found.ready, found.delayed, found.leased, found.dead) if found else None
        seen[:] = [state]
        return state == (ready, delayed, leased, dead)

    try:
        await eventually(agrees)
    except AssertionError:
        raise AssertionError(
            f"{seen} and not {(ready, delayed, leased, dead)} (ready, delayed, leased, dead)"
        ) from None


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
