"""What every app answers without being told to: is it alive, ready, and what does it promise.

``/livez``  the process answers.
``/readyz``  its resources are well, and it is not draining; 503 with what is wrong otherwise.
``/metrics``  Prometheus text, or OpenMetrics where the scraper asks for it.
``/openapi.json``  the contract; ``/docs``  the same for people.
``/asyncapi.json``  the events in it, where it has any.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from skerry.contract.operation import Contract
from skerry.core.wire import Headers, Request, Response
from skerry.telemetry import exposition
from skerry.telemetry.metrics import Metrics

Health = Callable[[], Awaitable[dict[str, str | None]]]


class Builtin:
    """What answers, by path.

    Args:
        contract: made when first asked for, and kept.
        health: what is wrong with each resource.
        draining: whether the app is on its way out.
    """

    def __init__(
        self,
        contract: Callable[[], Contract],
        metrics: Metrics,
        health: Health,
        draining: Callable[[], bool],
    ) -> None:
        self._contract = contract
        self._metrics = metrics
        self._health = health
        self._draining = draining
        self._pages: dict[str, Response] = {}

    @property
    def paths(self) -> dict[str, Callable[[Request], Awaitable[Response]]]:
        """The handlers, by path."""
        found: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/livez": self.livez,
            "/readyz": self.readyz,
            "/metrics": self.metrics,
            "/openapi.json": self.openapi,
            "/docs": self.docs,
        }
        if self._contract().has_events:
            found["/asyncapi.json"] = self.asyncapi
        return found

    async def livez(self, request: Request) -> Response:
        return _json(200, {"status": "alive"})

    async def readyz(self, request: Request) -> Response:
        if self._draining():
            return _json(503, {"status": "draining"})
        checks = await self._health()
        wrong = {name: verdict for name, verdict in checks.items() if verdict is not None}
        said = {name: verdict or "ok" for name, verdict in checks.items()}
        status = "unready" if wrong else "ready"
        return _json(503 if wrong else 200, {"status": status, "checks": said})

    async def metrics(self, request: Request) -> Response:
        media_type, openmetrics = exposition.negotiate(request.headers.get("accept", "") or "")
        text = self._metrics.openmetrics() if openmetrics else self._metrics.prometheus()
        return _body(200, text.encode(), media_type)

    async def openapi(self, request: Request) -> Response:
        if "json" not in self._pages:
            from skerry.contract import openapi

            self._pages["json"] = _json(200, openapi.document(self._contract()))
        return self._pages["json"]

    async def asyncapi(self, request: Request) -> Response:
        if "events" not in self._pages:
            from skerry.contract import asyncapi

            self._pages["events"] = _json(200, asyncapi.document(self._contract()))
        return self._pages["events"]

    async def docs(self, request: Request) -> Response:
        if "html" not in self._pages:
            from skerry.contract import openapi, page

            content = page.html(openapi.document(self._contract()))
            self._pages["html"] = _body(200, content.encode(), "text/html; charset=utf-8")
        return self._pages["html"]


def _json(status: int, value: Any) -> Response:
    return _body(status, msgspec.json.encode(value), "application/json")


def _body(status: int, body: bytes, media_type: str) -> Response:
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", b"%d" % len(body)),
    ]
    return Response(status, Headers(headers), body)
