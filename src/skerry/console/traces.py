"""The page Traces: the collector's lists, and single traces as they are drawn.

``skerry trace ls``, ``skerry trace show --drawn`` and ``skerry trace links`` in a browser. What
a trace looks like is found out here, in a thread: the collector is busy with what comes in.
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote, unquote, urlencode

import msgspec

from skerry.app.declare import Routes
from skerry.core.wire import JSON, Headers, Request, Response, read_all
from skerry.observe.model import Span
from skerry.observe.waterfall import waterfall

from .desk import Desk
from .upstream import CollectorAway

traces = Routes("/api", tags=["traces"])

_spans = msgspec.json.Decoder(list[Span]).decode
_TRACES = "/api/skerry/traces"


def offer(desk: Desk) -> None:
    """Its feed: ``traces:QUERY``, those that match, percent-encoded as in an address."""

    async def found(query: str) -> bytes:
        return await desk.collector.read(f"{_TRACES}?{unquote(query)}")

    desk.feeds.add("traces", found, every=2.0)


@traces.get("/traces", raises=[CollectorAway])
async def get_traces(desk: Desk, request: Request) -> Response:
    """What ``skerry trace ls --json`` prints: its parameters are the collector's."""
    return await desk.collector.forward("GET", f"{_TRACES}?{request.query}")


@traces.get("/traces/{trace_id}", raises=[CollectorAway])
async def get_trace(desk: Desk, trace_id: str) -> Response:
    """What ``skerry trace show --drawn --json`` prints."""
    response = await desk.collector.forward("GET", f"{_TRACES}/{quote(trace_id, safe='')}")
    if response.status != 200:
        return response
    drawn = await asyncio.to_thread(_drawn, await read_all(response.body))
    headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(drawn))]
    return Response(200, Headers(headers), drawn)


@traces.get("/traces/{trace_id}/links", raises=[CollectorAway])
async def get_links(desk: Desk, trace_id: str) -> Response:
    """What ``skerry trace links --json`` prints."""
    target = f"{_TRACES}/{quote(trace_id, safe='')}/links"
    return await desk.collector.forward("GET", target)


@traces.get("/operations", raises=[CollectorAway])
async def get_names(desk: Desk, app: str = "") -> Response:
    """Names to choose from: of all who recorded spans, or of the spans of one of them."""
    path = f"/api/v2/spans?{urlencode({'serviceName': app})}" if app else "/api/v2/services"
    return await desk.collector.forward("GET", path)


def _drawn(spans: bytes) -> bytes:
    return msgspec.json.encode(waterfall(_spans(spans)))
