"""Publishing inside a transaction: the event leaves if it commits, and never was if it does not."""

from __future__ import annotations

from typing import Any

from skerry.core.clock import system
from skerry.core.errors import ConfigError

from .event import event_type
from .message import compose


def publish_with(where: Any, *events: Any, delay: float = 0.0) -> None:
    """Publish ``events``, in this order, when the open transaction of ``where`` has committed.

    They are kept in the table ``skerry_outbox`` of the same database until the broker has them,
    so neither a crash nor a broker that is away comes between what was written and what was
    published. Any instance of an app with this database publishes them.

    Args:
        where: a SQLAlchemy ``Session`` or ``Connection``, Django's ``connection``, or a DB-API
            connection with an open transaction.
        delay: seconds that pass before they are delivered.

    Raises:
        ConfigError: ``where`` is nothing of that kind, or commits statements one by one.
    """
    try:
        from skerry.data.enlist import enlist

        from .relay import record_of
    except ImportError:
        raise ConfigError(
            "publishing inside a transaction needs SQLAlchemy: pip install 'skerry[data]'"
        ) from None
    due = system.wall() + delay if delay > 0 else None
    messages = [compose(event_type(type(each)), each, source="") for each in events]
    enlist(where, [record_of(message, due) for message in messages])
