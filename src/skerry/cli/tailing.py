"""``skerry bus tail``: what is published, as it is.

It listens like any handler, by a subscription, which it deletes when it ends. One that is killed
leaves that behind; the next deletes it, too.
"""

from __future__ import annotations

import asyncio
import signal
import time

from skerry.bus.documents import document, moment
from skerry.bus.driver import Driver, Subscription

from .busplace import on_bus, url_of
from .messages import brief, line, print_line
from .output import note, paint
from .tails import is_left, is_tail, tail_name

_AHEAD = 100  # messages taken at a time
_LOOK = 2.0  # seconds between looks for topics that are new
_OWN = "skerry."  # what schedules send themselves begins with this
_GIVE_UP = 5.0  # seconds for the end, when the broker does not answer
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_KILLED = 128  # and the number of the signal, as shells say it


def tail(topics: list[str], as_json: bool, bus: str, file: str) -> int:
    """Print what is published, until Ctrl-C."""

    async def follow(driver: Driver) -> int:
        signals: asyncio.Queue[int] = asyncio.Queue()
        for number in _ENDING:  # wrappers pass on what we have been sent already: the first counts
            asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, number)
        asked = asyncio.create_task(signals.get())
        following = asyncio.create_task(_follow(driver, tuple(topics), as_json))
        await asyncio.wait([asked, following], return_when=asyncio.FIRST_COMPLETED)
        if not following.done():
            following.cancel()
            await asyncio.wait([following])
        if not following.cancelled():
            following.result()
        return _KILLED + await asked

    return on_bus(url_of(bus, file), follow)


async def _follow(driver: Driver, topics: tuple[str, ...], as_json: bool) -> None:
    await _forget_those_left(driver)
    name = tail_name()
    known = Subscription(name, topics or await _topics(driver), ordered=False)
    looking: asyncio.Task[None] | None = None
    try:
        await driver.declare([known])
        listed = ", ".join(known.topics) or "what apps subscribe to, which is nothing yet"
        note(f"following {listed}; Ctrl-C ends it")
        if not topics:
            looking = asyncio.create_task(_keep_looking(driver, known))
        async with driver.consume(known, _AHEAD) as deliveries:
            async for delivery in deliveries:
                message = delivery.message
                if as_json:
                    print_line(document(message))
                else:
                    at, kind = moment(message.time)[11:-1], f"{message.topic} v{message.version}"
                    key = f"{line(message.key)} " if message.key else ""
                    print(f"{at}  {paint(kind, 'cyan')}  {key}{brief(message)}", flush=True)
                await delivery.ack()
    finally:
        if looking is not None:
            looking.cancel()
            await asyncio.wait([looking])
        async with asyncio.timeout(_GIVE_UP):
            await driver.forget(name)


async def _topics(driver: Driver) -> tuple[str, ...]:
    """All that somebody has subscribed to: a broker does not know of others."""
    queues = [queue for queue in await driver.queues() if not is_tail(queue.subscription)]
    found = {topic for queue in queues for topic in queue.topics}
    return tuple(sorted(topic for topic in found if not topic.startswith(_OWN)))


async def _keep_looking(driver: Driver, known: Subscription) -> None:
    before = known.topics
    while True:
        await asyncio.sleep(_LOOK)
        topics = await _topics(driver)
        if topics != before:
            await driver.declare([Subscription(known.name, topics, ordered=False)])
            note(f"following {', '.join(topics)}")
            before = topics


async def _forget_those_left(driver: Driver) -> None:
    now = time.time()
    for queue in await driver.queues():
        if is_left(queue, now):
            await driver.forget(queue.subscription)
