"""The control API, as the console asks it: over its Unix socket, answers handed on as they come."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import msgspec

from skerry.core.errors import CallError, ConfigError, Problem
from skerry.core.wire import JSON, Headers, Request, Response, read_all
from skerry.transport.unix import UnixTransport

_PATIENCE = 10.0  # seconds for an answer to a question
CHANGE = 600.0
"""Seconds for an answer to a change: instances that stop and start take their time."""


class FleetAway(Problem, status=503, type="urn:problem-type:fleet-away"):
    """The fleet does not answer."""


class Refused(Problem, status=502, type="urn:problem-type:fleet-refused"):
    """The fleet answers something else."""


class Upstream:
    """The fleet's control API.

    Args:
        path: of its socket.
    """

    def __init__(self, path: str) -> None:
        self._transport = UnixTransport(path)
        self._service = self._transport.connect()

    async def ask(
        self, method: str, target: str, body: Any = None, patience: float = _PATIENCE
    ) -> Response:
        """One exchange; the answer whatever its status, its body still to be read.

        Raises:
            FleetAway: there is none.
        """
        path, _, query = target.partition("?")
        content = b"" if body is None else msgspec.json.encode(body)
        headers = Headers([(b"content-type", JSON)]) if content else Headers()
        request = Request(method, path, query, headers, content, route="control")
        try:
            async with asyncio.timeout(patience):
                return await self._service(request)
        except (CallError, TimeoutError) as error:
            raise FleetAway(detail=str(error) or "no answer in time") from None

    async def read(self, target: str) -> bytes:
        """The JSON that a question is answered with.

        Raises:
            FleetAway, Refused: it is not.
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

    async def close(self) -> None:
        await self._transport.close()


def upstream() -> Upstream:
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
    return Upstream(path)


def _detail(content: bytes) -> str:
    try:
        problem = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return ""
    return str(problem.get("detail") or problem.get("title") or "")
