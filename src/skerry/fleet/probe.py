"""Asking a process whether it can work: one HTTP request, by hand.

An instance's socket listens before the instance does, so the first request waits in the backlog
and is answered at the moment there is somebody to answer: readiness is told, not polled. A
client library would do more than this needs, in the one process that must not hang.
"""

from __future__ import annotations

import asyncio
import json
from enum import Enum
from urllib.parse import urlsplit

AGENT = "skerry-health"
"""What probes say they are."""


class Health(Enum):
    OK = "ok"
    REFUSES = "refuses"  # it answered, and not with what we hoped for
    SILENT = "silent"  # no connection, or no answer in time


async def probe(url: str, path: str, limit: int, timeout: float) -> tuple[Health, str]:
    """Ask ``GET path``; healthy when the status is below ``limit``.

    Something that listens and does not speak HTTP is healthy when no path was asked for, that
    is, when ``path`` is ``/``.

    Returns:
        The health and, where it is not ``OK``, the reason in a few words: the app's own, where it
        gives some.
    """
    address = urlsplit(url)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(
                f"GET {path} HTTP/1.1\r\nhost: {address.netloc}\r\n"
                f"user-agent: {AGENT}\r\nconnection: close\r\n\r\n".encode()
            )
            line = await reader.readline()
            # Closing on unread bytes resets the connection, and some servers complain of that.
            more = await reader.read(65536)
    except TimeoutError:
        return Health.SILENT, f"no answer to GET {path} in {timeout:g} s"
    except OSError as error:
        return Health.SILENT, f"no connection: {error.strerror or error}"
    except ValueError:  # a line that does not end
        line, more = b"\0", b""
    finally:
        if writer is not None:
            writer.close()
    return _judge(line, more, path, limit)


def _judge(line: bytes, more: bytes, path: str, limit: int) -> tuple[Health, str]:
    version, _, rest = line.partition(b" ")
    status = rest[:3]
    if version.startswith(b"HTTP/") and status.isdigit():
        if int(status) < limit:
            return Health.OK, ""
        return Health.REFUSES, _reasons(more) or f"GET {path} answers {int(status)}"
    if line and path == "/":
        return Health.OK, ""
    if line:
        return Health.REFUSES, f"what answers GET {path} is not HTTP"
    return Health.SILENT, f"the connection was closed on GET {path}"


def _reasons(more: bytes) -> str:
    """What is wrong, where the answer is one of ``/readyz``: ``bus: the broker is away``."""
    try:
        checks = json.loads(more.partition(b"\r\n\r\n")[2])["checks"]
        return "; ".join(f"{name}: {said}" for name, said in checks.items() if said != "ok")
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""
