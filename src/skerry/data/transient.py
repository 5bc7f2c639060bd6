"""What Skerry's own short transactions share: the database's time, and another try.

They are about who holds what until when, and instances on different machines have different
clocks, so the one clock they have in common says what time it is: the database's. Two of them
that meet may both be refused by the database, for the sake of order; that is nobody's error.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError
from sqlalchemy.orm import Session

from skerry.core.clock import Clock, system

from .database import Database

P = ParamSpec("P")
T = TypeVar("T")

_TRIES = 6
_FIRST_WAIT = 0.01

# serialization_failure and deadlock_detected: PostgreSQL's manual, appendix A and 13.5.
_REFUSED_FOR_ORDER = {"40001", "40P01"}

# A queue that was empty when PostgreSQL looked may be long by now, and a plan for few rows would
# read and sort all of it: an index that is read in its order is right for both.
_HASTEN = text(
    "SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision),"
    " set_config('synchronous_commit', 'off', true), set_config('enable_bitmapscan', 'off', true)"
)


class Again(Exception):
    """Raised inside a transaction that has to be begun again to see what has happened."""


def transient(error: BaseException) -> bool:
    """Whether the same transaction, begun again from its start, may well succeed."""
    if isinstance(error, Again):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    return state in _REFUSED_FOR_ORDER or "database is locked" in str(error.orig)


def unreachable(error: BaseException) -> bool:
    """Whether this is about the database's state, and no mistake in what it was asked."""
    return isinstance(error, OperationalError | InterfaceError | TimeoutError)


async def write(
    database: Database,
    work: Callable[Concatenate[Session, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """``database.write``, tried again a few times where the error is ``transient``."""
    for tries in range(1, _TRIES):
        try:
            return await database.write(work, *args, **kwargs)
        except Exception as error:
            if not transient(error):
                raise
        await asyncio.sleep(random.random() * _FIRST_WAIT * 2**tries)
    return await database.write(work, *args, **kwargs)


def hasten(session: Session, clock: Clock | None = None) -> float:
    """Let this transaction's commit not wait for the disk; what time it is, in Unix seconds.

    Only for transactions whose loss in a crash of the *database* does no harm. Claims and
    leases are such: whoever's was lost finds somebody else's, or none, and is fenced off.

    Args:
        clock: whose time to go by instead of the database's; for tests.
    """
    now = system.wall()  # SQLite's clock is ours: all who use a file are on its machine
    if session.connection().dialect.name == "postgresql":
        now = session.execute(_HASTEN).one()[0]
    return now if clock is None else clock.wall()
