"""A request's first lines, as bytes, and nothing in them that would be another request."""

from __future__ import annotations

from operator import itemgetter

from skerry.core.wire import Request

from .base import CONNECTION_FIELDS

_OURS = CONNECTION_FIELDS | {b"host", b"content-length"}
_name = itemgetter(0)
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def write_head(request: Request, authority: str) -> tuple[bytes, int | None]:
    """The request as bytes up to its body, and the length of a streamed body if it is known.

    Raises:
        ValueError: it cannot be written as HTTP: a line break in a header, a space in a path.
    """
    host: bytes | None = None
    length: bytes | None = None
    fields = request.headers.raw
    if not _OURS.isdisjoint(map(_name, fields)):
        host, length = request.headers.find(b"host"), request.headers.find(b"content-length")
        fields = request.headers.without(_OURS).raw
    lines = [f"{request.method} {request.target} HTTP/1.1".encode("ascii")]
    lines += map(b": ".join, fields)
    lines.append(b"host: " + (host or authority.encode("ascii")))
    body, known = request.body, None
    if isinstance(body, bytes):
        if body or request.method in _METHODS_WITH_BODY:
            lines.append(b"content-length: %d" % len(body))
    elif length is not None:
        if not length.isdigit():
            raise ValueError(f"not a content-length: {length!r}")
        known = int(length)
        lines.append(b"content-length: %d" % known)
    else:
        lines.append(b"transfer-encoding: chunked")
    breaks = len(lines) + 1
    lines += (b"", b"")
    head = b"\r\n".join(lines)
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
        raise ValueError("a header of the request has a line break or a null in it")
    if lines[0].count(b" ") != 2:
        raise ValueError(f"not a request line: {lines[0]!r}")
    return head, known
