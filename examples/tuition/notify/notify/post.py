"""Hands mails over to a mail server."""

from __future__ import annotations

import os
import smtplib
from collections.abc import Iterable
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from skerry import ConfigError, ConnectError
from skerry.data.database import data_folder

TIMEOUT_SECONDS = 20


class Post:
    """A mail server.

    Args:
        url: ``smtp://user:password@host:port``, ``smtps://`` for TLS; by default ``SMTP_URL``, or
            what the demonstration's mailbox has written down.
    """

    def __init__(self, url: str = "") -> None:
        self._given = url or os.environ.get("SMTP_URL", "")
        self._written: Path = data_folder() / "mailbox.url"
        if self._given:
            url_of(self._given)

    def send(self, letters: Iterable[EmailMessage]) -> None:
        """Hand letters over, in one connection.

        Raises:
            ConnectError: nobody is there; no attempt was made.
            smtplib.SMTPException, OSError: it was begun and failed; what was handed over before
                will be sent again.
        """
        try:
            url = url_of(self._given or self._written.read_text("utf-8"))
            kind = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
            server = kind(url.hostname or "", url.port or 0, timeout=TIMEOUT_SECONDS)
        except OSError as error:
            raise ConnectError(f"the mail server does not answer: {error}", app="smtp") from error
        with server:
            if url.username:
                server.login(unquote(url.username), unquote(url.password or ""))
            for letter in letters:
                server.send_message(letter)


def url_of(text: str) -> SplitResult:
    """A mail server's address. Raises: ConfigError."""
    url = urlsplit(text)
    if url.scheme not in ("smtp", "smtps") or not url.hostname:
        raise ConfigError("SMTP_URL should look like smtp://127.0.0.1:25 or smtps://host")
    return url
