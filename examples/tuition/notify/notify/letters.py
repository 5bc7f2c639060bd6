"""What payers and schools are written, as pure functions of what has happened.

Each mail has a Message-ID that follows from its event's id: who is delivered an event twice sends
the same mail again, and a mail program shows it once.
"""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage

from notify.clients.payments import FundsReturned, PaymentConverted, PaymentSettled

Event = PaymentConverted | PaymentSettled | FundsReturned

SENDER = Address("Skerry Tuition", "tuition", "skerry.example")


def letters(event: Event, event_id: str) -> list[EmailMessage]:
    """The mails about an event: who is written, and what."""
    who = event.parties
    amount = f"{event.currency} {event.amount:f}"
    match event:
        case PaymentConverted():
            told = f"{event.pay_in} {event.converted + event.fee:f}"
            return [
                _to_payer(
                    event,
                    event_id,
                    "Your money is here",
                    f"Your {told} have come. {who.school_name} will get {amount} for "
                    f"{who.student}, as promised.",
                )
            ]
        case PaymentSettled():
            return [
                _to_payer(
                    event,
                    event_id,
                    "The school has been paid",
                    f"{who.school_name} has been paid {amount} for {who.student}.",
                ),
                _letter(
                    school_address(who.school_id),
                    f"<{event_id}.school@{SENDER.domain}>",
                    f"{amount} for {who.student}",
                    f"{amount} for {who.student} are on their way to your account. They were paid "
                    f"by {who.payer_name}; your statement says {who.reference}.",
                ),
            ]
        case FundsReturned():
            return [
                _to_payer(
                    event,
                    event_id,
                    "Money is on its way back to you",
                    f"{amount} were not owed to {who.school_name}, and go back to your account.",
                )
            ]


def school_address(school_id: str) -> Address:
    """Made up, in a domain where nobody ever gets mail (RFC 2606)."""
    return Address("", f"tuition-{school_id}"[:64], "schools.example")


def _to_payer(event: Event, event_id: str, subject: str, text: str) -> EmailMessage:
    who = event.parties
    return _letter(
        Address(who.payer_name, addr_spec=who.payer_email),
        f"<{event_id}.payer@{SENDER.domain}>",
        f"{subject} ({who.reference})",
        f"Dear {who.payer_name},\n\n{text}",
    )


def _letter(to: Address, id: str, subject: str, text: str) -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = SENDER
    letter["To"] = to
    letter["Subject"] = subject
    letter["Message-ID"] = id
    letter.set_content(f"{text}\n\n{SENDER.display_name}\n")
    return letter
