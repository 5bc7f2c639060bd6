"""The bus that needs no server: one SQLite file for all processes of a fleet on one machine.

Its ceiling is one machine, and one commit at a time: some tens of thousands of events a second,
on a local disk (its log is shared memory, which file systems of a network do not have). A fleet
that grows beyond it takes another driver; nothing else changes.

What is accepted survives ``kill -9`` of everything. With ``durability="power"``, which is the
default, it survives a loss of power as well: ``publish`` returns when it is on the disk. With
``"process"`` it does not wait for the disk, and power that fails takes the last moments with it.
Both leave a file that is whole. What only makes a message come again, such as an ``ack``, does
not wait for the disk in either.
"""

from __future__ import annotations

import asyncio
import math
import os
import sqlite3
import time
import weakref
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from msgspec import json

from skerry.core.errors import BusUnavailable
from skerry.core.failpoint import hit

from . import embedded_read, embedded_upkeep
from .driver import DeadLetter, QueueInfo, Subscription
from .embedded_feed import EmbeddedDelivery, Feed
from .embedded_file import reading
from .embedded_ops import Peer, Publish
from .embedded_store import Store
from .embedded_wake import Socket, discard, gone
from .embedded_writer import Durability, Op, Work, Writer
from .message import Message

T = TypeVar("T")

_ROUND = 1.0  # seconds between looks that nobody has asked for
_VACUUM = 512  # pages in each round

_encode = json.Encoder().encode


class Embedded:
    """A driver on a file; see ``Driver`` for what its methods do.

    Args:
        path: of the file. It and its folder are made when they are not there.
        durability: what an accepted message survives; see the module.
    """

    def __init__(self, path: str | Path, *, durability: Durability = "power") -> None:
        self.path = Path(path)
        self.durability: Durability = durability
        self._declared: dict[str, Subscription] = {}
        self._feeds: dict[int, Feed] = {}
        self._writer: Writer | None = None
        self._socket: Socket | None = None
        self._gathered: list[Op] = []
        self._hungry: set[Feed] = set()
        self._flushing = False
        self._round: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        if self._writer is not None:
            await self._do(lambda store: None)
            return
        loop = asyncio.get_running_loop()
        self._writer = Writer(
            self.path, self.durability, self._prepare, self._woken, self._departed
        )
        _open.add(self)
        try:
            await self._do(lambda store: None)
        except BaseException:
            await self.close()
            raise
        self._round = loop.call_later(_ROUND, self._look_around)

    async def close(self) -> None:
        writer = self._writer
        if writer is None:
            return
        if self._round is not None:
            self._round.cancel()
        feeds = list(self._feeds)
        for feed in self._feeds.values():
            feed.close()
        self._flush()
        writer.submit([Op(lambda store: store.depart(feeds), _ignore)])
        self._writer = None
        await asyncio.get_running_loop().run_in_executor(None, writer.stop)
        self._feeds.clear()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        _open.discard(self)

    # Operations, gathered over one turn of the loop

    def _submit(self, op: Op) -> None:
        self._gathered.append(op)
        self._flush_soon()

    def _offer(self, feed: Feed) -> None:
        self._hungry.add(feed)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        ops, self._gathered = self._gathered, []
        ops += [claim for feed in self._hungry if (claim := feed.claim()) is not None]
        self._hungry.clear()
        if self._writer is not None:
            if ops:
                self._writer.submit(ops)
        else:
            for op in ops:
                op.settle(BusUnavailable(f"{self.path} is closed"))

    async def _do(self, work: Work | Callable[[Store], T], *, durable: bool = False) -> Any:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._submit(Op(work, partial(_settle, done), durable))
        return await done

    # What the writer tells us

    def _prepare(self, store: Store) -> None:
        """The file has been opened: make sure that it knows what we were told."""
        store.declare(list(self._declared.values()))

    def _woken(self, consumers: list[int] | None) -> None:
        for consumer in list(self._feeds) if consumers is None else consumers:
            if feed := self._feeds.get(consumer):
                feed.look()

    def _departed(self, peers: list[Peer]) -> None:
        """These were not there: their leases are free, and their sockets rubbish."""
        for peer in peers:
            discard(peer.socket)
        ids = [peer.id for peer in peers]
        self._submit(Op(lambda store: store.depart(ids), _ignore))

    def _read_socket(self) -> None:
        assert self._socket is not None
        self._woken(_some(self._socket.read()))

    def _look_around(self) -> None:
        """Once a second: whatever a datagram that was lost would have said; and whether those
        after us in the ring of consumers are alive."""
        self._round = asyncio.get_running_loop().call_later(_ROUND, self._look_around)
        for feed in [f for f in self._feeds.values() if f.idle]:
            del self._feeds[feed.id]
            self._submit(Op(partial(Store.depart, consumers=[feed.id], release=False), _ignore))
        for feed in self._feeds.values():
            self._submit(Op(partial(self._register, feed), partial(self._registered, feed)))
        self._look_for_dead()
        self._submit(Op(partial(embedded_upkeep.give_back, pages=_VACUUM), _ignore))

    def _register(self, feed: Feed, store: Store) -> int:
        assert self._socket is not None
        return store.register(feed.id, feed.subscription.name, self._socket.path)

    def _registered(self, feed: Feed, number: Any) -> None:
        if isinstance(number, int):
            feed.number = number
        feed.check()

    def _look_for_dead(self) -> None:
        if self._feeds and self._socket is not None:
            others = partial(Store.others, than=max(self._feeds), socket=self._socket.path)
            self._submit(Op(others, self._look_after))

    def _look_after(self, peers: Any) -> None:
        if isinstance(peers, list):
            dead = []
            for peer in peers:
                if not gone(peer.socket):
                    break
                dead.append(peer)
            if dead:
                self._departed(dead)

    # Driver

    async def declare(self, subscriptions: Sequence[Subscription]) -> None:
        self._declared |= {s.name: s for s in subscriptions}
        await self._do(lambda store: store.declare(subscriptions), durable=True)

    async def publish(self, messages: Sequence[Message], *, delay: float = 0.0) -> None:
        rows = [(m.topic, m.key, _encode(m)) for m in messages]
        if rows:
            at = time.time() + delay if delay > 0 else 0.0
            hit("driver.before_publish")
            await self._do(Publish(rows, at), durable=True)
            hit("driver.after_confirm")

    @asynccontextmanager
    async def consume(
        self, subscription: Subscription, prefetch: int
    ) -> AsyncIterator[AsyncIterator[EmbeddedDelivery]]:
        if self._socket is None:
            self._listen()
        feed = Feed(subscription, prefetch, self._submit, self._offer)
        self._feeds[feed.id] = feed
        try:
            feed.number = await self._do(partial(self._register, feed))
            feed.look()
            self._look_for_dead()
            yield feed
        finally:
            feed.close()

    def _listen(self) -> None:
        assert self._writer is not None
        self._socket = Socket(self.path.with_name(self.path.name + "-wake"))
        self._writer.socket = self._socket.path
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read_socket)

    async def queues(self, names: Collection[str] | None = None) -> list[QueueInfo]:
        return await self._read(embedded_read.queues, names)

    async def peek(self, subscription: str, limit: int = 20) -> list[Message]:
        return await self._read(embedded_read.peek, subscription, limit)

    async def dead(self, subscription: str, limit: int = 100) -> list[DeadLetter]:
        return await self._read(embedded_read.dead, subscription, limit)

    async def _read(self, query: Callable[..., T], *values: Any) -> T:
        def read() -> T:
            try:
                with reading(self.path) as connection:
                    return query(connection, *values)
            except (OSError, sqlite3.Error) as error:
                raise BusUnavailable(f"{self.path}: {error}") from error

        return await asyncio.to_thread(read)

    async def redrive(
        self, subscription: str, ids: Sequence[str], bodies: Mapping[str, bytes] = {}
    ) -> int:
        work = partial(embedded_upkeep.redrive, subscription=subscription, ids=ids, bodies=bodies)
        return int(await self._do(work, durable=True))

    async def purge(self, subscription: str, *, dead: bool) -> int:
        table = "dead" if dead else "message"
        upto = await self._do(partial(embedded_upkeep.last_row, table=table))
        work = embedded_upkeep.purge_dead if dead else embedded_upkeep.purge
        return await self._all_of(partial(work, subscription=subscription, upto=upto))

    async def _all_of(self, slice_: Callable[[Store], int]) -> int:
        total = 0
        while count := int(await self._do(slice_, durable=True)):
            total += count
        return total

    async def forget(self, subscription: str) -> None:
        self._declared.pop(subscription, None)
        if await self._do(partial(Store.unsubscribe, name=subscription)):
            name, upto = subscription, math.inf
            await self._all_of(lambda s: embedded_upkeep.purge(s, name, upto, leased=True))
            await self._all_of(lambda s: embedded_upkeep.purge_dead(s, name, upto))
            await self._do(partial(Store.remove, name=subscription), durable=True)

    def _abandon(self) -> None:
        """In a forked child, where there is no thread to do anything."""
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None
        if self._socket is not None:
            self._socket.abandon()


def _settle(done: asyncio.Future[Any], result: Any) -> None:
    if done.done():
        return
    if isinstance(result, Exception):
        done.set_exception(result)
    else:
        done.set_result(result)


def _some(found: set[int] | None) -> list[int] | None:
    return None if found is None else list(found)


def _ignore(_: object) -> None:
    pass


# A lock and a socket that a forked child holds would outlive the process they stand for.
_open: weakref.WeakSet[Embedded] = weakref.WeakSet()


def _forked() -> None:
    for driver in list(_open):
        driver._abandon()


os.register_at_fork(after_in_child=_forked)
