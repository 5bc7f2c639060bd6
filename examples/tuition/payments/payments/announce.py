"""Telling the rest of the company what has happened to a payment.

Events are written down in the transaction that made them true (``store``) and told here, at
once where possible, and again by the sweeper until it has succeeded; the ledger books each
event once however often it hears it. Today telling is a call to the ledger. When there is a bus,
``announce`` publishes instead; nothing else changes.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import msgspec

from payments import store
from payments.clients import ledger as ledger_api
from payments.clients.ledger import Ledger
from payments.events import Event
from skerry import CallError, Problem
from skerry.core.clock import Clock
from skerry.data.database import Database

log = logging.getLogger("payments")


async def announce(ledger: Ledger, event_id: str, event: Event) -> None:
    """Tell one event.

    Raises:
        CallError: nobody can be told now.
    """
    told = msgspec.convert(msgspec.to_builtins(event), ledger_api.RecordEventBody)
    await ledger.record_event(event_id, told)


async def what_is_pending(
    database: Database, ledger: Ledger, clock: Clock, payment_id: str | None = None
) -> int:
    """Tell what has not been told yet, of one payment or of all; how many events.

    Stops when nobody answers. An event that is refused is left for a person to look at, and
    does not hold up the others.
    """
    told = 0
    for pending in await database.read(store.pending, payment_id):
        try:
            await announce(ledger, pending.event_id, pending.event)
        except CallError as error:
            log.warning("%s waits to be told: %s", type(pending.event).__name__, error)
            break
        except Problem as refused:
            log.warning("%s %s is refused: %s", pending.event_id, pending.event, refused)
            continue
        now = datetime.fromtimestamp(clock.wall(), UTC)
        await database.write(store.mark_announced, pending.number, now)
        told += 1
    return told
