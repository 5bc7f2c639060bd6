"""Publishing with confirms: what is asked for in one turn of the loop is sent as one write, and
nobody waits for the confirms of another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

from aiormq.exceptions import DeliveryError
from pamqp.commands import Basic

from skerry.core.errors import BusUnavailable, Unconfirmed
from skerry.core.failpoint import hit

from .rabbitmq_frames import frames
from .rabbitmq_link import PATIENCE, Channel, Link, reaching

_CHUNK = 128 * 1024
_CONFIRM_WITHIN = 30.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message on its way out.

    Attributes:
        mandatory: that it reaches no queue is an error.
    """

    exchange: str
    routing_key: str
    properties: Basic.Properties
    body: bytes
    mandatory: bool = False


class Unroutable(BusUnavailable):
    """A message that had to reach a queue has reached none."""


class _Batch:
    """Waits for the confirms of all its messages; aiormq takes it for the future of each.

    Attributes:
        sent: some of it may have left; until then nothing was accepted, for certain.
        until: when the broker has to have confirmed, by the loop's clock.
    """

    __slots__ = ("future", "left", "refused", "returned", "sent", "until")

    def __init__(self, size: int, until: float) -> None:
        self.left = size
        self.refused = 0
        self.returned = False
        self.sent = False
        self.until = until
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def set_result(self, frame: object) -> None:
        self.left -= 1
        if self.left == 0 and not self.future.done():
            self.future.set_result(None)

    def set_exception(self, error: BaseException) -> None:
        self.refused += isinstance(error, DeliveryError)
        self.set_result(None)

    def lose(self, why: str) -> None:
        if not self.future.done():
            self.future.set_exception(
                Unconfirmed(f"RabbitMQ had not yet confirmed: {why}")
                if self.sent
                else BusUnavailable(f"nothing was sent to RabbitMQ: {why}")
            )
            self.future.exception()  # whoever waits gets it; nobody has to


class Publisher:
    """Publishes over one channel of a link.

    Args:
        patience: seconds to wait for a broker that blocks publishers (an alarm of memory or
            disk) before the call fails.
        confirm_within: seconds the broker may take to confirm.
    """

    def __init__(
        self, link: Link, patience: float = PATIENCE / 2, confirm_within: float = _CONFIRM_WITHIN
    ) -> None:
        self._link = link
        self._patience = patience
        self._confirm_within = confirm_within
        self._channel: Channel | None = None
        self._waiting: dict[_Batch, None] = {}  # in the order in which their time runs out
        self._timer: asyncio.TimerHandle | None = None
        self._mandatory: dict[str | None, _Batch] = {}
        self._turn = asyncio.Lock()
        self._parts: list[tuple[bytes, _Batch]] = []
        self._writing: object = None  # the task, while there is one

    async def send(self, batch: Sequence[Outgoing]) -> None:
        """Have all of a batch confirmed.

        Raises:
            BusUnavailable: none was accepted.
            Unroutable: a mandatory one has reached no queue.
            Unconfirmed: nobody knows which of them were accepted.
        """
        if not batch:
            return
        channel = self._at_hand() or await self._ready()
        chunks = _chunks(channel, batch)
        hit("driver.before_publish")
        books = self._begin(channel, chunks, len(batch))
        mandatory = [it.properties.message_id for it in batch if it.mandatory]
        self._mandatory.update(dict.fromkeys(mandatory, books))
        try:
            await books.future
        finally:
            self._waiting.pop(books, None)
            for message_id in mandatory:
                self._mandatory.pop(message_id, None)
        if books.returned:
            raise Unroutable(f"there is no queue for {batch[0].routing_key!r}")
        if books.refused == len(batch):
            raise BusUnavailable("RabbitMQ has refused the message")
        if books.refused:
            raise Unconfirmed(f"RabbitMQ has refused {books.refused} of {len(batch)} messages")
        hit("driver.after_confirm")

    # -- the channel --------------------------------------------------------------------------

    def _at_hand(self) -> Channel | None:
        """The channel, if nothing has to be waited for."""
        channel = self._channel
        if channel is None or channel.is_closed or not self._link.has(channel.connection):
            return None
        return channel if _at_once(channel.connection.ready()) else None

    async def _ready(self) -> Channel:
        """The channel, on a connection that is not blocked."""
        async with self._turn:
            connection = await self._link.connection()
            async with reaching("RabbitMQ accepts no messages now (an alarm)", self._patience):
                await connection.ready()
            channel = self._channel
            if channel is None or channel.is_closed or channel.connection is not connection:
                if channel is not None:
                    self._lose(channel, "the connection was lost")
                channel = await self._link.channel(confirms=True)
                channel.returned = self._returned
                channel.closing.add_done_callback(lambda closed: self._closed(channel, closed))
                self._channel = channel
            return channel

    def _closed(self, channel: Channel, closed: asyncio.Future[Any]) -> None:
        error = None if closed.cancelled() else closed.exception()
        self._lose(channel, str(error or "") or "the connection was lost")

    def _lose(self, channel: Channel, why: str) -> None:
        if self._channel is not channel:
            return
        self._channel = None
        self._parts, self._writing = [], None
        channel.confirmations.clear()
        for books in self._waiting:
            books.lose(why)
        self._waiting.clear()
        if not channel.is_closed:
            channel.connection.create_task(channel.close())

    def _returned(self, message_id: str | None) -> None:
        if (books := self._mandatory.get(message_id)) is not None:
            books.returned = True

    # -- a batch ------------------------------------------------------------------------------

    def _begin(self, channel: Channel, chunks: list[bytes], size: int) -> _Batch:
        """Number its messages, and have them written with all others of this turn."""
        loop = asyncio.get_running_loop()
        books = _Batch(size, loop.time() + self._confirm_within)
        self._waiting[books] = None
        if self._timer is None:
            self._timer = loop.call_at(books.until, self._tick)
        confirmations: dict[int, Any] = channel.confirmations
        for tag in range(channel.delivery_tag + 1, channel.delivery_tag + size + 1):
            confirmations[tag] = books
        channel.delivery_tag += size
        self._parts += [(payload, books) for payload in chunks]
        if self._writing is None:
            self._writing = channel.connection.create_task(self._write(channel))
        return books

    async def _write(self, channel: Channel) -> None:
        try:
            while self._parts and self._channel is channel:
                async with reaching("publishing"):
                    await channel.write(self._take(), drained=True)
                hit("driver.after_publish")
        except Exception as error:
            # Numbers of messages may be off by now; nothing more may go over this channel.
            self._lose(channel, str(error))
        finally:
            if self._channel is channel:
                self._writing = None

    def _take(self) -> bytes:
        """What is to be written next, in portions of some size."""
        size = count = 0
        for payload, books in self._parts:
            books.sent = True
            size += len(payload)
            count += 1
            if size >= _CHUNK:
                break
        taken, self._parts = self._parts[:count], self._parts[count:]
        return b"".join([payload for payload, _ in taken])

    def _tick(self) -> None:
        """Give up the channel if its oldest batch has not been confirmed in time."""
        self._timer = None
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            return
        loop = asyncio.get_running_loop()
        if oldest.until > loop.time():
            self._timer = loop.call_at(oldest.until, self._tick)
        elif self._channel is not None:
            self._lose(self._channel, f"it took longer than {self._confirm_within:g} s")


def _at_once(waiting: Awaitable[None]) -> bool:
    """Whether there is nothing to wait for; if there is, it is not waited for."""
    steps = waiting.__await__()
    try:
        next(steps)
    except StopIteration:
        return True
    steps.close()
    return False


def _chunks(channel: Channel, batch: Sequence[Outgoing]) -> list[bytes]:
    """A batch as encoded frames, in portions of some size."""
    limit = channel.connection.connection_tune.frame_max or 131_072
    number = channel.number
    chunks: list[bytes] = []
    parts: list[bytes] = []
    size = 0
    for it in batch:
        try:
            encoded = frames(
                number,
                limit,
                it.exchange,
                it.routing_key,
                it.properties,
                it.body,
                it.mandatory,
            )
        except (ValueError, TypeError, UnicodeError) as error:
            raise BusUnavailable(f"{it.properties.message_id} cannot be sent: {error}") from error
        parts.append(encoded)
        size += len(encoded)
        if size >= _CHUNK:
            chunks.append(b"".join(parts))
            parts, size = [], 0
    if parts:
        chunks.append(b"".join(parts))
    return chunks
