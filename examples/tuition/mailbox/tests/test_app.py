"""Mailbox, as a mail program of the standard library talks to it."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from mailbox.app import app
from mailbox.smtp import LARGEST, Envelope, serve
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skerry.app.testclient import TestClient
from skerry.data.database import Database


@pytest.fixture
async def client(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TestClient]:
    monkeypatch.setenv("SKERRY_CONTROL", str(tmp_path / "control.sock"))
    monkeypatch.delenv("SMTP_URL", raising=False)
    async with TestClient(app, overrides={Database: database}) as client:
        yield client


@pytest.fixture
def port(client: TestClient, tmp_path: Path) -> int:
    """Where it has written down that it listens."""
    url = urlsplit((tmp_path / "data" / "mailbox.url").read_text())
    assert (url.scheme, url.hostname) == ("smtp", "127.0.0.1")
    return url.port or 0


def letter(id: str, text: str = "Hello\n.\n..dots\n") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "tuition@skerry.example"
    message["To"] = "a@example.org"
    message["Subject"] = "Ödeme: €5"
    message["Message-ID"] = id
    message.set_content(text)
    return message


def send(port: int, *messages: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as server:
        for message in messages:
            server.send_message(message)


async def test_mails_are_kept_and_copies_are_told(client: TestClient, port: int) -> None:
    await asyncio.to_thread(send, port, letter("<1@x>"), letter("<2@x>"), letter("<1@x>"))
    assert (await client.get("/summary")).json() == {"received": 3, "unique": 2}
    page = (await client.get("/mails?limit=2")).json()
    first = page["mails"][0]
    assert (first["message_id"], first["subject"]) == ("<1@x>", "Ödeme: €5")
    assert first["text"].splitlines() == ["Hello", ".", "..dots"]
    assert len((await client.get(f"/mails?after={page['next']}")).json()["mails"]) == 1
    assert len((await client.get("/mails?recipient=a@example.org")).json()["mails"]) == 3
    assert (await client.get("/mails?recipient=b@example.org")).json()["mails"] == []


async def test_each_recipient_has_a_mail(client: TestClient, port: int) -> None:
    def to_many() -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as server:
            server.sendmail("s@x", ["a@x", "b@x"], letter("<1@x>").as_bytes())

    await asyncio.to_thread(to_many)
    mails = (await client.get("/mails")).json()["mails"]
    assert [mail["recipient"] for mail in mails] == ["a@x", "b@x"]
    assert (await client.get("/summary")).json() == {"received": 2, "unique": 1}


async def test_what_is_out_of_order_or_unknown_is_refused(client: TestClient, port: int) -> None:
    def misbehave() -> list[int]:
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as server:
            said = [server.docmd(each)[0] for each in ("DATA", "RCPT TO:<a@x>", "VRFY a", "NOOP")]
            server.docmd("MAIL FROM:<a@x>")
            return [*said, server.docmd("DATA")[0], server.docmd("RSET")[0]]

    assert await asyncio.to_thread(misbehave) == [503, 503, 502, 250, 503, 250]
    assert (await client.get("/summary")).json() == {"received": 0, "unique": 0}


async def conversation(content: bytes, *, fails: bool = False) -> tuple[bytes, list[Envelope]]:
    kept: list[Envelope] = []

    async def accept(mail: Envelope) -> None:
        if fails:
            raise OSError("disk full")
        kept.append(mail)

    async with await serve(accept, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()[:2]
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(content)
        writer.write_eof()
        said = await asyncio.wait_for(reader.read(), 30)
        writer.close()
    return said, kept


BEGIN = b"EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"


async def test_half_a_mail_is_none() -> None:
    said, kept = await conversation(BEGIN + b"half")
    assert (b"250 kept" in said, kept) == (False, [])


async def test_what_cannot_be_kept_is_not_accepted() -> None:
    said, kept = await conversation(BEGIN + b"x\r\n.\r\nQUIT\r\n", fails=True)
    assert (b"451" in said, b"250 kept" in said, kept) == (True, False, [])


async def test_what_is_too_large_is_not_accepted() -> None:
    line = b"x" * 60_000 + b"\r\n"
    many = line * (LARGEST // len(line) + 1)
    said, kept = await conversation(BEGIN + many + b".\r\nQUIT\r\n")
    assert (b"552" in said, kept) == (True, [])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.binary(max_size=40), max_size=6))
def test_nonsense_ends_no_server(lines: list[bytes]) -> None:
    asyncio.run(conversation(b"\r\n".join(lines)))
