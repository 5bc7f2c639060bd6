"""A connection to RabbitMQ that comes back by itself, and the channels on it.

aiormq (which aio-pika is made of) speaks the protocol. Two things are done differently here,
both for speed: a delivery is handed over at once and not in a task of its own, and what is
returned or confirmed is told to whoever keeps the books of a whole batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiormq
from aiormq.abc import ChannelFrame
from aiormq.exceptions import (
    AMQPError,
    ChannelLockedResource,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
)
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from yarl import URL

from skerry.core.errors import BusUnavailable

log = logging.getLogger("skerry.bus")

HEARTBEAT = 10
"""Seconds; the broker gives a silent connection's deliveries to others after two of them."""
PATIENCE = 10.0
"""Seconds that any single answer of the broker may take."""
ANSWERS = (ChannelLockedResource, ChannelNotFoundEntity, ChannelPreconditionFailed)
"""A queue is another's, is not there, or is there in another form; the channel is closed then."""
_FIRST_WAIT = 0.1
_LONGEST_WAIT = 3.0


class Confirms(Protocol):
    """The part of a future that aiormq asks of whoever waits for a confirm."""

    def done(self) -> bool: ...

    def set_result(self, frame: object) -> None: ...

    def set_exception(self, error: BaseException) -> None: ...


Deliver = Callable[[Basic.Deliver, ContentHeader, bytes], None]


class Channel(aiormq.Channel):
    """aiormq's channel, with deliveries and returns that cost no task."""

    deliver: Deliver | None = None
    returned: Callable[[str | None], None] | None = None

    async def _on_deliver_frame(self, frame: Basic.Deliver) -> None:
        header, body = await self._content()
        if self.deliver is not None:
            self.deliver(frame, header, body)

    async def _on_return_frame(self, frame: Basic.Return) -> None:
        header, _ = await self._content()
        if self.returned is not None:
            self.returned(header.properties.message_id)

    async def _on_confirm_frame(self, frame: Any) -> None:
        """One frame may confirm hundreds: in order, and without looking at those behind it."""
        if not frame.multiple:
            self._confirm_delivery(frame.delivery_tag, frame)
            return
        confirmations: dict[int, Any] = self.confirmations
        while confirmations and (tag := next(iter(confirmations))) <= frame.delivery_tag:
            self._confirm_delivery(tag, frame)

    async def _content(self) -> tuple[ContentHeader, bytes]:
        header: Any = await self._get_frame()
        parts: list[bytes] = []
        missing = header.body_size
        while missing > 0:
            part: Any = await self._get_frame()
            parts.append(part.value)
            missing -= len(part.value)
        return header, parts[0] if len(parts) == 1 else b"".join(parts)

    async def write(self, payload: bytes, *, drained: bool = False) -> None:
        """Send frames that have been encoded; ``drained`` waits until the socket took them."""
        future: asyncio.Future[Any] | None = self.create_future() if drained else None
        await self.write_queue.put(ChannelFrame(payload, False, future))
        if future is not None:
            await future


@asynccontextmanager
async def reaching(
    what: str, patience: float | None = PATIENCE, *, answers: bool = False
) -> AsyncIterator[None]:
    """Whatever aiormq raises inside becomes ``BusUnavailable``, after ``patience`` at the latest.

    With ``answers``, ``ANSWERS`` are raised as they are.

    aiormq also cancels those who wait on a connection that ends; that is no cancellation of
    the task, and is told apart here.
    """
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(patience):
            yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BusUnavailable(f"{what}: the connection was lost") from error
    except TimeoutError as error:  # ours, or that of something shorter inside
        waited = asyncio.get_running_loop().time() - began
        raise BusUnavailable(f"{what}: no answer from RabbitMQ in {waited:.3g} s") from error
    except (AMQPError, OSError, RuntimeError, EOFError) as error:
        if answers and isinstance(error, ANSWERS):
            raise
        raise BusUnavailable(f"{what}: {_said(error)}") from error


class Link:
    """One connection, made when it is first wanted and made again whenever it is lost.

    Args:
        url: ``amqp://`` or ``amqps://``; aiormq's options in its query hold.
        name: shown beside the connection in RabbitMQ's own tools.
        prepare: called with a channel of each new connection, before anybody else gets one.
    """

    def __init__(
        self,
        url: str,
        name: str,
        prepare: Callable[[Channel], Awaitable[None]] | None = None,
    ) -> None:
        parts = URL(url)
        defaults = {"heartbeat": str(HEARTBEAT), "name": name}
        self._url = parts.with_query({**defaults, **parts.query})
        self._prepare = prepare
        self._connection: aiormq.Connection | None = None
        self._error: BusUnavailable | None = None
        self._settled = asyncio.Event()
        self._hurry = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        return self._settled.is_set() and self._error is None

    def has(self, connection: object) -> bool:
        """Whether this is the connection of now."""
        return self._connection is connection and self.up

    async def connect(self) -> None:
        """Try to connect now, also if trying has just failed.

        Raises:
            BusUnavailable: it did not help; it is tried further.
        """
        if self._error is not None:
            self._settled.clear()
            self._hurry.set()
        await self.connection()

    async def connection(self) -> aiormq.Connection:
        """The connection of now. While one is being made, waits for what becomes of it.

        Raises:
            BusUnavailable: at once, while RabbitMQ is known to be away.
        """
        if self._loop is None:
            self._loop = asyncio.create_task(self._keep(), name=f"link to {self}")
        if not self._settled.is_set():
            async with reaching("connecting"):
                await self._settled.wait()
        if self._error is not None:
            raise BusUnavailable(self._error.detail) from self._error
        assert self._connection is not None
        return self._connection

    async def channel(self, *, confirms: bool = False) -> Channel:
        """A new channel; its ``deliver`` is to be set before it consumes."""
        connection = await self.connection()
        async with reaching("opening a channel"):
            return await self._open(connection, confirms)

    async def _open(self, connection: aiormq.Connection, confirms: bool = False) -> Channel:
        number = next(n for n in itertools.count(1) if n not in connection.channels)
        channel = Channel(connection, number, frame_buffer=100, publisher_confirms=confirms)
        connection.channels[number] = channel
        await channel.open()
        return channel

    async def close(self) -> None:
        """Close for good."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
        if self._connection is not None:
            await _quietly(self._connection.close())
        self._become(None, BusUnavailable("this driver is closed"))

    async def _keep(self) -> None:
        wait = _FIRST_WAIT
        while True:
            connection = aiormq.Connection(self._url)
            try:
                async with reaching(str(self)):
                    await connection.connect()
                    if self._prepare is not None:
                        channel = await self._open(connection)
                        await self._prepare(channel)
                        await channel.close()
            except Exception as error:  # also what we do not know of: this has to go on
                await _quietly(connection.close())
                if not isinstance(error, BusUnavailable):
                    log.exception("connecting to %s", self)
                    error = BusUnavailable(f"{self}: {error!r}")
                if self._error is None:
                    log.warning("%s; trying again until it is there", error)
                self._become(None, error)
                self._hurry.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait * random.uniform(0.5, 1.0)):
                        await self._hurry.wait()
                wait = min(2 * wait, _LONGEST_WAIT)
                continue
            wait = _FIRST_WAIT
            self._become(connection, None)
            await asyncio.wait([connection.closing])
            log.warning("the connection to %s was lost", self)
            self._settled.clear()

    def _become(self, connection: aiormq.Connection | None, error: BusUnavailable | None) -> None:
        self._connection, self._error = connection, error
        self._settled.set()

    def __str__(self) -> str:
        return f"RabbitMQ at {self._url.host}:{self._url.port}"


async def _quietly(closing: Awaitable[None]) -> None:
    with contextlib.suppress(AMQPError, OSError, RuntimeError, TimeoutError):
        await asyncio.wait_for(closing, 3.0)


def _said(error: BaseException) -> str:
    text = str(error).strip()
    return text or type(error).__name__
