"""Telling the rest of the company that money has come, and asking whose it is.

Today both are calls. When there is a bus, ``announce_transfer_received`` publishes instead.
"""

from __future__ import annotations

from bank.clients.ledger import Ledger, TransferReceived
from bank.values import Transfer


async def announce_transfer_received(ledger: Ledger, transfer: Transfer) -> None:
    """Tell that money has come; its event has the transfer's own id.

    Raises:
        CallError: nobody can be told now.
    """
    event = TransferReceived(
        transfer_id=transfer.id, currency=transfer.currency, amount=transfer.amount
    )
    await ledger.record_event(transfer.id, event)
