"""Handling an event once, in a transaction that is Django's or a driver's own."""

from __future__ import annotations

from typing import Any

from skerry.core.clock import system
from skerry.core.errors import ConfigError

from .attempt import Attempt


def once_with(where: Any, attempt: Attempt) -> bool:
    """Whether the event is to be handled in the open transaction of ``where``, or has been.

    ::

        with transaction.atomic():
            if once_with(connection, attempt):
                Booking.objects.create(...)

    That it is handled is committed together with what is written there: once, however often it
    is delivered. It is noted in the table ``skerry_inbox`` of that database. An app with a
    ``Database`` of Skerry's among its resources needs none of this: its handlers ask for a
    ``Session``.

    Args:
        where: as ``publish_with`` takes it.

    Raises:
        ConfigError: ``where`` is nothing of that kind, or commits statements one by one; or the
            app's own ``Database`` notes what is handled.
    """
    if attempt.held is not None:
        raise ConfigError(f"{attempt.handler}: this app has a Database; ask for its Session")
    try:
        from skerry.data.once import first
    except ImportError:
        raise ConfigError(
            "handling an event in a transaction needs SQLAlchemy: pip install 'skerry[data]'"
        ) from None
    return first(where, attempt.handler, attempt.id, attempt.number, system.wall())
