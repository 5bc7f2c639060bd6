"""From a transfer on a statement to a payment that has its money.

Each step may be repeated: the ledger and payments know the transfer by its id. A transfer is
marked last, so whatever dies on the way is begun again and ends the same.
"""

from __future__ import annotations

import asyncio
import logging

from bank import store
from bank.announce import announce_transfer_received
from bank.clients import payments as payments_api
from bank.clients.ledger import Ledger
from bank.clients.payments import Payments
from bank.models import Status
from bank.problems import ReferenceRefused
from bank.values import Sweep, Transfer
from skerry import CallError
from skerry.data.database import Database

log = logging.getLogger("bank")

AT_ONCE = 16
"""Transfers that are settled side by side: each mostly waits for other apps."""

REFUSALS = (
    payments_api.ReferenceUnknown,
    payments_api.CurrencyMismatch,
    payments_api.AmountNotPayable,
    payments_api.TransferChanged,
)


class Settler:
    """Gives transfers to the payments they are for."""

    def __init__(self, database: Database, payments: Payments, ledger: Ledger) -> None:
        self._database = database
        self._payments = payments
        self._ledger = ledger
        self._busy = asyncio.Lock()

    async def everything(self) -> Sweep:
        """Deal with every transfer that nobody has been told of.

        Stops when somebody who must be asked does not answer; the rest waits.
        """
        found = dict.fromkeys(Status, 0)
        async with self._busy:
            while True:
                todo = await self._database.read(store.waiting, limit=AT_ONCE)
                settled = await asyncio.gather(*(self._try(transfer) for transfer in todo))
                for transfer in settled:
                    found[transfer.status] += 1
                if not todo or found[Status.NEW]:
                    break
            waiting = await self._database.read(store.count_waiting)
        return Sweep(found[Status.MATCHED], found[Status.UNMATCHED], waiting)

    async def by_hand(self, transfer: Transfer, reference: str) -> Transfer:
        """Give a transfer to the payment with this reference, by a person's judgement.

        Raises:
            ReferenceRefused: that payment cannot have it.
            CallError: somebody who must be asked does not answer.
        """
        await announce_transfer_received(self._ledger, transfer)
        try:
            return await self._give(transfer, reference)
        except REFUSALS as refused:
            raise ReferenceRefused(detail=refused.detail or f"{refused.title}.") from None

    async def _try(self, transfer: Transfer) -> Transfer:
        try:
            return await self._settle(transfer)
        except CallError as error:
            log.warning("transfer %s waits: %s", transfer.id, error)
            return transfer

    async def _settle(self, transfer: Transfer) -> Transfer:
        await announce_transfer_received(self._ledger, transfer)
        if transfer.reference is None:
            reason = "no reference, or not exactly one with right check digits"
            return await self._database.write(store.unmatched, transfer.id, reason)
        try:
            return await self._give(transfer, transfer.reference)
        except REFUSALS as refused:
            return await self._database.write(store.unmatched, transfer.id, refused.title)

    async def _give(self, transfer: Transfer, reference: str) -> Transfer:
        payment = await self._payments.record_transfer(
            transfer.id,
            payments_api.Transfer(
                reference=reference,
                currency=transfer.currency,
                amount=transfer.amount,
                booked=transfer.booked,
                sender=transfer.sender,
            ),
        )
        return await self._database.write(store.matched, transfer.id, reference, payment.id)
