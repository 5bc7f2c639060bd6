"""The receiving end of SMTP (RFC 5321), as far as one needs it to catch mail in demonstrations.

What is accepted is kept before the answer leaves: the sender may forget it then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from msgspec import Struct

log = logging.getLogger("mailbox")

LARGEST = 1 << 20
LONGEST_LINE = 1 << 16
PATIENCE_SECONDS = 60


class Envelope(Struct):
    """One mail: whom it is from and for, and what is in it, as it came."""

    sender: str
    recipients: list[str]
    content: bytes


Accept = Callable[[Envelope], Awaitable[object]]


async def serve(accept: Accept, host: str, port: int) -> asyncio.Server:
    """A server that gives each mail to ``accept`` and answers when that has returned."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Conversation(reader, writer, accept).hold()
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
            log.info("a sender has gone: %s", error)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    return await asyncio.start_server(talk, host, port, limit=LONGEST_LINE)


class Conversation:
    """One connection, from the greeting to QUIT."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, accept: Accept
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._accept = accept
        self._mail: Envelope | None = None

    async def hold(self) -> None:
        await self._say("220 mailbox")
        while line := await self._line():
            verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            if verb.upper() == "QUIT":
                await self._say("221 bye")
                return
            await self._say(await self._answer(verb.upper(), rest))

    async def _answer(self, verb: str, rest: str) -> str:
        match verb:
            case "EHLO" | "HELO":
                self._mail = None
                return "250 mailbox"
            case "MAIL":
                self._mail = Envelope(_address(rest), [], b"")
                return "250 from whom"
            case "RCPT" if self._mail is not None:
                self._mail.recipients.append(_address(rest))
                return "250 for whom"
            case "DATA" if self._mail is not None and self._mail.recipients:
                return await self._data(self._mail)
            case "RCPT" | "DATA":
                return "503 MAIL comes first, then RCPT"
            case "RSET":
                self._mail = None
                return "250 forgotten"
            case "NOOP":
                return "250 here"
        return "502 not known here"

    async def _data(self, mail: Envelope) -> str:
        await self._say("354 end with a dot")
        lines: list[bytes] = []
        size = 0
        while (line := await self._line()).rstrip(b"\r\n") != b".":
            if not line:
                raise asyncio.IncompleteReadError(b"", None)
            size += len(line)
            if size <= LARGEST:
                lines.append(line.removeprefix(b"."))  # a dot was put before each that led a line
        self._mail = None
        if size > LARGEST:
            return f"552 more than {LARGEST} bytes"
        mail.content = b"".join(lines)
        try:
            await self._accept(mail)
        except Exception:
            log.exception("a mail could not be kept")
            return "451 try again later"
        return "250 kept"

    async def _line(self) -> bytes:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._reader.readline()

    async def _say(self, text: str) -> None:
        self._writer.write(f"{text}\r\n".encode())
        await self._writer.drain()


def _address(rest: str) -> str:
    """``TO:<a@b> SIZE=1`` is ``a@b``."""
    inside = rest.partition("<")[2].partition(">")[0]
    return inside or rest.partition(":")[2].strip()
