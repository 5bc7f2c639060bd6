"""Publishing with confirms, a whole batch at a time: all are sent, then all are confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiormq.exceptions import DeliveryError
from pamqp.commands import Basic

from skerry.core.errors import BusUnavailable, Unconfirmed
from skerry.core.failpoint import hit

from .rabbitmq_envelope import frames
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
    """Waits for the confirms of all its messages; aiormq takes it for the future of each."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.refused = 0
        self.returned = False
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
            self.future.set_exception(Unconfirmed(f"RabbitMQ had not yet confirmed: {why}"))
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
        self._waiting: set[_Batch] = set()
        self._mandatory: dict[str | None, _Batch] = {}
        self._turn = asyncio.Lock()

    async def send(self, batch: Sequence[Outgoing]) -> None:
        """Have all of a batch confirmed.

        Raises:
            BusUnavailable: none was accepted.
            Unroutable: a mandatory one has reached no queue.
            Unconfirmed: nobody knows which of them were accepted.
        """
        if not batch:
            return
        books = _Batch(len(batch))
        async with self._turn:
            channel = await self._ready()
            chunks = _chunks(channel, batch)
            hit("driver.before_publish")
            for outgoing in batch:
                if outgoing.mandatory:
                    self._mandatory[outgoing.properties.message_id] = books
            self._waiting.add(books)
            try:
                await self._write(channel, chunks, books)
            except BaseException:
                # Numbers of messages may be off by now; nothing more may go over this channel.
                self._lose(channel)
                raise
        hit("driver.after_publish")
        try:
            async with asyncio.timeout(self._confirm_within):
                await books.future
        except TimeoutError:
            self._lose(channel)
            raise Unconfirmed(
                f"RabbitMQ has not confirmed within {self._confirm_within:g} s"
            ) from None
        finally:
            self._waiting.discard(books)
            for outgoing in batch:
                if outgoing.mandatory:
                    self._mandatory.pop(outgoing.properties.message_id, None)
        if books.returned:
            raise Unroutable(f"there is no queue for {batch[0].routing_key!r}")
        if books.refused == len(batch):
            raise BusUnavailable("RabbitMQ has refused the message")
        if books.refused:
            raise Unconfirmed(f"RabbitMQ has refused {books.refused} of {len(batch)} messages")
        hit("driver.after_confirm")

    async def _ready(self) -> Channel:
        """The channel, on a connection that is not blocked."""
        connection = await self._link.connection()
        async with reaching("RabbitMQ accepts no messages now (an alarm)", self._patience):
            await connection.ready()
        channel = self._channel
        if channel is None or channel.is_closed or channel.connection is not connection:
            if channel is not None:
                self._lose(channel)
            channel = await self._link.channel(confirms=True)
            channel.returned = self._returned
            channel.closing.add_done_callback(lambda closed: self._lose(channel, closed))
            self._channel = channel
        return channel

    async def _write(
        self, channel: Channel, chunks: list[tuple[int, bytes]], books: _Batch
    ) -> None:
        confirmations: dict[int, Any] = channel.confirmations
        try:
            async with reaching("publishing"):
                for count, payload in chunks:
                    first = channel.delivery_tag + 1
                    channel.delivery_tag += count
                    for tag in range(first, first + count):
                        confirmations[tag] = books
                    await channel.write(payload, drained=True)
        except BusUnavailable as error:
            raise Unconfirmed(error.detail) from error

    def _returned(self, message_id: str | None) -> None:
        if (books := self._mandatory.get(message_id)) is not None:
            books.returned = True

    def _lose(self, channel: Channel, closed: asyncio.Future[Any] | None = None) -> None:
        if self._channel is not channel:
            return
        error = None if closed is None or closed.cancelled() else closed.exception()
        why = str(error or "") or "the connection was lost"
        self._channel = None
        channel.confirmations.clear()
        for books in self._waiting:
            books.lose(why)
        if not channel.is_closed:
            channel.connection.create_task(channel.close())


def _chunks(channel: Channel, batch: Sequence[Outgoing]) -> list[tuple[int, bytes]]:
    """A batch as encoded frames, in portions of some size with the number of messages in each."""
    limit = channel.connection.connection_tune.frame_max or 131_072
    chunks: list[tuple[int, bytes]] = []
    parts: list[bytes] = []
    size = 0
    for it in batch:
        try:
            parts.append(
                frames(
                    channel.number,
                    limit,
                    it.exchange,
                    it.routing_key,
                    it.properties,
                    it.body,
                    it.mandatory,
                )
            )
        except (ValueError, TypeError, UnicodeError) as error:
            raise BusUnavailable(f"{it.properties.message_id} cannot be sent: {error}") from error
        size += len(parts[-1])
        if size >= _CHUNK:
            chunks.append((len(parts), b"".join(parts)))
            parts, size = [], 0
    if parts:
        chunks.append((len(parts), b"".join(parts)))
    return chunks
