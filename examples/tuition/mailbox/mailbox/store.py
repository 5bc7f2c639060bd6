"""Mails in the database: each function is one transaction's work."""

from __future__ import annotations

from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from mailbox import models
from mailbox.smtp import Envelope
from mailbox.values import Mail, Summary

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def keep(session: Session, mail: Envelope, now: datetime) -> None:
    """Keep a mail, once for each of its recipients."""
    message = message_from_bytes(mail.content, _class=EmailMessage, policy=default)
    body = message.get_body(("plain",))
    session.add_all(
        models.Mail(
            message_id=_plain(message["message-id"])[:250],
            sender=_plain(mail.sender)[:320],
            recipient=_plain(recipient)[:320],
            subject=_plain(message["subject"])[:500],
            text=_plain(body.get_content() if body is not None else ""),
            received=now,
        )
        for recipient in mail.recipients
    )


def page(
    session: Session, *, recipient: str, after: int, limit: int
) -> tuple[list[Mail], int | None]:
    """Mails, oldest first, and the number to go on from."""
    query = select(models.Mail).where(models.Mail.number > after)
    if recipient:
        query = query.where(models.Mail.recipient == recipient)
    found = session.scalars(query.order_by(models.Mail.number).limit(limit + 1)).all()
    more = found[limit - 1].number if len(found) > limit else None
    return [
        Mail(row.message_id, row.sender, row.recipient, row.subject, row.text, row.received)
        for row in found[:limit]
    ], more


def summary(session: Session) -> Summary:
    """How many mails have come, and how many of them are different."""
    ids = models.Mail.message_id
    received, unique = session.execute(select(func.count(), func.count(func.distinct(ids)))).one()
    return Summary(received, unique)


def _plain(text: object) -> str:
    """What any database takes for text."""
    return str(text or "").replace("\x00", "")
