"""Between ASGI and a service: a scope becomes a ``Request``, a ``Response`` becomes messages.

Nothing here decides anything about an app; it is the same for an endpoint, a proxy or a test.
Source: the ASGI specification, HTTP 2.5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import quote

from skerry.core.clock import system
from skerry.core.service import Service
from skerry.core.wire import Headers, Request, Response, Stream

from .body import RequestBody

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_TURN = 0.005  # seconds that one stream may keep the event loop to itself
_NO_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})


def route_path(scope: Scope) -> str:
    """The decoded path below where this app is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :] or "/"
    return path


def request_of(scope: Scope, receive: Receive) -> Request:
    """The request that a scope describes; its body is read when someone asks for it."""
    method = scope["method"]
    headers = Headers(scope["headers"])
    raw_path = scope.get("raw_path")
    root = scope.get("root_path", "")
    if raw_path and not root:
        path = raw_path.decode("latin-1")
    else:
        path = quote(route_path(scope), safe="/:@!$&'()*+,;=~-._")
    client = scope.get("client")
    body: bytes | RequestBody = b""
    if method not in _NO_BODY or _has_body(headers):
        body = RequestBody(receive)
    return Request(
        method,
        path,
        scope["query_string"].decode("latin-1"),
        headers,
        body,
        "",
        {},
        client[0] if client else "",
    )


def _has_body(headers: Headers) -> bool:
    return any(
        (name == b"content-length" and value != b"0") or name == b"transfer-encoding"
        for name, value in headers.raw
    )


async def send_response(
    response: Response, method: str, receive: Receive, send: Send, body_read: bool
) -> None:
    """Send ``response``; a stream is stopped, and closed, when the caller goes away.

    Args:
        body_read: whether the request has been read to its end, so that ``receive`` can only
            tell of a disconnect.
    """
    body = response.body
    await send(
        {"type": "http.response.start", "status": response.status, "headers": response.headers.raw}
    )
    if isinstance(body, bytes):
        content = b"" if method == "HEAD" else body
        await send({"type": "http.response.body", "body": content, "more_body": False})
        return
    try:
        if method != "HEAD":
            await _send_stream(body, receive if body_read else None, send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        await body.aclose()


async def _send_stream(body: Stream, receive: Receive | None, send: Send) -> None:
    task = asyncio.current_task()
    assert task is not None
    gone = False

    async def watch(receive: Receive) -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    watcher = asyncio.create_task(watch(receive)) if receive is not None else None
    turn = system.now()
    try:
        async for chunk in body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            # Neither the body nor ``send`` need ever wait: others get their turn all the same,
            # the watcher among them.
            if system.now() - turn > _TURN:
                await asyncio.sleep(0)
                turn = system.now()
    except asyncio.CancelledError:
        # Only the watcher's own cancellation ends here; the task is not cancelled further out.
        if not gone or task.uncancel() > 0:
            raise
    finally:
        if watcher is not None:
            watcher.cancel()


async def serve_http(
    service: Service[Request, Response], scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer one HTTP scope with ``service``."""
    request = request_of(scope, receive)
    response = await service(request)
    await send_response(response, request.method, receive, send, is_read(request))


def is_read(request: Request) -> bool:
    """Whether a request's body has been received to its end."""
    body = request.body
    return isinstance(body, bytes) or (isinstance(body, RequestBody) and body.finished)
