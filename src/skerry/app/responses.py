"""Answers that are not a typed body: a page, a text, a redirect, server-sent events."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from msgspec import Struct

from skerry.core.errors import ConfigError
from skerry.core.wire import Headers, Response


def _text(content: str, media_type: str, status: int) -> Response:
    body = content.encode()
    headers = [
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
        (b"content-length", b"%d" % len(body)),
    ]
    return Response(status, Headers(headers), body)


def html(content: str, status: int = 200) -> Response:
    """A page. Whoever made ``content`` has escaped what came from outside."""
    return _text(content, "text/html", status)


def text(content: str, status: int = 200) -> Response:
    """Plain text, UTF-8."""
    return _text(content, "text/plain", status)


def redirect(url: str, status: int = 303) -> Response:
    """Send the caller elsewhere; 303 turns a form's POST into a GET of the next page."""
    if not 300 <= status <= 399:
        raise ConfigError(f"a redirect's status is 300 to 399, not {status}")
    location = quote(url, safe=":/%#?=@[]!$&'()*+,;~-._")
    return Response(
        status, Headers([(b"location", location.encode()), (b"content-length", b"0")]), b""
    )


class ServerSentEvent(Struct):
    """One event of an event stream (WHATWG HTML, 9.2).

    Attributes:
        data: any JSON value; sent as one ``data`` field.
        event: its type; ``message`` if empty.
        id: what the client sends back as ``Last-Event-ID``.
        retry: milliseconds the client waits before it reconnects.
    """

    data: Any
    event: str = ""
    id: str = ""
    retry: int | None = None
