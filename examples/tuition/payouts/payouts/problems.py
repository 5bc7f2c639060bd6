"""What can be wrong with what the bank says of a payout: never mended by trying again."""

from __future__ import annotations


class NotAsOrdered(Exception):
    """The bank has booked a transfer of ours that was not ordered like this."""
