"""What the embedded bus does to its file, in SQL.

All of it runs in a transaction under a lock that the whole fleet shares, in a thread that must
take Python's own lock again after every statement. So a group of operations is a handful of
statements however many they are: rows go in by the hundred, come out as one JSON array, and are
named by one.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec
from msgspec import json

from skerry.core.errors import BusUnavailable

from .driver import LeaseLost, Subscription
from .embedded_schema import HELD, LEASED, READY, WAITING
from .message import Message

ACK, RETRY, BURY, EXTEND = "ack", "retry", "bury", "extend"

_decode = json.Decoder(list[Message]).decode
_encode = json.Encoder().encode
_numbers = json.Decoder(list[int]).decode
_SLICE = 5_000  # rows that people delete at a time, so that nobody waits for all of them
_VACUUM_FROM = 2_048  # unused pages (8 MiB) that are not worth giving back


@dataclass(slots=True)
class Publish:
    """Messages to accept: topic, key and JSON of each; ``at`` in Unix seconds, or 0 for now."""

    rows: list[tuple[str, str, bytes]]
    at: float = 0.0


@dataclass(slots=True, frozen=True)
class Claimed:
    """A message that is out: its row, and the lease that proves it."""

    message: Message
    row: int
    subscription: int
    lease: int
    attempt: int
    until: float


@dataclass(slots=True)
class End:
    """How a claim ended, or that it goes on (``EXTEND``); ``at`` in Unix seconds, or 0."""

    claimed: Claimed
    verb: str
    at: float = 0.0
    counts: bool = True
    failure: bytes = b""


@dataclass(slots=True)
class Claim:
    """The wish of a consumer for up to ``want`` messages; ``lease`` is a new one's number."""

    consumer: int
    subscription: int
    want: int
    lease: int
    seconds: float


@dataclass(slots=True)
class Taken:
    """What a claim found.

    Attributes:
        more: there may be more at once.
        next: Unix seconds at which there will be, as far as is known.
    """

    claimed: list[Claimed]
    more: bool
    next: float | None = None


@dataclass(slots=True, frozen=True)
class Peer:
    """A consumer to be woken, here or in another process."""

    id: int
    socket: str


@dataclass
class _Touched:
    """Where something may now be had that could not before."""

    topics: set[str] = field(default_factory=set)
    subscriptions: set[int] = field(default_factory=set)
    timed: bool = False  # or somebody must learn when


class Store:
    """The operations, on a connection that is in a transaction; ``now`` is Unix seconds."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._run = connection.execute
        self.now = time.time()
        self._touched = _Touched()

    def begin(self) -> None:
        self._run("BEGIN IMMEDIATE")
        self.now = time.time()
        self._touched = _Touched()

    def commit(self) -> None:
        self._run("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._run("ROLLBACK")

    def _one(self, statement: str, *values: object) -> Any:
        return self._run(statement, values).fetchone()

    # Subscriptions

    def declare(self, subscriptions: Sequence[Subscription]) -> None:
        for subscription in subscriptions:
            self._run(
                "INSERT INTO subscription (name, ordered) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET ordered = excluded.ordered",
                (subscription.name, subscription.ordered),
            )
            number = self.subscription(subscription.name)
            self._run("DELETE FROM topic WHERE subscription = ?", (number,))
            for topic in dict.fromkeys(subscription.topics):
                self._run("INSERT INTO topic VALUES (?, ?)", (topic, number))

    def subscription(self, name: str) -> int:
        """Its number.

        Raises:
            BusUnavailable: there is none of this name.
        """
        found = self._run("SELECT id FROM subscription WHERE name = ?", (name,)).fetchone()
        if found is None:
            raise BusUnavailable(f"there is no subscription {name!r}")
        return int(found[0])

    def unsubscribe(self, name: str) -> bool:
        """Let it be given nothing more; False if there is none of this name."""
        found = self._run("SELECT id FROM subscription WHERE name = ?", (name,)).fetchone()
        if found is None:
            return False
        self._run("DELETE FROM topic WHERE subscription = ?", found)
        self._run("DELETE FROM consumer WHERE subscription = ?", found)
        return True

    def remove(self, name: str) -> None:
        """The last of a subscription that has been emptied."""
        self._run("DELETE FROM subscription WHERE name = ?", (name,))

    # Publishing

    def publish(self, publishes: Sequence[Publish]) -> None:
        rows = [row for p in publishes if not p.at for row in p.rows]
        if rows:
            self._fan_out(rows)
        for late in publishes:
            if late.at:
                self._put_off(late)

    def _fan_out(self, rows: list[tuple[str, str, bytes]]) -> None:
        last = 0
        for chunk, values in _chunks(rows):
            marks = ",".join(["(?,?,?)"] * chunk)
            statement = f"INSERT INTO message (topic, key, data) VALUES {marks}"
            last = self._run(statement, values).lastrowid or 0
        first = last - len(rows) + 1
        heard = self._run(
            f"""
            INSERT INTO entry
            WITH fresh (message, subscription, key) AS (
                SELECT m.id, t.subscription, iif(s.ordered, m.key, '') FROM message m
                CROSS JOIN topic t ON t.topic = m.topic
                CROSS JOIN subscription s ON s.id = t.subscription
                WHERE m.id >= ?
            )
            SELECT message, subscription, key, iif(key <> '' AND (
                row_number() OVER (PARTITION BY subscription, key ORDER BY message) > 1
                OR EXISTS (
                    SELECT 1 FROM entry e WHERE e.subscription = fresh.subscription
                    AND e.key = fresh.key AND e.key <> ''
                )
            ), {HELD}, {READY}), 0, 0, NULL FROM fresh
            """
            if any(key for _, key, _ in rows)
            else f"""
            INSERT INTO entry
            SELECT m.id, t.subscription, '', {READY}, 0, 0, NULL FROM message m
            CROSS JOIN topic t ON t.topic = m.topic WHERE m.id >= ?
            """,
            (first,),
        ).rowcount
        topics = {topic for topic, _, _ in rows}
        if not heard or len(topics) > 1:
            self._run(
                "DELETE FROM message WHERE id >= ? "
                "AND NOT EXISTS (SELECT 1 FROM entry WHERE message = message.id)",
                (first,),
            )
        self._touched.topics |= topics

    def _put_off(self, late: Publish) -> None:
        for topic, key, data in late.rows:
            self._run(
                "INSERT INTO later (subscription, at, topic, key, data) "
                "SELECT subscription, ?, topic, ?, ? FROM topic WHERE topic = ?",
                (late.at, key, data, topic),
            )
            self._touched.topics.add(topic)
        self._touched.timed = True

    def _place(self, subscription: int, topic: str, key: str, data: bytes) -> None:
        """One message for one subscription, behind all others."""
        row = self._run(
            "INSERT INTO message (topic, key, data) VALUES (?, ?, ?)", (topic, key, data)
        ).lastrowid
        self._run(
            f"""
            INSERT INTO entry
            SELECT ?1, id, iif(ordered, ?2, ''), iif(?2 <> '' AND ordered AND EXISTS (
                SELECT 1 FROM entry WHERE subscription = ?3 AND key = ?2 AND key <> ''
            ), {HELD}, {READY}), 0, 0, NULL FROM subscription WHERE id = ?3
            """,
            (row, key, subscription),
        )

    # Deliveries

    def claim(self, claim: Claim) -> Taken:
        """What it may have; nothing for a consumer that has left, or that was taken for dead
        and is to register again."""
        if self._one("SELECT 1 FROM consumer WHERE id = ?", claim.consumer) is None:
            return Taken([], more=False)
        self._fall_due(claim.subscription)
        count, rows, attempts, data = self._read_ready(claim.subscription, claim.want)
        claimed: list[Claimed] = []
        if count:
            until = self.now + claim.seconds
            numbers = _numbers(rows)
            self._run(
                f"UPDATE entry SET state = {LEASED}, at = ?, attempts = attempts + 1, lease = ? "
                f"WHERE subscription = ? AND state = {READY} AND at = 0 AND message <= ?",
                (until, claim.lease, claim.subscription, max(numbers)),
            )
            claimed = [
                Claimed(message, row, claim.subscription, claim.lease, before + 1, until)
                for message, row, before in zip(
                    _decode(data), numbers, _numbers(attempts), strict=True
                )
            ]
        more = count == claim.want
        self._run(
            "UPDATE consumer SET waiting = iif(?1, NULL, ?2) "
            "WHERE id = ?3 AND (waiting IS NULL) <> ?1",
            (more, self.now, claim.consumer),
        )
        return Taken(claimed, more, None if more else self._next(claim.subscription))

    def _read_ready(self, subscription: int, want: int) -> tuple[int, str, str, bytes]:
        """The first that may be taken, as JSON: their rows, attempts and messages."""
        try:
            found: tuple[int, str, str, bytes] = self._one(
                f"""
                SELECT count(*), json_group_array(message), json_group_array(attempts),
                    CAST('[' || group_concat(data) || ']' AS BLOB)
                FROM (
                    SELECT e.message, e.attempts, m.data
                    FROM entry e CROSS JOIN message m ON m.id = e.message
                    WHERE e.subscription = ? AND e.state = {READY}
                    ORDER BY e.at, e.message LIMIT ?
                )
                """,
                subscription,
                want,
            )
        except sqlite3.DataError:  # together they are longer than one value may be
            if want == 1:
                raise
            return self._read_ready(subscription, want // 2)
        return found

    def _fall_due(self, subscription: int) -> None:
        self._run(
            f"UPDATE entry SET state = {READY}, at = 0, lease = NULL "
            f"WHERE subscription = ? AND state IN ({WAITING}, {LEASED}) AND at <= ?",
            (subscription, self.now),
        )
        late = self._run(
            "SELECT id, topic, key, data FROM later WHERE subscription = ? AND at <= ? "
            "ORDER BY at, id LIMIT 500",
            (subscription, self.now),
        ).fetchall()
        for _, topic, key, data in late:
            self._place(subscription, topic, key, data)
        if late:
            self._run(f"DELETE FROM later WHERE id IN ({_marks(late)})", [row[0] for row in late])

    def _next(self, subscription: int) -> float | None:
        times = self._one(
            f"""
            SELECT (SELECT min(at) FROM entry WHERE subscription = ?1 AND state = {WAITING}),
                (SELECT min(at) FROM entry WHERE subscription = ?1 AND state = {LEASED}),
                (SELECT min(at) FROM later WHERE subscription = ?1)
            """,
            subscription,
        )
        return min((t for t in times if isinstance(t, float)), default=None)

    def end(self, ends: Sequence[End]) -> list[LeaseLost | None]:
        """What each has come to: None, or that it was not for its holder to say any more."""
        (valid,) = self._one(
            f"""
            SELECT json_group_array(j.key) FROM json_each(?) j CROSS JOIN entry e
            ON e.message = json_extract(j.value, '$[0]')
            AND e.subscription = json_extract(j.value, '$[1]')
            WHERE e.lease = json_extract(j.value, '$[2]') AND e.state = {LEASED} AND e.at > ?
            """,
            _encode([(e.claimed.row, e.claimed.subscription, e.claimed.lease) for e in ends]),
            self.now,
        )
        kept = set(_numbers(valid))
        found: list[LeaseLost | None] = []
        good: list[End] = []
        for number, end in enumerate(ends):
            if number in kept:
                good.append(end)
            found.append(None if number in kept else LeaseLost(_lost(end.claimed)))
        self._bury([e for e in good if e.verb == BURY])
        ended = [e.claimed for e in good if e.verb in (ACK, BURY)]
        self._take_out(
            [(c.row, c.subscription) for c in ended], keyed=any(c.message.key for c in ended)
        )
        self._amend([e for e in good if e.verb in (RETRY, EXTEND)])
        return found

    def _bury(self, ends: list[End]) -> None:
        for end in ends:
            self._run(
                """
                INSERT INTO dead (subscription, message, attempts, died, failure, data)
                SELECT e.subscription, ?, e.attempts, ?, ?, m.data
                FROM entry e CROSS JOIN message m ON m.id = e.message
                WHERE e.message = ? AND e.subscription = ?
                """,
                (
                    end.claimed.message.id,
                    self.now,
                    end.failure,
                    end.claimed.row,
                    end.claimed.subscription,
                ),
            )

    def _take_out(self, subscription_rows: list[tuple[int, int]], *, keyed: bool) -> None:
        """Delete entries that hold up those behind them with their key, and let these go on."""
        if not subscription_rows:
            return
        pairs = _encode(subscription_rows)
        if keyed:
            # "+state": by its row; an index would be that of all that is held.
            freed = self._run(
                f"""
                UPDATE entry SET state = {READY}
                WHERE +state = {HELD} AND (message, subscription) IN (
                    SELECT (
                        SELECT min(n.message) FROM entry n WHERE n.subscription = e.subscription
                        AND n.key = e.key AND n.key <> '' AND n.message > e.message
                    ), e.subscription
                    FROM json_each(?) j CROSS JOIN entry e
                    ON e.message = json_extract(j.value, '$[0]')
                    AND e.subscription = json_extract(j.value, '$[1]')
                    WHERE e.key <> ''
                )
                """,
                (pairs,),
            ).rowcount
            if freed:
                self._touched.subscriptions |= {s for _, s in subscription_rows}
        self._run(
            """
            DELETE FROM entry WHERE (message, subscription) IN (
                SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)
            )
            """,
            (pairs,),
        )
        self._drop_messages(row for row, _ in subscription_rows)

    def _drop_messages(self, rows: Iterable[int]) -> None:
        self._run(
            "DELETE FROM message WHERE id IN (SELECT value FROM json_each(?)) "
            "AND NOT EXISTS (SELECT 1 FROM entry WHERE message = message.id)",
            (_encode(list(rows)),),
        )

    def _amend(self, ends: list[End]) -> None:
        if not ends:
            return
        changes = []
        for end in ends:
            row, subscription = end.claimed.row, end.claimed.subscription
            if end.verb == EXTEND:
                changes.append((row, subscription, LEASED, end.at, 0))
                continue
            later = end.at > self.now
            state, at = (WAITING, end.at) if later else (READY, 0.0)
            changes.append((row, subscription, state, at, int(not end.counts)))
            self._touched.subscriptions.add(subscription)
            self._touched.timed |= later
        self._run(
            f"""
            UPDATE entry SET state = j.state, at = j.at, attempts = attempts - j.uncounted,
                lease = iif(j.state = {LEASED}, lease, NULL)
            FROM (
                SELECT json_extract(value, '$[0]') message,
                    json_extract(value, '$[1]') subscription, json_extract(value, '$[2]') state,
                    json_extract(value, '$[3]') at, json_extract(value, '$[4]') uncounted
                FROM json_each(?)
            ) j
            WHERE entry.message = j.message AND entry.subscription = j.subscription
            """,
            (_encode(changes),),
        )

    # Consumers

    def register(self, consumer: int, subscription: str, socket: str) -> int:
        """Say that it is there; the subscription's number."""
        found = self._run("SELECT subscription FROM consumer WHERE id = ?", (consumer,)).fetchone()
        if found is not None:
            return int(found[0])
        number = self.subscription(subscription)
        self._run("INSERT INTO consumer VALUES (?, ?, ?, NULL)", (consumer, number, socket))
        return number

    def others(self, than: int, socket: str, limit: int = 8) -> list[Peer]:
        """Those after ``than``, in a ring: each consumer looks after the next."""
        rows = self._run(
            "SELECT id, socket FROM consumer WHERE socket <> ? ORDER BY id <= ?, id LIMIT ?",
            (socket, than, limit),
        )
        return [Peer(*row) for row in rows.fetchall()]

    def depart(self, consumers: Iterable[int], *, release: bool = True) -> None:
        """They are gone; what they held is for others now, if ``release`` says so."""
        for consumer in consumers:
            if release:
                for (number,) in self._run("SELECT id FROM subscription").fetchall():
                    freed = self._run(
                        f"UPDATE entry SET state = {READY}, at = 0, lease = NULL "
                        f"WHERE subscription = ? AND state = {LEASED} "
                        "AND lease BETWEEN ? AND ?",
                        (number, consumer << 32, consumer << 32 | 0xFFFF_FFFF),
                    ).rowcount
                    if freed:
                        self._touched.subscriptions.add(number)
            gone = self._run(
                "SELECT subscription FROM consumer WHERE id = ?", (consumer,)
            ).fetchone()
            if gone:  # it may have been told of something that it never took
                self._touched.subscriptions.add(gone[0])
                self._run("DELETE FROM consumer WHERE id = ?", (consumer,))

    def to_wake(self) -> list[Peer]:
        """Waiting consumers for what this group has made ready, the longest waiting first.

        They are told in this transaction: until they wait again nobody tells them more.
        """
        touched = self._touched
        if not (touched.topics or touched.subscriptions):
            return []
        rows = self._run(
            "SELECT id, socket, subscription FROM consumer WHERE waiting IS NOT NULL "
            "AND (subscription IN (SELECT value FROM json_each(?)) OR subscription IN "
            "(SELECT subscription FROM topic WHERE topic IN (SELECT value FROM json_each(?)))) "
            "ORDER BY waiting",
            (_encode(list(touched.subscriptions)), _encode(list(touched.topics))),
        ).fetchall()
        chosen: list[Peer] = []
        for subscription in {row[2] for row in rows}:
            peers = [Peer(row[0], row[1]) for row in rows if row[2] == subscription]
            (ready,) = self._one(
                "SELECT count(*) FROM (SELECT 1 FROM entry "
                f"WHERE subscription = ? AND state = {READY} LIMIT ?)",
                subscription,
                len(peers),
            )
            chosen += peers[: max(ready, int(touched.timed))]
        if chosen:
            ids = [peer.id for peer in chosen]
            self._run(f"UPDATE consumer SET waiting = NULL WHERE id IN ({_marks(ids)})", ids)
        return chosen

    # What people do with queues

    def redrive(self, subscription: str, ids: Sequence[str], bodies: Mapping[str, bytes]) -> int:
        number = self.subscription(subscription)
        rows = self._run(
            "SELECT id, data FROM dead WHERE subscription = ? "
            "AND message IN (SELECT value FROM json_each(?)) ORDER BY id",
            (number, _encode(list(ids))),
        ).fetchall()
        for row, data in rows:
            message = json.decode(data, type=Message)
            if message.id in bodies:
                message = msgspec.structs.replace(message, body=bodies[message.id])
                data = _encode(message)
            self._place(number, message.topic, message.key, data)
            self._run("DELETE FROM dead WHERE id = ?", (row,))
        self._touched.subscriptions.add(number)
        return len(rows)

    def purge(self, subscription: str, *, dead: bool, upto: float, all: bool = False) -> int:
        """Delete a slice of what waits (``all``: or is out) or is dead; 0 when there is none.

        Args:
            upto: the last row that counts, so that it ends while others publish.
        """
        number = self.subscription(subscription)
        if dead:
            return self._run(
                "DELETE FROM dead WHERE id IN (SELECT id FROM dead "
                "WHERE subscription = ? AND id <= ? LIMIT ?)",
                (number, upto, _SLICE),
            ).rowcount
        # Those that are held first: what then is taken out holds up nobody who goes as well.
        for state in (HELD, READY, WAITING, *((LEASED,) if all else ())):
            rows = self._run(
                "SELECT message FROM entry WHERE subscription = ? AND state = ? "
                "AND message <= ? LIMIT ?",
                (number, state, upto, _SLICE),
            ).fetchall()
            if rows:
                self._take_out([(row, number) for (row,) in rows], keyed=state != HELD)
                return len(rows)
        return self._run(
            "DELETE FROM later WHERE id IN (SELECT id FROM later WHERE subscription = ? LIMIT ?)",
            (number, _SLICE),
        ).rowcount

    def last_row(self, *, dead: bool) -> int:
        table = "dead" if dead else "message"
        return int(self._one(f"SELECT ifnull(max(id), 0) FROM {table}")[0])

    def give_back(self, pages: int) -> None:
        """Return space to the file system where most of the file is unused."""
        (unused,), (size,) = self._one("PRAGMA freelist_count"), self._one("PRAGMA page_count")
        if unused > _VACUUM_FROM and unused > size // 2:
            for _ in range(pages):  # each execution steps once, and that is a page
                self._run("PRAGMA incremental_vacuum(1)")


def new_consumer() -> int:
    """An id that no other has: with 32 bits of a lease's number behind it, it fits a row."""
    return int.from_bytes(os.urandom(4), "big") >> 2 or 1


def _lost(claimed: Claimed) -> str:
    return f"{claimed.message.id} is no longer ours"


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _chunks(
    rows: list[tuple[str, str, bytes]],
) -> Iterator[tuple[int, list[str | bytes]]]:
    """Rows in powers of two, so that few statements are ever prepared; and their values."""
    begin = 0
    while begin < len(rows):
        size = min(256, 1 << ((len(rows) - begin).bit_length() - 1))
        yield size, list(chain.from_iterable(rows[begin : begin + size]))
        begin += size
