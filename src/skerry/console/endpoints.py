"""The page Endpoints: how often, how well and how fast each endpoint answers, now and over time."""

from __future__ import annotations

import time
from urllib.parse import parse_qsl, unquote, urlencode

from skerry.app.declare import Routes
from skerry.core.errors import BadRequest
from skerry.core.wire import Request, Response

from .desk import Desk
from .upstream import CollectorAway

endpoints = Routes("/api", tags=["endpoints"])

_API = "/api/skerry"
_LONGEST = 86_400.0


def offer(desk: Desk) -> None:
    """Its feeds: ``endpoints:QUERY`` and ``series:QUERY``, percent-encoded as in an address.

    Parameters are the collector's, but ``window`` in seconds for ``since``. ``endpoints-long`` and
    ``series-long`` are the same less often: nobody sees a day move.
    """

    async def listed(query: str) -> bytes:
        return await desk.collector.read(f"{_API}/endpoints?{_asked(query)}")

    async def drawn(query: str) -> bytes:
        return await desk.collector.read(f"{_API}/series?{_asked(query)}")

    desk.feeds.add("endpoints", listed, every=2.0)
    desk.feeds.add("endpoints-long", listed, every=15.0)
    desk.feeds.add("series", drawn, every=2.0)
    desk.feeds.add("series-long", drawn, every=15.0)


@endpoints.get("/endpoints", raises=[CollectorAway])
async def get_endpoints(desk: Desk, request: Request) -> Response:
    """What ``skerry endpoints --json`` prints: its parameters are the collector's."""
    return await desk.collector.forward("GET", f"{_API}/endpoints?{request.query}")


@endpoints.get("/series", raises=[CollectorAway])
async def get_series(desk: Desk, request: Request) -> Response:
    """What ``skerry endpoints APP --series --json`` has of one of them, or of all together."""
    return await desk.collector.forward("GET", f"{_API}/series?{request.query}")


def _asked(query: str) -> str:
    """The collector's query for one that says how long a window is, and not since when."""
    given = dict(parse_qsl(unquote(query)))
    try:
        window = float(given.pop("window", ""))
    except ValueError:
        window = 0.0
    if not 0 < window <= _LONGEST:
        raise BadRequest(detail=f"a window is more than 0 s and {_LONGEST:g} at most")
    now = time.time()
    return urlencode({**given, "since": f"{now - window:.3f}", "until": f"{now:.3f}"})
