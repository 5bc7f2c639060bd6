"""What an app has done of what it was told: each event's effects are committed once.

One row for each subscription and event. ``begin`` counts the attempt, in a transaction of its
own, so that an attempt that ends in ``kill -9`` has been counted; and hands out the row to a
*token*. ``finish`` is part of the transaction that has the effects, and lets only that token's
holder commit: whoever was taken for dead, and then went on, is fenced off (Kleppmann, "How to
do distributed locking", 2016). In between the holder says that it is alive with ``extend``.

::

    begin ──> Begun ──> finish     done: every later begin says so
      │         ├─────> release    to be tried again, now or later
      │         └─────> give_up    dead: in the dead letters
      └─────> Done · Busy · Dead   nothing to do; somebody is at it; begin(revive=True)

Rows are kept for longer than any broker delivers an event again, then ``clean`` deletes them.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct
from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from skerry.core.clock import Clock
from skerry.core.errors import Error

from .database import Database
from .transient import Again, hasten, write

KEPT = 14 * 86_400.0
"""Seconds for which an event is remembered, by default."""

_CLEANED_AT_ONCE = 1_000
_LOCKED = 0.1  # seconds after which to ask again about a row that is being finished

_ROW = " WHERE subscription = :subscription AND id = :id"
_MINE = _ROW + " AND token = :token AND state = 'begun'"
# Without ON CONFLICT two at once would collide; without NOT EXISTS, a row that a transaction is
# finishing would be waited for.
_INSERT = text(
    "INSERT INTO skerry_inbox (subscription, id, attempts, token, until, state, seen)"
    " SELECT :subscription, :id, 1, :token, :until, 'begun', :now"
    " WHERE NOT EXISTS (SELECT 1 FROM skerry_inbox" + _ROW + ") ON CONFLICT DO NOTHING"
)
_SELECT = "SELECT attempts, token, until, state FROM skerry_inbox" + _ROW
_READ = text(_SELECT)
_LOCK = {"sqlite": _READ, "postgresql": text(_SELECT + " FOR UPDATE SKIP LOCKED")}
_TAKE = text(
    "UPDATE skerry_inbox SET attempts = :attempts, token = :token, until = :until,"
    " state = 'begun'" + _ROW
)
_EXTEND = text("UPDATE skerry_inbox SET until = :until" + _MINE)
_RELEASE = text(
    "UPDATE skerry_inbox SET until = 0, token = '', attempts = attempts - :back" + _MINE
)
_END = text("UPDATE skerry_inbox SET state = :state" + _MINE)
_CLEAN = text(
    "DELETE FROM skerry_inbox WHERE (subscription, id) IN ("
    "SELECT subscription, id FROM skerry_inbox WHERE seen < :before ORDER BY seen LIMIT :limit)"
)


class Begun(Struct, frozen=True):
    """It is ours to handle.

    Attributes:
        attempt: 1 for the first; those that ended in a crash are counted.
    """

    attempt: int


class Done(Struct, frozen=True):
    """Its effects have been committed."""


class Busy(Struct, frozen=True):
    """Somebody is at it.

    Attributes:
        seconds: until its holder is taken for dead, unless it says that it is not.
    """

    seconds: float


class Dead(Struct, frozen=True):
    """It has been given up.

    Attributes:
        attempts: after so many.
    """

    attempts: int


Beginning: TypeAlias = Begun | Done | Busy | Dead


class Fenced(Error):
    """The event is somebody else's by now, or done: what was done for it must not be committed."""


class Inbox:
    """The inbox of one app's database.

    All but ``finish`` are short transactions of their own, tried again where the database asks
    for it. On PostgreSQL they do not wait for the disk: a claim that a crash of the server
    takes back is one that ``finish`` does not find.

    Args:
        clock: whose time to go by instead of the database's; for tests.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock
        self._dialect = database.engine.dialect.name

    async def begin(
        self, subscription: str, id: str, token: str, lease: float, *, revive: bool = False
    ) -> Beginning:
        """Count an attempt at an event, and take it, unless it is somebody's or done.

        Asked again with the same token, because the answer was lost, the answer is the same.

        Args:
            token: nobody else's: new for every delivery.
            lease: seconds without a word after which the holder is taken for dead.
            revive: begin at attempt 1 what was given up: it has come back from the dead letters.
        """
        return await write(self._database, self._begin, subscription, id, token, lease, revive)

    async def extend(self, subscription: str, id: str, token: str, lease: float) -> None:
        """The holder of ``token`` is alive for another ``lease`` seconds.

        Raises:
            Fenced: it comes too late. What the holder itself has done is not too late.
        """
        await write(self._database, self._extend, subscription, id, token, lease)

    async def release(self, subscription: str, id: str, token: str, *, counts: bool = True) -> None:
        """This attempt is over and has failed; whoever comes next may begin. No error if it is
        somebody else's.

        Args:
            counts: whether it was an attempt; not so where the handler was never begun.
        """
        back = {"back": 0 if counts else 1}
        values = {"subscription": subscription, "id": id, "token": token, **back}
        await write(self._database, self._change, _RELEASE, values)

    async def give_up(self, subscription: str, id: str, token: str) -> None:
        """It lies with the dead letters. No error if it is somebody else's."""
        values = {"subscription": subscription, "id": id, "token": token, "state": "dead"}
        await write(self._database, self._change, _END, values)

    async def clean(self, older_than: float = KEPT) -> int:
        """Forget some of the events that were first seen more than ``older_than`` seconds ago.

        Returns:
            how many; to be called again until that is 0.
        """
        return await write(self._database, self._clean, older_than)

    def _begin(
        self, session: Session, subscription: str, id: str, token: str, lease: float, revive: bool
    ) -> Beginning:
        now = hasten(session, self._clock)
        key = {"subscription": subscription, "id": id}
        held = {**key, "token": token, "until": now + lease}
        if session.execute(_INSERT, {**held, "now": now}).rowcount:  # type: ignore[attr-defined]
            return Begun(1)
        # A row that is locked is not waited for: a transaction that finishes it may take long.
        locked = session.execute(_LOCK[self._dialect], key).first()
        row = locked or session.execute(_READ, key).first()
        if row is None:  # deleted, or committed after our snapshot was taken
            raise Again
        attempts, holder, until, state = row
        if state == "done":
            return Done()
        if locked is None:
            return Busy(max(until - now, _LOCKED))
        if state == "dead":
            if not revive:
                return Dead(attempts)
            attempts = 0
        elif holder == token:  # asked again
            attempts -= 1
        elif until > now:
            return Busy(until - now)
        session.execute(_TAKE, {**held, "attempts": attempts + 1})
        return Begun(attempts + 1)

    def _extend(
        self, session: Session, subscription: str, id: str, token: str, lease: float
    ) -> None:
        now = hasten(session, self._clock)
        key = {"subscription": subscription, "id": id}
        # Whoever has it locked is about to finish it, or to take it: the next beat will know.
        row = session.execute(_LOCK[self._dialect], key).first()
        if row is None and session.execute(_READ, key).first() is not None:
            return
        if row is None or row.token != token or row.state == "dead":
            raise Fenced(f"{id} is no longer ours for {subscription}")
        session.execute(_EXTEND, {**key, "token": token, "until": now + lease})

    def _change(self, session: Session, statement: TextClause, values: dict[str, Any]) -> None:
        hasten(session, self._clock)
        session.execute(statement, values)

    def _clean(self, session: Session, older_than: float) -> int:
        before = hasten(session, self._clock) - older_than
        done = session.execute(_CLEAN, {"before": before, "limit": _CLEANED_AT_ONCE})
        return int(done.rowcount)  # type: ignore[attr-defined]


def finish(session: Session, subscription: str, id: str, token: str) -> None:
    """The event is done, if this transaction commits.

    On PostgreSQL whoever else wants the event is told from here on that somebody is at it.

    Raises:
        Fenced: it is no longer ``token``'s; the transaction must be rolled back.
    """
    values = {"subscription": subscription, "id": id, "token": token, "state": "done"}
    if not session.execute(_END, values).rowcount:  # type: ignore[attr-defined]
        raise Fenced(f"{id} is no longer ours for {subscription}")
