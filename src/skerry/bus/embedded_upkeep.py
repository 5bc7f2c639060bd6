"""What people do with the embedded bus's queues, and what keeps its file small.

Long work is done in slices, each in a group of its own, so that nobody waits for all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import json
from msgspec.structs import replace

from .embedded_schema import HELD, LEASED, READY, WAITING
from .embedded_store import Store
from .message import Message

_SLICE = 5_000  # rows
_NOT_WORTH_IT = 2_048  # unused pages (4 MiB) that will soon be used again


def redrive(
    store: Store, subscription: str, ids: Sequence[str], bodies: Mapping[str, bytes]
) -> int:
    number = store.subscription(subscription)
    rows = store.run(
        "SELECT id, data FROM dead WHERE subscription = ? "
        "AND message IN (SELECT value FROM json_each(?)) ORDER BY id",
        (number, json.encode(list(ids))),
    ).fetchall()
    for row, data in rows:
        message = json.decode(data, type=Message)
        if message.id in bodies:
            message = replace(message, body=bodies[message.id])
        store.place(number, message.topic, message.key, json.encode(message))
        store.run("DELETE FROM dead WHERE id = ?", (row,))
    store.touched.subscriptions.add(number)
    return len(rows)


def purge_dead(store: Store, subscription: str, upto: float) -> int:
    """Delete a slice of the dead letters; 0 when there is none.

    Args:
        upto: the last row that counts, so that it ends while others bury.
    """
    return store.run(
        "DELETE FROM dead WHERE id IN "
        "(SELECT id FROM dead WHERE subscription = ? AND id <= ? LIMIT ?)",
        (store.subscription(subscription), upto, _SLICE),
    ).rowcount


def purge(store: Store, subscription: str, upto: float, *, leased: bool = False) -> int:
    """Delete a slice of what waits, or is ``leased``; 0 when there is none.

    Args:
        upto: the last row that counts, so that it ends while others publish.
    """
    number = store.subscription(subscription)
    # Those that are held first: what then is taken out holds up nobody who goes as well.
    for state in (HELD, READY, WAITING, *((LEASED,) if leased else ())):
        rows = store.run(
            "SELECT message FROM entry WHERE subscription = ? AND state = ? "
            "AND message <= ? LIMIT ?",
            (number, state, upto, _SLICE),
        ).fetchall()
        if rows:
            store.take_out([(row, number) for (row,) in rows], keyed=state != HELD)
            return len(rows)
    return store.run(
        "DELETE FROM later WHERE id IN (SELECT id FROM later WHERE subscription = ? LIMIT ?)",
        (number, _SLICE),
    ).rowcount


def last_row(store: Store, table: str) -> int:
    return int(store.one(f"SELECT ifnull(max(id), 0) FROM {table}")[0])


def give_back(store: Store, pages: int) -> None:
    """Return space to the file system where most of the file is unused."""
    (unused,), (size,) = store.one("PRAGMA freelist_count"), store.one("PRAGMA page_count")
    if unused > _NOT_WORTH_IT and unused > size // 2:
        for _ in range(pages):  # each execution steps once, and that is a page
            store.run("PRAGMA incremental_vacuum(1)")
