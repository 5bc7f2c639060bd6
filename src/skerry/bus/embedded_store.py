"""What the embedded bus does to its file, in SQL.

All of it runs in a transaction under a lock that the whole fleet shares, in a thread that must
take Python's own lock again after every statement. So a group of operations is a handful of
statements however many they are: rows go in by the hundred, come out as one JSON array, and are
named by one.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from msgspec import json

from skerry.core.errors import BusUnavailable
from skerry.core.failpoint import hit

from .driver import LeaseLost, Subscription
from .embedded_ops import (
    ACK,
    BURY,
    EXTEND,
    RETRY,
    Claim,
    Claimed,
    End,
    Peer,
    Publish,
    Taken,
)
from .embedded_schema import HELD, LEASED, READY, WAITING
from .message import Message

_decode = json.Decoder(list[Message]).decode
_encode = json.Encoder().encode
_numbers = json.Decoder(list[int]).decode


@dataclass
class Touched:
    """Where something may now be had that could not before."""

    topics: set[str] = field(default_factory=set)
    subscriptions: set[int] = field(default_factory=set)
    timed: bool = False  # or somebody must learn when


class Store:
    """The operations, on a connection that is in a transaction; ``now`` is Unix seconds."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.run = connection.execute
        self.now = time.time()
        self.touched = Touched()

    def begin(self) -> None:
        self.run("BEGIN IMMEDIATE")
        self.now = time.time()
        self.touched = Touched()

    def commit(self) -> None:
        self.run("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self.run("ROLLBACK")

    def one(self, statement: str, *values: object) -> Any:
        return self.run(statement, values).fetchone()

    # Subscriptions

    def declare(self, subscriptions: Sequence[Subscription]) -> None:
        for subscription in subscriptions:
            self.run(
                "INSERT INTO subscription (name, ordered) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET ordered = excluded.ordered",
                (subscription.name, subscription.ordered),
            )
            number = self.subscription(subscription.name)
            self.run("DELETE FROM topic WHERE subscription = ?", (number,))
            for topic in dict.fromkeys(subscription.topics):
                self.run("INSERT INTO topic VALUES (?, ?)", (topic, number))

    def subscription(self, name: str) -> int:
        """Its number.

        Raises:
            BusUnavailable: there is none of this name.
        """
        found = self.run("SELECT id FROM subscription WHERE name = ?", (name,)).fetchone()
        if found is None:
            raise BusUnavailable(f"there is no subscription {name!r}")
        return int(found[0])

    def unsubscribe(self, name: str) -> bool:
        """Let it be given nothing more; False if there is none of this name."""
        found = self.run("SELECT id FROM subscription WHERE name = ?", (name,)).fetchone()
        if found is None:
            return False
        self.run("DELETE FROM topic WHERE subscription = ?", found)
        self.run("DELETE FROM consumer WHERE subscription = ?", found)
        return True

    def remove(self, name: str) -> None:
        """The last of a subscription that has been emptied."""
        self.run("DELETE FROM subscription WHERE name = ?", (name,))

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
            last = self.run(statement, values).lastrowid or 0
        first = last - len(rows) + 1
        heard = self.run(
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
            self.run(
                "DELETE FROM message WHERE id >= ? "
                "AND NOT EXISTS (SELECT 1 FROM entry WHERE message = message.id)",
                (first,),
            )
        self.touched.topics |= topics

    def _put_off(self, late: Publish) -> None:
        for topic, key, data in late.rows:
            self.run(
                "INSERT INTO later (subscription, at, topic, key, data) "
                "SELECT subscription, ?, topic, ?, ? FROM topic WHERE topic = ?",
                (late.at, key, data, topic),
            )
            self.touched.topics.add(topic)
        self.touched.timed = True

    def place(self, subscription: int, topic: str, key: str, data: bytes) -> None:
        """One message for one subscription, behind all others."""
        row = self.run(
            "INSERT INTO message (topic, key, data) VALUES (?, ?, ?)", (topic, key, data)
        ).lastrowid
        self.run(
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
        if self.one("SELECT 1 FROM consumer WHERE id = ?", claim.consumer) is None:
            return Taken([], more=False)
        next_time = self._next(claim.subscription)
        if next_time is not None and next_time <= self.now:
            self._fall_due(claim.subscription)
            next_time = self._next(claim.subscription)
        count, rows, attempts, data = self._read_ready(claim.subscription, claim.want)
        claimed: list[Claimed] = []
        if count:
            until = self.now + claim.seconds
            next_time = until if next_time is None else min(next_time, until)
            numbers = _numbers(rows)
            self.run(
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
        self.run(
            "UPDATE consumer SET waiting = iif(?1, NULL, ?2) "
            "WHERE id = ?3 AND (waiting IS NULL) <> ?1",
            (more, self.now, claim.consumer),
        )
        return Taken(claimed, more, None if more else next_time)

    def _read_ready(self, subscription: int, want: int) -> tuple[int, str, str, bytes]:
        """The first that may be taken, as JSON: their rows, attempts and messages."""
        try:
            found: tuple[int, str, str, bytes] = self.one(
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
        self.run(
            f"UPDATE entry SET state = {READY}, at = 0, lease = NULL "
            f"WHERE subscription = ? AND state IN ({WAITING}, {LEASED}) AND at <= ?",
            (subscription, self.now),
        )
        late = self.run(
            "SELECT id, topic, key, data FROM later WHERE subscription = ? AND at <= ? "
            "ORDER BY at, id LIMIT 500",
            (subscription, self.now),
        ).fetchall()
        for _, topic, key, data in late:
            self.place(subscription, topic, key, data)
        if late:
            self.run(f"DELETE FROM later WHERE id IN ({_marks(late)})", [row[0] for row in late])

    def _next(self, subscription: int) -> float | None:
        """When the first of what waits for its time falls due."""
        times = self.one(
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
        (valid,) = self.one(
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
        self.take_out(
            [(c.row, c.subscription) for c in ended], keyed=any(c.message.key for c in ended)
        )
        self._amend([e for e in good if e.verb in (RETRY, EXTEND)])
        return found

    def _bury(self, ends: list[End]) -> None:
        for end in ends:
            self.run(
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
            hit("driver.dead_letter")

    def take_out(self, subscription_rows: list[tuple[int, int]], *, keyed: bool) -> None:
        """Delete entries that hold up those behind them with their key, and let these go on."""
        if not subscription_rows:
            return
        pairs = _encode(subscription_rows)
        if keyed:
            # "+state": by its row; an index would be that of all that is held.
            freed = self.run(
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
                self.touched.subscriptions |= {s for _, s in subscription_rows}
        self.run(
            """
            DELETE FROM entry WHERE (message, subscription) IN (
                SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)
            )
            """,
            (pairs,),
        )
        self._drop_messages(row for row, _ in subscription_rows)

    def _drop_messages(self, rows: Iterable[int]) -> None:
        self.run(
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
            self.touched.subscriptions.add(subscription)
            self.touched.timed |= later
        self.run(
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
        found = self.run("SELECT subscription FROM consumer WHERE id = ?", (consumer,)).fetchone()
        if found is not None:
            return int(found[0])
        number = self.subscription(subscription)
        self.run("INSERT INTO consumer VALUES (?, ?, ?, NULL)", (consumer, number, socket))
        return number

    def others(self, than: int, socket: str, limit: int = 8) -> list[Peer]:
        """Those after ``than``, in a ring: each consumer looks after the next."""
        rows = self.run(
            "SELECT id, socket FROM consumer WHERE socket <> ? ORDER BY id <= ?, id LIMIT ?",
            (socket, than, limit),
        )
        return [Peer(*row) for row in rows.fetchall()]

    def depart(self, consumers: Iterable[int], *, release: bool = True) -> None:
        """They are gone; what they held is for others now, if ``release`` says so."""
        for consumer in consumers:
            if release:
                for (number,) in self.run("SELECT id FROM subscription").fetchall():
                    freed = self.run(
                        f"UPDATE entry SET state = {READY}, at = 0, lease = NULL "
                        f"WHERE subscription = ? AND state = {LEASED} "
                        "AND lease BETWEEN ? AND ?",
                        (number, consumer << 32, consumer << 32 | 0xFFFF_FFFF),
                    ).rowcount
                    if freed:
                        self.touched.subscriptions.add(number)
            gone = self.run(
                "SELECT subscription FROM consumer WHERE id = ?", (consumer,)
            ).fetchone()
            if gone:  # it may have been told of something that it never took
                self.touched.subscriptions.add(gone[0])
                self.run("DELETE FROM consumer WHERE id = ?", (consumer,))

    def to_wake(self) -> list[Peer]:
        """Waiting consumers for what this group has made ready, the longest waiting first.

        They are told in this transaction: until they wait again nobody tells them more.
        """
        touched = self.touched
        if not (touched.topics or touched.subscriptions):
            return []
        rows = self.run(
            "SELECT id, socket, subscription FROM consumer WHERE waiting IS NOT NULL "
            "AND (subscription IN (SELECT value FROM json_each(?)) OR subscription IN "
            "(SELECT subscription FROM topic WHERE topic IN (SELECT value FROM json_each(?)))) "
            "ORDER BY waiting",
            (_encode(list(touched.subscriptions)), _encode(list(touched.topics))),
        ).fetchall()
        chosen: list[Peer] = []
        for subscription in {row[2] for row in rows}:
            peers = [Peer(row[0], row[1]) for row in rows if row[2] == subscription]
            (ready,) = self.one(
                "SELECT count(*) FROM (SELECT 1 FROM entry "
                f"WHERE subscription = ? AND state = {READY} LIMIT ?)",
                subscription,
                len(peers),
            )
            chosen += peers[: max(ready, int(touched.timed))]
        if chosen:
            ids = [peer.id for peer in chosen]
            self.run(f"UPDATE consumer SET waiting = NULL WHERE id IN ({_marks(ids)})", ids)
        return chosen


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
