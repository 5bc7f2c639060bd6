"""Breaks one promise in a process of the fleet: a matrix that does not notice proves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from skerry.core.errors import Unconfirmed


def sabotage(what: str) -> None:
    """From now on, in this process, there is none of ``what``."""
    _KINDS[what]()


def _inbox() -> None:
    """No row says that an event is being handled, or was."""
    from skerry.data.inbox import Begun, Inbox
    from skerry.filters import inbox

    async def begin(*_: Any, **__: Any) -> Begun:
        return Begun(1)

    async def extend(*_: Any) -> None: ...

    setattr(Inbox, "begin", begin)  # noqa: B010
    setattr(Inbox, "extend", extend)  # noqa: B010
    setattr(inbox, "finish", lambda *_: None)  # noqa: B010


def _fence() -> None:
    """An event's row is finished by whoever comes, its holder or not."""
    from skerry.filters import inbox

    def finish(session: Session, subscription: str, id: str, token: str) -> None:
        session.execute(
            text(
                "UPDATE skerry_inbox SET state = 'done'"
                " WHERE subscription = :subscription AND id = :id"
            ),
            {"subscription": subscription, "id": id},
        )

    setattr(inbox, "finish", finish)  # noqa: B010


def _confirm() -> None:
    """What was sent counts as accepted, whatever became of it."""
    from skerry.bus.embedded import Embedded
    from skerry.bus.rabbitmq_publisher import Publisher

    async def hurried(send: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        sending = asyncio.create_task(send(*args, **kwargs))
        try:
            await asyncio.wait_for(asyncio.shield(sending), 0.01)
        except (TimeoutError, Unconfirmed):
            pass

    def replace(kind: type[Any], name: str) -> None:
        send = getattr(kind, name)

        async def replaced(self: Any, *args: Any, **kwargs: Any) -> None:
            await hurried(send, self, *args, **kwargs)

        setattr(kind, name, replaced)

    replace(Embedded, "publish")
    replace(Publisher, "send")


_KINDS = {"inbox": _inbox, "fence": _fence, "confirm": _confirm}
