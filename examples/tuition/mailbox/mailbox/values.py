"""What mailbox answers with."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Mail(Struct, frozen=True):
    """One mail as it was handed over; one that was handed over twice is there twice.

    Attributes:
        message_id: what tells a mail from its copy.
    """

    message_id: str
    sender: str
    recipient: str
    subject: str
    text: str
    received: datetime


class MailPage(Struct, frozen=True):
    """Some mails, oldest first.

    Attributes:
        next: give it as ``after`` for newer ones; absent at the end.
    """

    mails: list[Mail]
    next: int | None = None


class Summary(Struct, frozen=True):
    """How many mails have come.

    Attributes:
        received: copies among them.
        unique: as a reader's mail program shows them, one for each Message-ID.
    """

    received: int
    unique: int
