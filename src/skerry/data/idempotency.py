"""Answers by ``Idempotency-Key``: what was done for a key is done once, and answered again.

One row for each scope and key. ``claim`` hands the request out to a *token*, for a lease that
``extend`` prolongs; ``write`` and ``keep`` store the answer, and let only that token's holder do
so: whoever was taken for dead, and then went on, is fenced off. ``write`` does it in the
transaction that has the effects, so that there is never one without the other.

::

    claim ──> Claimed ──> write · keep    every later claim is given the answer
      │          └──────> release         whoever comes next may try
      └─────> Stored · InFlight · Reused  there is an answer; somebody is at it; another's key

After ``kept`` seconds a key is new again; ``clean`` deletes such rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.orm import Session

from skerry.core.clock import Clock
from skerry.core.failpoint import hit
from skerry.core.wire import Headers, Response

from .answers import Asked, Claimed, Fenced, Found, InFlight, Reused, Stored, Unavailable
from .database import Database
from .transient import Again, hasten, unreachable, write

_CLEANED_AT_ONCE = 1_000
_LOCKED = 0.1  # seconds after which to ask again about a row that is being finished

_ROW = " WHERE scope = :scope AND key = :key"
_MINE = _ROW + " AND token = :token AND status IS NULL"
# As in the inbox: without ON CONFLICT two at once would collide; without NOT EXISTS, a row that
# a transaction is finishing would be waited for.
_INSERT = text(
    "INSERT INTO skerry_idempotency (scope, key, operation, fingerprint, token, until, seen)"
    " SELECT :scope, :key, :operation, :fingerprint, :token, :until, :now"
    " WHERE NOT EXISTS (SELECT 1 FROM skerry_idempotency" + _ROW + ") ON CONFLICT DO NOTHING"
)
_SELECT = (
    "SELECT fingerprint, token, until, seen, status, headers, body FROM skerry_idempotency" + _ROW
)
_READ = text(_SELECT)
_LOCK = {"sqlite": _READ, "postgresql": text(_SELECT + " FOR UPDATE SKIP LOCKED")}
_HOLD = {"sqlite": _READ, "postgresql": text(_SELECT + " FOR UPDATE")}
_TAKE = text(
    "UPDATE skerry_idempotency SET operation = :operation, fingerprint = :fingerprint,"
    " token = :token, until = :until, seen = :seen, status = NULL, headers = NULL, body = NULL"
    + _ROW
)
_EXTEND = text("UPDATE skerry_idempotency SET until = :until" + _MINE)
_KEEP = text(
    "UPDATE skerry_idempotency SET status = :status, headers = :headers, body = :body" + _MINE
)
_RELEASE = text("UPDATE skerry_idempotency SET until = 0, token = ''" + _MINE)
_FORGET = text("DELETE FROM skerry_idempotency" + _MINE)
_CLEAN = text(
    "DELETE FROM skerry_idempotency WHERE (scope, key) IN ("
    "SELECT scope, key FROM skerry_idempotency WHERE seen < :before AND until < :now"
    " ORDER BY seen LIMIT :limit)"
)

_pairs = msgspec.json.Decoder(list[tuple[str, str]])


class Answers:
    """The answers that one app has given, in its database.

    All but ``write`` are short transactions of their own, tried again where the database asks
    for it. Claims do not wait for PostgreSQL's disk; answers do.

    Args:
        clock: whose time to go by instead of the database's; for tests.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock
        self._dialect = database.engine.dialect.name

    async def claim(self, asked: Asked, token: str, lease: float, kept: float) -> Found:
        """Take a request, unless it is somebody's or answered.

        Asked again with the same token, because the answer was lost, the answer is the same.

        Args:
            token: nobody else's: new for every request that comes in.
            lease: seconds without a word after which the holder is taken for dead.
            kept: seconds for which an answer is given again.

        Raises:
            Unavailable: the database cannot be asked; nothing was taken.
        """
        try:
            # SQLite's one writer may be at this very request: that is not to be waited for.
            if self._dialect == "sqlite":
                found = await self._database.read(self._look, asked, token, kept)
                if not isinstance(found, Claimed):
                    return found
            return await write(self._database, self._claim, asked, token, lease, kept)
        except Exception as error:
            if unreachable(error):
                raise Unavailable(str(error)) from error
            raise

    async def extend(self, asked: Asked, token: str, lease: float) -> None:
        """The holder of ``token`` is alive for another ``lease`` seconds.

        Raises:
            Fenced: it comes too late. What the holder itself has stored is not too late.
        """
        await write(self._database, self._extend, asked, token, lease)

    async def write(
        self, asked: Asked, token: str, work: Callable[[Session], Response]
    ) -> Response:
        """``work(session)`` in the transaction that keeps the answer it returns.

        Raises:
            Fenced: the request is somebody else's; nothing was written.
        """

        def both(session: Session) -> Response:
            hold(session, asked, token)
            response = work(session)
            keep(session, asked, token, response)
            hit("keys.before_commit")
            return response

        return await write(self._database, both)

    async def keep(self, asked: Asked, token: str, response: Response) -> None:
        """Store the answer to what was done elsewhere.

        Raises:
            Fenced: the request is somebody else's.
        """
        await write(self._database, keep, asked, token, response)

    async def release(self, asked: Asked, token: str, *, forget: bool = False) -> None:
        """There is no answer; whoever comes next may try. No error if it is somebody else's.

        Args:
            forget: that there was such a request: nothing has been done for it.
        """
        await write(self._database, self._release, asked, token, forget)

    async def clean(self, kept: float) -> int:
        """Forget some of the requests that first came more than ``kept`` seconds ago.

        Returns:
            how many; to be called again until that is 0.
        """
        return await write(self._database, self._clean, kept)

    def _look(self, session: Session, asked: Asked, token: str, kept: float) -> Found:
        row = session.execute(_READ, _name(asked)).first()
        if row is None:
            return Claimed()
        return _found(row, asked, token, hasten(session, self._clock), kept)

    def _claim(
        self, session: Session, asked: Asked, token: str, lease: float, kept: float
    ) -> Found:
        now = hasten(session, self._clock)
        name = _name(asked)
        values = {
            **name,
            "operation": asked.operation,
            "fingerprint": asked.fingerprint,
            "token": token,
            "until": now + lease,
        }
        if session.execute(_INSERT, {**values, "now": now}).rowcount:  # type: ignore[attr-defined]
            return Claimed()
        # A row that is locked is not waited for: a transaction that finishes it may take long.
        locked = session.execute(_LOCK[self._dialect], name).first()
        row = locked or session.execute(_READ, name).first()
        if row is None:  # deleted, or committed after our snapshot was taken
            raise Again
        found = _found(row, asked, token, now, kept)
        if isinstance(found, Claimed):
            if locked is None:
                return InFlight(_LOCKED)
            first = now if row.seen <= now - kept else row.seen
            if first == now:
                hit("keys.expired")
            session.execute(_TAKE, {**values, "seen": first})
        return found

    def _extend(self, session: Session, asked: Asked, token: str, lease: float) -> None:
        now = hasten(session, self._clock)
        # Whoever has it locked is about to finish it, or to take it: the next beat will know.
        row = session.execute(_LOCK[self._dialect], _name(asked)).first()
        if row is None and session.execute(_READ, _name(asked)).first() is not None:
            return
        if row is None or row.token != token:
            raise Fenced(f"{asked.operation}: its key {asked.key} is no longer ours")
        session.execute(_EXTEND, {**_name(asked), "token": token, "until": now + lease})

    def _release(self, session: Session, asked: Asked, token: str, forget: bool) -> None:
        hasten(session, self._clock)
        session.execute(_FORGET if forget else _RELEASE, {**_name(asked), "token": token})

    def _clean(self, session: Session, kept: float) -> int:
        now = hasten(session, self._clock)
        values = {"before": now - kept, "now": now, "limit": _CLEANED_AT_ONCE}
        return int(session.execute(_CLEAN, values).rowcount)  # type: ignore[attr-defined]


def hold(session: Session, asked: Asked, token: str) -> None:
    """Let nobody else have the request until this transaction is over.

    Raises:
        Fenced: somebody has it; the transaction must be rolled back.
    """
    dialect = session.connection().dialect.name
    row = session.execute(_HOLD[dialect], _name(asked)).first()
    if row is None or row.token != token or row.status is not None:
        raise Fenced(f"{asked.operation}: its key {asked.key} is no longer ours")


def keep(session: Session, asked: Asked, token: str, response: Response) -> None:
    """This is the answer, if this transaction commits.

    Raises:
        Fenced: the request is no longer ``token``'s; the transaction must be rolled back.
    """
    pairs = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw
    ]
    values = {
        **_name(asked),
        "token": token,
        "status": response.status,
        "headers": msgspec.json.encode(pairs).decode(),
        "body": response.body,
    }
    if not session.execute(_KEEP, values).rowcount:  # type: ignore[attr-defined]
        raise Fenced(f"{asked.operation}: its key {asked.key} is no longer ours")


def _name(asked: Asked) -> dict[str, Any]:
    return {"scope": asked.scope, "key": asked.key}


def _found(row: Any, asked: Asked, token: str, now: float, kept: float) -> Found:
    """What a row says to whoever asks; ``Claimed`` where it is to be had."""
    done = row.status is not None
    working = not done and row.until > now and row.token != token
    if row.seen <= now - kept and not working:
        return Claimed()
    if row.fingerprint != asked.fingerprint:
        return Reused()
    if done:
        return Stored(Response(row.status, Headers.of(_pairs.decode(row.headers)), bytes(row.body)))
    return InFlight(row.until - now) if working else Claimed()
