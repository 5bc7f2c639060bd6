"""What people ask of the embedded bus: read beside whoever writes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection

from msgspec import json

from skerry.core.errors import BusUnavailable

from .driver import DeadLetter, Failure, QueueInfo
from .embedded_schema import HELD, LEASED, READY, WAITING
from .message import Message

_message = json.Decoder(Message).decode
_failure = json.Decoder(Failure).decode


def queues(connection: sqlite3.Connection, names: Collection[str] | None) -> list[QueueInfo]:
    rows = connection.execute("SELECT id, name FROM subscription ORDER BY name").fetchall()
    return [_queue(connection, number, n) for number, n in rows if names is None or n in names]


def _queue(connection: sqlite3.Connection, number: int, name: str) -> QueueInfo:
    now = time.time()

    def values(query: str, *more: object) -> list[tuple[object, ...]]:
        return connection.execute(query, (number, *more)).fetchall()

    def count(query: str, *more: object) -> int:
        return int(connection.execute(query, (number, *more)).fetchone()[0])

    entries = "SELECT count(*) FROM entry WHERE subscription = ? AND state"
    late = count("SELECT count(*) FROM later WHERE subscription = ? AND at > ?", now)
    over = count("SELECT count(*) FROM later WHERE subscription = ? AND at <= ?", now)
    return QueueInfo(
        name,
        tuple(
            str(row[0])
            for row in values("SELECT topic FROM topic WHERE subscription = ? ORDER BY topic")
        ),
        ready=over
        + count(f"{entries} IN ({READY}, {HELD})")
        + count(f"{entries} IN ({WAITING}, {LEASED}) AND at <= ?", now),
        delayed=late + count(f"{entries} = {WAITING} AND at > ?", now),
        leased=count(f"{entries} = {LEASED} AND at > ?", now),
        dead=count("SELECT count(*) FROM dead WHERE subscription = ?"),
        oldest=_oldest(connection, number),
        consumers=count("SELECT count(*) FROM consumer WHERE subscription = ?"),
    )


def _oldest(connection: sqlite3.Connection, number: int) -> float | None:
    found = connection.execute(
        f"""
        SELECT data FROM message WHERE id = (
            SELECT min(first) FROM (
                SELECT min(message) first FROM entry
                WHERE subscription = ?1 AND state = {READY} AND at = 0
                UNION ALL SELECT min(message) FROM entry
                WHERE subscription = ?1 AND state = {HELD} AND at = 0
                UNION ALL SELECT min(message) FROM entry
                WHERE subscription = ?1 AND state = {WAITING}
            )
        )
        """,
        (number,),
    ).fetchone()
    return _message(found[0]).time if found else None


def peek(connection: sqlite3.Connection, subscription: str, limit: int) -> list[Message]:
    number = _number(connection, subscription)
    rows: list[tuple[int, bytes]] = []
    for state in (READY, HELD, WAITING):
        rows += connection.execute(
            "SELECT m.id, m.data FROM entry e CROSS JOIN message m ON m.id = e.message "
            "WHERE e.subscription = ? AND e.state = ? ORDER BY e.at, e.message LIMIT ?",
            (number, state, limit),
        ).fetchall()
    found = [data for _, data in sorted(rows)]
    late = connection.execute(
        "SELECT data FROM later WHERE subscription = ? ORDER BY at, id LIMIT ?", (number, limit)
    )
    found += [data for (data,) in late.fetchall()]
    return [_message(data) for data in found[:limit]]


def dead(connection: sqlite3.Connection, subscription: str, limit: int) -> list[DeadLetter]:
    rows = connection.execute(
        "SELECT data, failure, attempts, died FROM dead WHERE subscription = ? ORDER BY id LIMIT ?",
        (_number(connection, subscription), limit),
    ).fetchall()
    return [
        DeadLetter(_message(data), subscription, _failure(failure), attempts, died)
        for data, failure, attempts, died in rows
    ]


def _number(connection: sqlite3.Connection, subscription: str) -> int:
    row = connection.execute(
        "SELECT id FROM subscription WHERE name = ?", (subscription,)
    ).fetchone()
    if row is None:
        raise BusUnavailable(f"there is no subscription {subscription!r}")
    return int(row[0])
