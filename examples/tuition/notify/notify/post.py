"""Hands mails over to a mail server."""

from __future__ import annotations

import os
import smtplib
from collections.abc import Iterable
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from skerry import ConfigError, ConnectError

ADDRESS = "smtp://127.0.0.1:11025"
TIMEOUT_SECONDS = 20


class Post:
    """A mail server.

    Args:
        url: ``smtp://user:password@host:port``, ``smtps://`` for TLS; by default ``SMTP_URL``, or
            mailbox's on this machine.
    """

    def __init__(self, url: str = "") -> None:
        url = url or os.environ.get("SMTP_URL", ADDRESS)
        self._url = urlsplit(url)
        if self._url.scheme not in ("smtp", "smtps") or not self._url.hostname:
            raise ConfigError("SMTP_URL should look like smtp://127.0.0.1:11025 or smtps://host")

    def send(self, letters: Iterable[EmailMessage]) -> None:
        """Hand letters over, in one connection.

        Raises:
            ConnectError: nobody is there; no attempt was made.
            smtplib.SMTPException, OSError: it was begun and failed; what was handed over before
                will be sent again.
        """
        kind = smtplib.SMTP_SSL if self._url.scheme == "smtps" else smtplib.SMTP
        try:
            server = kind(self._url.hostname or "", self._url.port or 0, timeout=TIMEOUT_SECONDS)
        except OSError as error:
            raise ConnectError(f"the mail server does not answer: {error}", app="smtp") from error
        with server:
            if self._url.username:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
            for letter in letters:
                server.send_message(letter)
