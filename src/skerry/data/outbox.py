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

import json
from collections.abc import Callable, Iterable

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.orm import Session

from skerry.core.clock import Clock
from skerry.core.failpoint import hit

from . import enlist
from .database import Database
from .records import COLUMNS, Record, record
from .transient import hasten, write

# How many unsent rows a claim looks at. Behind a long queue of one key it then does not look
# for other keys any further than this.
_WINDOW = 2_000
_SPARE = 4  # times as many as wanted, because others may have locked the first
_CLEANED_AT_ONCE = 1_000

# First what could be claimed, then locks on as much of it as others have not locked. What is
# ahead is thus seen a moment before the locks are had. It errs on one side only: a row that was
# unsent then may have been sent since, and is waited for in vain. Rows that were sent stay so, and
# a row's predecessors were committed before it was written.
_LOOK = text("""
    WITH ahead AS (
        SELECT seq, key, claimed_until, lag(seq) OVER (PARTITION BY key ORDER BY seq) AS before
        FROM (
            SELECT seq, key, claimed_until FROM skerry_outbox
            WHERE sent IS NULL ORDER BY seq LIMIT :window
        ) AS first
    )
    SELECT seq, CASE WHEN key <> '' THEN before END
    FROM ahead
    WHERE claimed_until <= :now AND key NOT IN (
        SELECT key FROM ahead WHERE claimed_until > :now AND key <> ''
    )
    ORDER BY seq LIMIT :limit
""")
_ANY = text("SELECT 1 FROM skerry_outbox WHERE sent IS NULL AND claimed_until <= :now LIMIT 1")
_WAITING = text("SELECT count(*), min(time) FROM skerry_outbox WHERE sent IS NULL")
# Rows are nearly in the order of time: if the first are too young to go, so are the others.
_CLEAN = text(
    "DELETE FROM skerry_outbox WHERE sent < :before AND seq IN"
    " (SELECT seq FROM skerry_outbox ORDER BY seq LIMIT :limit)"
)


class _Statements:
    """About many rows, given as one parameter: a list of a thousand takes longer to spell out."""

    def __init__(self, these: str, lock: str = "") -> None:
        self.lock = text(
            f"SELECT seq, {', '.join(COLUMNS)} FROM skerry_outbox WHERE {these}"
            f" AND sent IS NULL AND claimed_until <= :now ORDER BY seq LIMIT :limit {lock}"
        )
        update = f"UPDATE skerry_outbox SET {{}} WHERE {these} AND sent IS NULL".format
        self.claim = text(update("claimed_by = :who, claimed_until = :until"))
        self.sent = text(update("sent = :now"))
        self.release = text(update("claimed_by = '', claimed_until = 0") + " AND claimed_by = :who")


_STATEMENTS = {
    "sqlite": _Statements("seq IN (SELECT value FROM json_each(:seqs))"),
    "postgresql": _Statements("seq = ANY (CAST(:seqs AS bigint[]))", "FOR UPDATE SKIP LOCKED"),
}


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
        self._sqlite = database.engine.dialect.name == "sqlite"
        self._statements = _STATEMENTS[database.engine.dialect.name]

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
        if self._sqlite and not await self._database.read(self._any):
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
        ahead = {"now": now, "limit": _SPARE * limit, "window": max(limit, _WINDOW)}
        before: dict[int, int | None] = dict(session.execute(_LOOK, ahead).all())
        if not before:
            return []
        able = {"now": now, "limit": limit, "seqs": self._list(before)}
        claims: dict[int, Claim] = {}
        for seq, *columns in session.execute(self._statements.lock, able):
            if before[seq] is None or before[seq] in claims:
                claims[seq] = Claim(seq, record(columns))
        if claims:
            hit("relay.before_claim")
            changes = {"who": who, "until": now + lease, "seqs": self._list(claims)}
            session.execute(self._statements.claim, changes)
        return list(claims.values())

    def _mark(self, session: Session, seqs: Iterable[int]) -> None:
        now = hasten(session, self._clock)
        session.execute(self._statements.sent, {"now": now, "seqs": self._list(seqs)})

    def _release(self, session: Session, seqs: Iterable[int], who: str) -> None:
        hasten(session, self._clock)
        session.execute(self._statements.release, {"seqs": self._list(seqs), "who": who})

    def _list(self, seqs: Iterable[int]) -> object:
        return json.dumps(list(seqs)) if self._sqlite else list(seqs)

    def _clean(self, session: Session, older_than: float) -> int:
        before = hasten(session, self._clock) - older_than
        done = session.execute(_CLEAN, {"before": before, "limit": _CLEANED_AT_ONCE})
        return int(done.rowcount)  # type: ignore[attr-defined]


def _waiting(session: Session) -> Waiting:
    count, oldest = session.execute(_WAITING).one()
    return Waiting(count, oldest)
