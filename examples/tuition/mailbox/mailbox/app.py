"""Catches e-mail in demonstrations and tests: what is sent here goes no further."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from mailbox import smtp, store
from mailbox.values import MailPage, Summary
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from skerry import App, ConfigError
from skerry.core.clock import Clock, system
from skerry.data.database import Database, data_folder

app = App(
    "mailbox",
    version="1.0.0",
    description="Catches e-mail in demonstrations, so that none leaves the machine.",
)

ADDRESS_FILE = "mailbox.url"
"""Among the fleet's data: where mail is taken, for those who have no ``SMTP_URL``."""


class Catcher:
    """The SMTP server.

    Attributes:
        url: where it listens.
    """

    def __init__(self, url: str) -> None:
        self.url = url


@app.resource
async def database() -> AsyncIterator[Database]:
    async with Database.opened(
        "mailbox", migrations=Path(__file__).with_name("migrations")
    ) as database:
        yield database


@database.health
async def answers(database: Database) -> None:
    await database.ping()


@app.resource
def clock() -> Clock:
    return system


@app.resource
async def catcher(database: Database, clock: Clock) -> AsyncIterator[Catcher]:
    url = urlsplit(os.environ.get("SMTP_URL", "smtp://127.0.0.1:0"))

    async def accept(mail: smtp.Envelope) -> None:
        now = datetime.fromtimestamp(clock.wall(), UTC)
        await database.write(store.keep, mail, now)

    try:
        server = await smtp.serve(accept, url.hostname or "127.0.0.1", url.port or 0)
    except OSError as error:
        raise ConfigError(f"SMTP_URL: {url.geturl()} cannot be listened at: {error}") from None
    host, port = server.sockets[0].getsockname()[:2]
    caught = Catcher(f"smtp://{host}:{port}")
    _tell(caught.url)
    async with server:
        yield caught


def _tell(url: str) -> None:
    """Write down where mail is taken: a port of its own, so that fleets can run side by side."""
    file = data_folder() / ADDRESS_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text(url, "utf-8")
    part.replace(file)


@app.get("/mails")
async def list_mails(
    database: Database,
    recipient: Annotated[str, Meta(max_length=320, pattern=r"^[^\x00]*$")] = "",
    after: Annotated[int, Meta(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Meta(ge=1, le=200)] = 50,
) -> MailPage:
    """Mails, oldest first; those to one address with ``recipient``."""
    found, more = await database.read(store.page, recipient=recipient, after=after, limit=limit)
    return MailPage(found, more)


@app.get("/summary")
async def get_summary(database: Database) -> Summary:
    """How many mails have come, and how many of them are different."""
    return await database.read(store.summary)
