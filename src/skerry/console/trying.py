"""The page Try: an app's contract, and calls by it. ``skerry call`` in a browser.

A browser could not do that by itself: apps answer pages of other origins only if they say so.
So the console calls, by the way that a call of another app would take, and tells what came.
"""

from __future__ import annotations

import asyncio
import base64
import math
from typing import Annotated, Any
from urllib.parse import urlsplit

from annotated_types import Gt, Le
from msgspec import Struct

from skerry.app.declare import Routes
from skerry.core.clock import system
from skerry.core.context import new_trace, parse_traceparent
from skerry.core.errors import BadRequest, CallError, NotFound, Problem, nearest
from skerry.core.instance import Address
from skerry.core.wire import TIMEOUT, Headers, Request, Response, Stream

from .desk import Desk

trying = Routes("/api/apps", tags=["try"])

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_NOT_OURS = frozenset({b"host", b"connection", b"content-length", b"transfer-encoding"})
_SHOWN = 512 << 10  # bytes of a body
_LISTENING = 5.0  # seconds that an answer without end is listened to
_HOPEFUL = ("ready", "starting", "stopping")


class NobodyThere(Problem, status=503, type="urn:problem-type:nobody-there"):
    """Nobody can answer for this app now."""


class Call(Struct):
    """A request to an app.

    Attributes:
        target: path and query, percent-encoded.
        headers: names and values.
        timeout: seconds until the answer begins.
    """

    method: str
    target: str
    headers: list[tuple[str, str]] = []
    body: str | None = None
    timeout: Annotated[float, Gt(0), Le(300)] = 30.0


class Answered(Struct):
    """What came of it.

    Attributes:
        failed: why there is no answer; the rest is empty then.
        body: text; base64 where it is ``binary``.
        cut: how it is not all there was: ``long``, or ``endless`` for a stream.
        milliseconds: until the answer began, and until its end.
        trace: id of the trace that the call is in.
        sent: where to, for people.
    """

    status: int
    headers: list[tuple[str, str]]
    body: str
    binary: bool
    cut: str
    milliseconds: tuple[float, float]
    trace: str
    sent: str
    failed: str = ""


class Way(Struct):
    """How an app is reached.

    Attributes:
        url: where to connect to.
        host: by which the front door knows the app; empty when it is the app that is asked.
        shown: its URL, for people.
    """

    url: str
    host: str
    shown: str


def way(status: dict[str, Any], app: str) -> Way:
    """The way that a call of another app would take: through a client stack, to whichever
    instance is best. The front door has one, and knows every app as a host.

    Raises:
        NotFound: there is no such app.
        NobodyThere: nobody who could answer for it.
    """
    apps = {one["app"]: one for one in status["apps"]}
    if app not in apps:
        raise NotFound(detail=f"no app named {app!r} runs here.{nearest(app, apps)}")
    instances = [row for row in status["instances"] if row["app"] == app]
    if apps[app]["kind"] != "outside":
        if not any(row["state"] in _HOPEFUL for row in instances):
            raise NobodyThere(detail=f"no instance of {app} is ready")
        if not any(row["url"] for row in instances):
            raise NobodyThere(detail=f"{app} serves nothing that could be called")
    port = urlsplit(status["front"]).port
    if port is None or not any(row["state"] == "ready" for row in status["edges"]):
        url = apps[app]["url"] or next(row["url"] for row in instances if row["url"])
        return Way(url, "", url)
    host = f"{app}.localhost:{port}"
    return Way(status["front"], host, apps[app]["url"] or f"http://{host}")


@trying.get("/{name}/contract", raises=[NotFound, NobodyThere])
async def get_contract(desk: Desk, name: str) -> Response:
    """The OpenAPI document that an app serves: ``skerry contract show NAME --json``."""
    call = Call("GET", "/openapi.json", timeout=10.0)
    answered = await _call(desk, way(await desk.status(), name), call, limit=16 << 20)
    if answered.failed or answered.status != 200 or answered.binary:
        why = answered.failed or f"it answers {answered.status}"
        raise NotFound(detail=f"{name} serves no contract at {answered.sent}: {why}")
    content = answered.body.encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    return Response(200, Headers(headers), content)


@trying.post("/{name}/try", raises=[BadRequest, NotFound, NobodyThere], timeout=310.0)
async def try_call(desk: Desk, name: str, call: Call) -> Answered:
    """Call an app as people have written it down: ``skerry call``."""
    if call.method not in _METHODS:
        raise BadRequest(detail=f"{call.method} is no method: {', '.join(sorted(_METHODS))}")
    if not call.target.startswith("/") or not call.target.isascii() or " " in call.target:
        raise BadRequest(detail="a target is a path, percent-encoded, and begins with '/'")
    return await _call(desk, way(await desk.status(), name), call)


async def _call(desk: Desk, way: Way, call: Call, limit: int = _SHOWN) -> Answered:
    try:
        headers = Headers.of(call.headers).without(_NOT_OURS)
    except UnicodeEncodeError:
        raise BadRequest(detail="the header fields are not Latin-1") from None
    if any(byte in name + value for name, value in headers.raw for byte in (b"\r", b"\n", b"\0")):
        raise BadRequest(detail="a header field is one line")
    trace = parse_traceparent(headers.find(b"traceparent") or b"", "")
    if trace is None:
        trace = new_trace()
        headers.set("traceparent", trace.traceparent.decode())
    if way.host:
        headers.set("host", way.host)
        headers.set(TIMEOUT.decode(), f"{math.ceil(call.timeout + 1)}S")
    path, _, query = call.target.partition("?")
    parts = urlsplit(way.url)
    base = Address(f"{parts.scheme}://{parts.netloc}")
    body = (call.body or "").encode()
    request = Request(call.method, parts.path.rstrip("/") + path, query, headers, body)
    answered = Answered(0, [], "", False, "", (0, 0), f"{trace.trace_id:032x}", way.shown + path)
    began = system.now()
    try:
        async with asyncio.timeout(call.timeout):
            response = await desk.http.connect(base)(request)
        headed = system.now() - began
        content, answered.cut = await _read(response, limit)
    except TimeoutError:
        answered.failed = f"no answer within {call.timeout:g} s"
        return answered
    except CallError as error:
        answered.failed = str(error) or type(error).__name__
        return answered
    answered.milliseconds = (_ms(headed), _ms(system.now() - began))
    answered.status = response.status
    answered.headers = list(response.headers)
    try:
        answered.body = content.decode()
    except UnicodeDecodeError as error:
        if answered.cut and error.start >= len(content) - 4:  # in the middle of a letter
            answered.body = content[: error.start].decode()
        else:
            answered.body, answered.binary = base64.b64encode(content).decode(), True
    return answered


async def _read(response: Response, limit: int) -> tuple[bytes, str]:
    """As much of a body as is shown, and why it is not more."""
    if not isinstance(response.body, Stream):
        return response.body[:limit], "long" if len(response.body) > limit else ""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_LISTENING):
            async for chunk in response.body:
                chunks.append(chunk)
                size += len(chunk)
                if size > limit:
                    return b"".join(chunks)[:limit], "long"
    except TimeoutError:
        return b"".join(chunks), "endless"
    finally:
        await response.body.aclose()
    return b"".join(chunks), ""


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
