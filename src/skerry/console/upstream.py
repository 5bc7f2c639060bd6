"""Who the console asks: the fleet's control API over its Unix socket, and the collector.

Answers are handed on as they come.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import msgspec

from skerry.core.errors import CallError, ConfigError, Problem
from skerry.core.instance import Address
from skerry.core.service import Service
from skerry.core.wire import JSON, Headers, Request, Response, read_all
from skerry.transport.http import HttpTransport
from skerry.transport.unix import UnixTransport

_PATIENCE = 10.0  # seconds for an answer to a question
CHANGE = 600.0
"""Seconds for an answer to a change: instances that stop and start take their time."""


class FleetAway(Problem, status=503, type="urn:problem-type:fleet-away"):
    """The fleet does not answer."""


class CollectorAway(Problem, status=503, type="urn:problem-type:collector-away"):
    """The collector does not answer, or the fleet has none."""


class Refused(Problem, status=502, type="urn:problem-type:upstream-refused"):
    """Whoever was asked answers something else."""


class Upstream:
    """One API that others serve.

    Args:
        service: that answers; None where there is none.
        away: raised when nobody answers, with ``missing`` where there is no service.
    """

    def __init__(
        self,
        service: Service[Request, Response] | None,
        away: type[Problem] = FleetAway,
        missing: str = "",
    ) -> None:
        self._service = service
        self._away = away
        self._missing = missing

    async def ask(
        self, method: str, target: str, body: Any = None, patience: float = _PATIENCE
    ) -> Response:
        """One exchange; the answer whatever its status, its body still to be read.

        Raises:
            FleetAway, CollectorAway: there is none.
        """
        if self._service is None:
            raise self._away(detail=self._missing)
        path, _, query = target.partition("?")
        content = b"" if body is None else msgspec.json.encode(body)
        headers = Headers([(b"content-type", JSON)]) if content else Headers()
        request = Request(method, path, query, headers, content, route="upstream")
        try:
            async with asyncio.timeout(patience):
                return await self._service(request)
        except (CallError, TimeoutError) as error:
            raise self._away(detail=str(error) or "no answer in time") from None

    async def read(self, target: str) -> bytes:
        """The JSON that a question is answered with.

        Raises:
            FleetAway, CollectorAway, Refused: it is not.
        """
        response = await self.ask("GET", target)
        content = await read_all(response.body)
        if response.status != 200:
            raise Refused(detail=_detail(content) or f"{target}: status {response.status}")
        return content

    async def forward(self, method: str, target: str, body: Any = None) -> Response:
        """One exchange, to be handed on: status, type and body as they are."""
        response = await self.ask(method, target, body, CHANGE if method != "GET" else _PATIENCE)
        kept = [pair for pair in response.headers.raw if pair[0] == b"content-type"]
        if isinstance(response.body, bytes):
            kept.append((b"content-length", b"%d" % len(response.body)))
        return Response(response.status, Headers(kept), response.body)


def control() -> tuple[UnixTransport, Upstream]:
    """The control API of the fleet this process belongs to.

    Raises:
        ConfigError: it belongs to none.
    """
    path = os.environ.get("SKERRY_CONTROL")
    if not path:
        raise ConfigError(
            "the console belongs to a fleet, whose control API SKERRY_CONTROL names: "
            "`skerry console` starts it so"
        )
    transport = UnixTransport(path)
    return transport, Upstream(transport.connect())


def collector(http: HttpTransport) -> Upstream:
    """The collector of the fleet, which ``SKERRY_COLLECTOR`` names."""
    url = os.environ.get("SKERRY_COLLECTOR", "").rstrip("/")
    missing = "This fleet has no collector: `[observe] collector = true` gives it one."
    return Upstream(http.connect(Address(url)) if url else None, CollectorAway, missing)


def _detail(content: bytes) -> str:
    try:
        problem = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return ""
    return str(problem.get("detail") or problem.get("title") or "")
