"""``skerry bus publish``: events by hand, or a line each from standard input."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

from skerry.bus.driver import Driver
from skerry.bus.event import event
from skerry.bus.message import Message, new_id
from skerry.bus.schedule import every

from .busplace import on_bus, url_of
from .output import fail, nearest, note
from .pointers import decoded, get

_CHUNK = 1 << 16  # bytes: lines that came together are published together
_SOURCE = "skerry bus publish"


def publish(topic: str, body: str, version: int, key: str, delay: str, bus: str, file: str) -> int:
    """Publish one event, or those of standard input; prints their ids."""
    event(topic, version=version)  # complains of what is no topic
    late = every(delay).seconds if delay else 0.0
    if body.startswith("@"):
        body = _file(body)

    async def send(driver: Driver) -> int:
        await _warn(driver, topic)
        count = 0
        async for number, lines in _batches(body):
            messages = []
            for offset, text in enumerate(lines):
                if text.strip():
                    where = "--json" if body != "-" else f"line {number + offset}"
                    messages.append(_message(topic, version, key, text.strip(), where, count))
            if messages:
                await driver.publish(messages, delay=late)
                count += len(messages)
                print("\n".join(message.id for message in messages), flush=True)
        return count

    if not on_bus(url_of(bus, file), send):
        fail("there was nothing to publish: not a line came in")
    return 0


def _file(name: str) -> str:
    try:
        return Path(name[1:]).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return fail(f"--json {name}: {error}", 2)


async def _warn(driver: Driver, topic: str) -> None:
    """Say so if nobody would hear it: a broker keeps nothing for nobody."""
    topics = {heard for queue in await driver.queues() for heard in queue.topics}
    if topic not in topics:
        note(
            f"nobody subscribes to {topic}, so nobody will get it.{nearest(topic, sorted(topics))}"
        )


def _message(topic: str, version: int, key: str, text: bytes, where: str, sent: int) -> Message:
    already = f"; the {sent} before were published" if sent else ""
    try:
        value = decoded(text)
    except (ValueError, RecursionError) as error:
        fail(f"{where} is not JSON: {error}{already}", 2)
    if key.startswith("/"):
        try:
            key = str(get(value, key))
        except LookupError:
            fail(f"{where} has nothing at {key}, which is to be the key{already}")
    now = time.time()
    return Message(new_id(now), topic, version, text, key, _SOURCE, now)


async def _batches(body: str) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Lines that came together, and the number of the first; or the one body that was given."""
    if body != "-":
        yield 1, [body.encode("utf-8", "surrogateescape")]
        return
    number, rest = 1, b""
    chunks: asyncio.Queue[bytes] = asyncio.Queue(4)
    # A thread that nobody waits for: standard input may never end.
    reading = (asyncio.get_running_loop(), chunks)
    threading.Thread(target=_read, args=reading, daemon=True).start()
    while chunk := await chunks.get():
        *lines, rest = (rest + chunk).split(b"\n")
        yield number, lines
        number += len(lines)
    yield number, [rest]


def _read(loop: asyncio.AbstractEventLoop, chunks: asyncio.Queue[bytes]) -> None:
    chunk = b" "
    while chunk:
        chunk = os.read(0, _CHUNK)
        asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop).result()
