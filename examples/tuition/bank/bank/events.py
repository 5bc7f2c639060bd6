"""What bank tells the rest of the company: money has come, money has gone."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct

from skerry import event


@event("bank.transfer-received", key="transfer_id")
class TransferReceived(Struct, frozen=True):
    """A bank says that money has come.

    Attributes:
        reference: the payment reference found in what the sender wrote; absent if none is certain.
    """

    transfer_id: str
    currency: str
    amount: Decimal
    booked: date
    sender: str
    reference: str | None = None


@event("bank.transfer-sent", key="transfer_id")
class TransferSent(Struct, frozen=True):
    """A bank says that money has gone.

    Attributes:
        end_to_end: what whoever ordered the transfer called it.
    """

    transfer_id: str
    currency: str
    amount: Decimal
    booked: date
    end_to_end: str
