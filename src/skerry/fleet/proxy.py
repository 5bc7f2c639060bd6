"""A reverse proxy made of a client stack: what an edge and the front door do with one request.

The calls of an app that knows nothing of Skerry get the same deadline, retries, balancing,
breaker and counts as those of one that does. Header fields are treated as RFC 9110 asks of an
intermediary (7.6.1), and the client is told of in ``Forwarded`` (RFC 7239) and its older
relatives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from skerry.core import context
from skerry.core.answer import answer
from skerry.core.clock import system
from skerry.core.errors import CallError, Problem
from skerry.core.service import Service
from skerry.core.wire import TIMEOUT, Headers, RawHeaders, Request, Response, Stream, read_all

SMALL = 64 * 1024
"""Bytes up to which a request body is read before it is sent on: it can then be sent again."""

_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# Ours to write anew: what the next app is told of the context comes from the stack.
_REPLACED = frozenset(
    {
        b"baggage",
        b"expect",
        b"forwarded",
        b"host",
        b"traceparent",
        b"tracestate",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        TIMEOUT,
    }
)


async def relay(
    request: Request,
    service: Service[Request, Response],
    path: str,
    prefix: str = "",
    *,
    outside: bool = False,
    route: str = "proxy",
    place: Callable[[context.Context], context.Context] | None = None,
) -> Response:
    """Answer ``request`` with what ``service`` answers.

    Args:
        path: what the app is to see of the request's path.
        prefix: what was cut off it.
        outside: whether the app is somebody else's, who is told nothing of the client.
        route: under which it is counted.
        place: from the context that the request has brought to the one it is sent on with.
    """
    found = context.extract(request.headers, system.now())
    token = context.attach(found if place is None else place(found))
    try:
        body = await _body(request)
        headers = Headers(kept(request) if outside else forwarded(request, prefix))
        response = await service(
            Request(request.method, path, request.query, headers, body, route=route)
        )
    except (CallError, Problem) as error:
        return answer(error)
    finally:
        context.detach(token)
    response.headers = Headers(end_to_end(response.headers.raw))
    return response


async def _body(request: Request) -> bytes | Stream:
    if isinstance(request.body, bytes):
        return request.body
    length = request.headers.find(b"content-length")
    if length is not None and length.isdigit() and int(length) <= SMALL:
        return await read_all(request.body)
    return request.body


def end_to_end(raw: RawHeaders) -> RawHeaders:
    """The fields that are not for the next hop alone."""
    named = {
        word.strip().lower()
        for name, value in raw
        if name == b"connection"
        for word in value.split(b",")
    }
    return [pair for pair in raw if pair[0] not in _HOP and pair[0] not in named]


def kept(request: Request) -> RawHeaders:
    """The fields to send on as they came."""
    return [pair for pair in end_to_end(request.headers.raw) if pair[0] not in _REPLACED]


def forwarded(request: Request, prefix: str = "") -> RawHeaders:
    """The fields to send on, with what is said of the client.

    What came in ``X-Forwarded-For`` and ``Forwarded`` is kept and added to; host and protocol
    are said as they were here.
    """
    old = request.headers
    host = old.find(b"host") or b""
    peer = request.peer or "unknown"
    shown = f'"[{peer}]"' if ":" in peer else peer
    chain = [v for name, v in old.raw if name == b"x-forwarded-for"]
    said = [v for name, v in old.raw if name == b"forwarded"]
    quoted = host.replace(b"\\", b"").replace(b'"', b"")
    said.append(f"for={shown};proto=http".encode() + b';host="' + quoted + b'"')
    raw = kept(request)
    raw += [
        (b"forwarded", b", ".join(said)),
        (b"x-forwarded-for", b", ".join([*chain, peer.encode()])),
        (b"x-forwarded-host", host),
        (b"x-forwarded-proto", b"http"),
    ]
    if prefix:
        raw.append((b"x-forwarded-prefix", prefix.encode("latin-1", "replace")))
    return raw


def localised(response: Response, origins: Iterable[str], prefix: str) -> Response:
    """The same response, its redirects leading here rather than behind the proxy.

    Args:
        origins: the addresses of the app, ``http://127.0.0.1:8001``.
    """
    location = response.headers.find(b"location")
    if location is not None:
        target = location.decode("latin-1")
        for origin in origins:
            if target == origin or target.startswith((f"{origin}/", f"{origin}?")):
                response.headers.set("location", prefix + (target[len(origin) :] or "/"))
                return response
        if prefix and target.startswith("/") and not target.startswith("//"):
            response.headers.set("location", prefix + target)
    return response
