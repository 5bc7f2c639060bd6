"""Events that transactions have left to be published, and who is publishing them.

Transactions commit in another order than they began, so a row that was not there a moment ago
may come to lie before rows that have long been published: there is no such thing as the last
one read. Each row says of itself whether it has been sent.

Any instance may relay. It *claims* rows for a while; if it dies, the claim ends and the rows are
somebody else's, who may then publish what the dead one already has: at least once. Two never
claim the same row, nor two rows of one key: a row can be claimed only together with all unsent
ones of its key before it, and while nobody else is at that key. So in what brokers are given, the
*first* publication of each row of a key comes in the order of their rows. That order is the one
in which transactions published; where two that were open at the same time published with the
same key, either may come first, unless both had locked what the key stands for (an ``UPDATE`` of
its row is enough).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import BindParameter, bindparam, text
from sqlalchemy.orm import Session

from skerry.core.clock import Clock

from . import enlist
from .database import Database
from .records import COLUMNS, Record, record
from .transient import chunks, hasten, write

# How many unsent rows a claim looks at. Behind a long queue of one key it then does not look
# for other keys any further than this.
_WINDOW = 2_000
_CLEANED_AT_ONCE = 1_000

# What is ahead is seen in a snapshot, which may be a moment older than the locks. It errs on one
# side only: a row that is unsent there may have been sent since, and is waited for in vain. Rows
# that were sent stay so, and a row's predecessors were committed before it was written.
_CLAIMABLE = """
    WITH ahead AS (
        SELECT seq, key, claimed_until, lag(seq) OVER (PARTITION BY key ORDER BY seq) AS before
        FROM (
            SELECT seq, key, claimed_until FROM skerry_outbox
            WHERE sent IS NULL ORDER BY seq LIMIT :window
        ) AS first
    )
    SELECT o.seq, ahead.before, {columns}
    FROM ahead JOIN skerry_outbox AS o ON o.seq = ahead.seq
    WHERE o.sent IS NULL AND o.claimed_until <= :now AND ahead.key NOT IN (
        SELECT key FROM ahead WHERE claimed_until > :now AND key <> ''
    )
    ORDER BY o.seq LIMIT :limit {lock}
"""
_COLUMNS = ", ".join(f"o.{name}" for name in COLUMNS)
_LOCKS = {"postgresql": "FOR UPDATE OF o SKIP LOCKED", "sqlite": ""}
_SELECTS = {
    dialect: text(_CLAIMABLE.format(columns=_COLUMNS, lock=lock))
    for dialect, lock in _LOCKS.items()
}
_SEQS: BindParameter[Any] = bindparam("seqs", expanding=True)
_ANY = text("SELECT 1 FROM skerry_outbox WHERE sent IS NULL AND claimed_until <= :now LIMIT 1")
_CLAIM = text(
    "UPDATE skerry_outbox SET claimed_by = :who, claimed_until = :until WHERE seq IN :seqs"
).bindparams(_SEQS)
_SENT = text("UPDATE skerry_outbox SET sent = :now WHERE seq IN :seqs AND sent IS NULL").bindparams(
    _SEQS
)
_RELEASE = text(
    "UPDATE skerry_outbox SET claimed_by = '', claimed_until = 0"
    " WHERE seq IN :seqs AND sent IS NULL AND claimed_by = :who"
).bindparams(_SEQS)
_WAITING = text("SELECT count(*), min(time) FROM skerry_outbox WHERE sent IS NULL")
# Rows are nearly in the order of time: if the first are too young to go, so are the others.
_CLEAN = text(
    "DELETE FROM skerry_outbox WHERE sent < :before AND seq IN"
    " (SELECT seq FROM skerry_outbox ORDER BY seq LIMIT :limit)"
)


class Claim(Struct, frozen=True):
    """A row that is ours to publish.

    Attributes:
        seq: which row.
    """

    seq: int
    record: Record


class Waiting(Struct, frozen=True):
    """What has not been published yet.

    Attributes:
        count: how many.
        oldest: when the oldest was composed, in Unix seconds; None if there is none.
    """

    count: int
    oldest: float | None


class Outbox:
    """The outbox of one app's database.

    Args:
        clock: whose time to go by instead of the database's; for tests.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock
        self._dialect = database.engine.dialect.name

    def on_commit(self, callback: Callable[[], object]) -> Callable[[], None]:
        """See ``enlist.listen``."""
        return enlist.listen(self._database.engine.url, callback)

    async def claim(self, limit: int, who: str, lease: float) -> list[Claim]:
        """Up to ``limit`` rows for ``who`` alone, in the order in which to publish them.

        Args:
            who: a name that no other relay has.
            lease: seconds after which they are anybody's again.
        """
        # SQLite's one writer is not to be kept waiting to find that nothing is there.
        if self._dialect == "sqlite" and not await self._database.read(self._any):
            return []
        return await write(self._database, self._claim, limit, who, lease)

    async def sent(self, seqs: Iterable[int]) -> None:
        """A broker has accepted these. That is so whoever has them claimed by now."""
        await write(self._database, self._mark, list(seqs))

    async def release(self, seqs: Iterable[int], who: str) -> None:
        """Give back what ``who`` has claimed and not sent."""
        await write(self._database, self._release, list(seqs), who)

    async def waiting(self) -> Waiting:
        """How much has not been sent, and since when."""
        return await self._database.read(_waiting)

    async def clean(self, older_than: float) -> int:
        """Delete some of the rows that were sent more than ``older_than`` seconds ago.

        Returns:
            how many; to be called again until that is 0.
        """
        return await write(self._database, self._clean, older_than)

    def _any(self, session: Session) -> bool:
        return session.execute(_ANY, {"now": hasten(session, self._clock)}).first() is not None

    def _claim(self, session: Session, limit: int, who: str, lease: float) -> list[Claim]:
        now = hasten(session, self._clock)
        bounds = {"now": now, "limit": limit, "window": max(limit, _WINDOW)}
        rows = session.execute(_SELECTS[self._dialect], bounds).all()
        claims: dict[int, Claim] = {}
        for seq, before, *columns in rows:
            found = record(columns)
            if not found.key or before is None or before in claims:
                claims[seq] = Claim(seq, found)
        if claims:
            changes = {"who": who, "until": now + lease, "seqs": list(claims)}
            session.execute(_CLAIM, changes)
        return list(claims.values())

    def _mark(self, session: Session, seqs: Sequence[int]) -> None:
        now = hasten(session, self._clock)
        for chunk in chunks(seqs):
            session.execute(_SENT, {"now": now, "seqs": chunk})

    def _release(self, session: Session, seqs: Sequence[int], who: str) -> None:
        hasten(session, self._clock)
        for chunk in chunks(seqs):
            session.execute(_RELEASE, {"seqs": chunk, "who": who})

    def _clean(self, session: Session, older_than: float) -> int:
        before = hasten(session, self._clock) - older_than
        done = session.execute(_CLEAN, {"before": before, "limit": _CLEANED_AT_ONCE})
        return int(done.rowcount)  # type: ignore[attr-defined]


def _waiting(session: Session) -> Waiting:
    count, oldest = session.execute(_WAITING).one()
    return Waiting(count, oldest)
