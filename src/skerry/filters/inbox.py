"""Makes a handler's committed effects count once, however often its event is delivered.

The attempt is counted in the app's own database before the handler begins, and that the event
is done is committed together with what it did; see ``skerry.data.inbox``.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from skerry.bus.attempt import Attempt, GivenUp, Paused
from skerry.bus.driver import LeaseLost
from skerry.core.errors import ConnectError
from skerry.core.failpoint import hit
from skerry.core.service import Service
from skerry.data.database import Database
from skerry.data.inbox import Busy, Dead, Done, Fenced, Inbox, finish
from skerry.data.transient import unreachable, write

_MOMENT = 1.0


class EffectivelyOnce:
    """A filter for one subscription of an app with a database.

    Raises:
        Paused: another instance is at this event.
        GivenUp: it lay with the dead letters already.
        LeaseLost: another has begun it in the meantime; nothing was committed.
        ConnectError: the database is away; nothing was tried.
    """

    def __init__(self, database: Database, subscription: str, lease: float) -> None:
        self._database = database
        self._inbox = Inbox(database)
        self._subscription = subscription
        self._lease = lease

    async def __call__(self, attempt: Attempt, service: Service[Attempt, None], /) -> None:
        entry = Entry(self._database, self._inbox, self._subscription, attempt.id, self._lease)
        hit("consumer.before_claim")
        # Only what has come back from the dead letters is new to the broker, and dead to us.
        fresh = attempt.delivery.attempt == 1
        try:
            found = await self._inbox.begin(
                self._subscription,
                attempt.id,
                entry.token,
                self._lease,
                revive=fresh,
            )
        except Exception as error:
            if not unreachable(error):
                raise
            raise ConnectError(f"the inbox cannot be reached: {error}") from error
        match found:
            case Done():
                return
            case Busy(seconds):
                # New to the broker, it may have come back from the dead letters before who buried
                # it could say so here: that takes moments, and no lease.
                raise Paused(min(seconds, _MOMENT) if fresh else seconds)
            case Dead(attempts):
                raise GivenUp(f"it was given up after {attempts} attempts")
        hit("consumer.after_claim")
        attempt.number = found.attempt
        attempt.holds(entry)
        await service(attempt)
        if not attempt.written:
            await attempt.write(_nothing)

    def __repr__(self) -> str:
        return f"EffectivelyOnce({self._database.engine.dialect.name})"


class Entry:
    """An attempt's row in the inbox; see ``bus.attempt.Held``."""

    def __init__(
        self, database: Database, inbox: Inbox, subscription: str, id: str, lease: float
    ) -> None:
        self.token = secrets.token_hex(8)
        self._database = database
        self._inbox = inbox
        self._name = subscription, id
        self._lease = lease

    async def write(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        def both(session: Any) -> Any:
            finish(session, *self._name, self.token)
            hit("consumer.before_effects")
            result = work(session, *args, **kwargs)
            hit("consumer.before_commit")
            return result

        try:
            result = await write(self._database, both)
        except Fenced as error:
            hit("consumer.lease_lost")
            raise LeaseLost(str(error)) from error
        hit("consumer.after_commit")
        return result

    async def extend(self) -> None:
        try:
            await self._inbox.extend(*self._name, self.token, self._lease)
        except Fenced as error:
            raise LeaseLost(str(error)) from error

    async def release(self, *, counts: bool) -> None:
        await self._inbox.release(*self._name, self.token, counts=counts)

    async def give_up(self) -> None:
        await self._inbox.give_up(*self._name, self.token)


def _nothing(session: Any) -> None:
    """What a handler does in its transaction that has none of its own."""
