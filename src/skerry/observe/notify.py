"""Telling people of alerts: a webhook in the format of Prometheus' Alertmanager, and e-mail.

Alertmanager's format, because whatever a team uses to page people (PagerDuty, Opsgenie, Slack's
bridges) takes it already. In a thread: mail servers are slow, and the collector is not to wait.
"""

from __future__ import annotations

import json
import logging
import queue
import smtplib
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from .alerts import Alert, Broken
from .watch import Channels

log = logging.getLogger("skerry.observe")

_TRIES = (0.0, 1.0, 5.0, 30.0)  # seconds before each
_WAITING = 1_000
_TIMEOUT = 10.0
_NEVER = "0001-01-01T00:00:00Z"  # how Alertmanager says that an alert has not ended


class Notifier:
    """Tells the owner of each alert, and whoever is to hear of all.

    Args:
        link: an address for people to look at an alert; empty for none.
        sleep: for tests.

    Attributes:
        sent, failed: how many messages.
    """

    def __init__(
        self, link: Callable[[Alert], str], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.sent = self.failed = 0
        self._link = link
        self._sleep = sleep
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    def tell(self, alert: Alert, channels: Channels) -> None:
        """Have it told, by and by. Never blocks."""
        link, owner = self._link(alert), alert.owner
        hooks = [url for url in (channels.webhook, owner if "://" in owner else "") if url]
        log.warning("%s", subject(alert))
        for url in dict.fromkeys(hooks):
            body = json.dumps(webhook(alert, link)).encode()
            self._put(lambda url=url, body=body: _post(url, body))  # type: ignore[misc]
        if channels.smtp and owner and "://" not in owner:
            message = mail(alert, channels.sender, owner, link)
            self._put(lambda: _send(channels.smtp, message))

    def close(self, patience: float = 2.0) -> None:
        """Tell what waits, if that does not take long."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(patience)

    def _put(self, message: Callable[[], None]) -> None:
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self.failed += 1

    def _run(self) -> None:
        while (message := self._queue.get()) is not None:
            if self._delivered(message):
                self.sent += 1
            else:
                self.failed += 1

    def _delivered(self, message: Callable[[], None]) -> bool:
        for wait in _TRIES:
            self._sleep(wait)
            try:
                message()
            except (OSError, smtplib.SMTPException, ValueError) as error:
                log.warning("an alert could not be sent: %s", error)
            else:
                return True
        return False


def subject(alert: Alert) -> str:
    """One line about it."""
    others = len({broken.app for broken in alert.victims})
    hurt = f", and {others} that need{'s' if others == 1 else ''} it" if others else ""
    if alert.state == "resolved":
        return f"resolved: {alert.name}"
    how = "breaks what it has promised" if alert.causes else "makes others break their promises"
    return f"{alert.severity}: {alert.name} {how}{hurt}"


def webhook(alert: Alert, link: str) -> dict[str, Any]:
    """The body that Alertmanager would post (version 4)."""
    labels = {
        "alertname": "ObjectiveBurning",
        "app": alert.app,
        "owner": alert.owner,
        "severity": alert.severity,
        **({"operation": alert.operation} if alert.operation else {}),
    }
    notes = {"summary": subject(alert), "description": text(alert, link)}
    one = {
        "status": alert.state,
        "labels": labels,
        "annotations": notes,
        "startsAt": _moment(alert.since),
        "endsAt": _moment(alert.until) if alert.until else _NEVER,
        "generatorURL": link,
        "fingerprint": alert.id,
    }
    return {
        "version": "4",
        "groupKey": f"skerry/{alert.name}",
        "truncatedAlerts": 0,
        "status": alert.state,
        "receiver": "skerry",
        "groupLabels": {"app": alert.app},
        "commonLabels": labels,
        "commonAnnotations": notes,
        "externalURL": link,
        "alerts": [one],
    }


def mail(alert: Alert, sender: str, to: str, link: str) -> EmailMessage:
    """The same for people. Its id is the alert's, so that what is sent twice can be told."""
    message = EmailMessage()
    message["Subject"] = subject(alert)
    message["From"] = sender
    message["To"] = to
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{alert.id}.{alert.state}.{alert.severity}@skerry>"
    if alert.state == "resolved":
        message["In-Reply-To"] = f"<{alert.id}.firing.{alert.severity}@skerry>"
    message.set_content(text(alert, link))
    return message


def text(alert: Alert, link: str) -> str:
    """All that is known, line by line."""
    lines = [subject(alert), "", f"since    {_moment(alert.since)}"]
    if alert.until:
        lines.append(f"until    {_moment(alert.until)}")
    lines += _listed("breaks", alert.causes) + _listed("hurts", alert.victims)
    if alert.incidents:
        lines.append(f"look at  skerry errors show {alert.incidents[0]}")
    if link:
        lines.append(f"         {link}")
    return "\n".join(lines) + "\n"


def _listed(name: str, promises: list[Broken]) -> list[str]:
    shown = [f"{one.app} {one.endpoint or 'as a whole'}: {one.measure}" for one in promises]
    return [f"{name if number == 0 else '':8} {line}" for number, line in enumerate(shown)]


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        answer.read(1)


def _send(server: str, message: EmailMessage) -> None:
    parts = urlsplit(server)
    host = parts.hostname or "localhost"
    if parts.scheme == "smtps":
        context = ssl.create_default_context()
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            host, parts.port or 465, timeout=_TIMEOUT, context=context
        )
    else:
        connection = smtplib.SMTP(host, parts.port or 25, timeout=_TIMEOUT)
    with connection:
        if parts.username is not None:
            if parts.scheme == "smtp":
                connection.starttls(context=ssl.create_default_context())
            connection.login(unquote(parts.username), unquote(parts.password or ""))
        connection.send_message(message)
