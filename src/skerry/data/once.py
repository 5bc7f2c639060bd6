"""An event is handled once, in a transaction that is the caller's own, whatever library's it is.

For handlers that write with another library than SQLAlchemy: that an event has been handled is a
row like any others, and its key is unique. A second delivery of the event finds it there; one
that comes while the first is at work waits for its commit. What ``data.inbox`` does besides,
counting attempts and leases, is then the broker's.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from .enlist import insertable

_COLUMNS = ("subscription", "id", "attempts", "token", "until", "state", "seen")


def first(where: Any, subscription: str, id: str, attempt: int, now: float) -> bool:
    """Whether this is the transaction in which the event is handled, if it commits.

    Args:
        where: see ``enlist``.
        now: Unix seconds; rows are forgotten ``inbox.KEPT`` seconds later.
    """
    connection, places = insertable(where, _COLUMNS)
    row: Any = (subscription, id, attempt, "", 0.0, "done", now)
    if places[0] == ":subscription":
        row = dict(zip(_COLUMNS, row, strict=True))
    with closing(connection.cursor()) as cursor:
        cursor.execute(
            f"INSERT INTO skerry_inbox ({', '.join(_COLUMNS)}) VALUES ({', '.join(places)})"
            " ON CONFLICT DO NOTHING",
            row,
        )
        return bool(cursor.rowcount == 1)
