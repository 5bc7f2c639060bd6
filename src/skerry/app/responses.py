"""Answers that are not a typed body: a page, a text, a redirect, server-sent events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar
from urllib.parse import quote

from msgspec import UNSET, Struct, UnsetType

from skerry.core.errors import ConfigError
from skerry.core.wire import Headers, Response

T = TypeVar("T")


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


class Reply(Struct, Generic[T]):
    """A typed answer with header fields of its own.

    ::

        @app.post("/quotes", status=201)
        async def create_quote(new: NewQuote) -> Reply[Quote]:
            ...
            return Reply(quote, {"location": f"/quotes/{quote.id}"})

    Attributes:
        headers: by name, or as pairs where a name comes more than once.
    """

    value: T
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()


class ServerSentEvent(Struct, Generic[T]):
    """One event of an event stream (WHATWG HTML, 9.2).

    Attributes:
        data: sent as JSON in one ``data`` field. An event without any is not dispatched.
        event: its type; ``message`` if empty.
        id: what the client sends back as ``Last-Event-ID``.
        retry: milliseconds the client waits before it reconnects.
        text: data that is not JSON, sent as it is; in place of ``data``.
        comment: what no reader is told.
    """

    data: T | UnsetType = UNSET
    event: str = ""
    id: str = ""
    retry: int | None = None
    text: str | None = None
    comment: str = ""
