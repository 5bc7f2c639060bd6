"""Call an app from its tests: real requests through the whole stack, no server, no socket.

::

    async with TestClient(app, overrides={Rates: fixed}) as client:
        answer = await client.post("/quotes", json={"school_id": "x", "amount": "10.00"})
        assert answer.status == 201

``client.sync`` is the same for tests that are not ``async``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from skerry.bus.driver import Driver
from skerry.bus.memory import Memory
from skerry.core.wire import Headers, Request, Response, Stream, read_all

from .app import App
from .inprocess import as_service

T = TypeVar("T")
Query = Mapping[str, Any] | Sequence[tuple[str, Any]]

_AS_IT_IS = "/:@!$&'()*+,;=~-._%?[]"
"""What a path and a query have on the wire as it is; anything else is encoded for the test."""


class TestResponse:
    """An answer, read to its end.

    Attributes:
        status: the HTTP status.
        headers: see ``skerry.core.wire.Headers``.
        content: the body.
    """

    __test__ = False

    def __init__(self, status: int, headers: Headers, content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self, kind: Any = Any) -> Any:
        """The body as JSON; with ``kind``, as that type."""
        return msgspec.json.decode(self.content, type=kind)

    def lines(self) -> list[Any]:
        """The items of an NDJSON body."""
        return [msgspec.json.decode(line) for line in self.content.splitlines() if line]

    def __repr__(self) -> str:
        return f"TestResponse({self.status}, {self.content[:200]!r})"


class TestClient:
    """Runs ``app`` for the length of an ``async with`` block and sends it requests.

    Args:
        overrides: values to inject in place of resources, settings and clients, by type.
        headers: sent with every request.

    Raises:
        ConfigError: (on entering) the app runs already, in another client perhaps; or has
            nothing of an override's type.
    """

    __test__ = False

    def __init__(
        self,
        app: App,
        *,
        overrides: Mapping[Any, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.app = app
        self._overrides = dict(overrides or {})
        if app.has_events:
            self._overrides.setdefault(Driver, Memory())
        self._headers = dict(headers or {})
        self._call = as_service(app)

    async def __aenter__(self) -> TestClient:
        await self.app.start(self._overrides)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.app.stop()

    @property
    def sync(self) -> SyncTestClient:
        """The same client for plain functions: ``with TestClient(app).sync as client:``."""
        return SyncTestClient(self)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = msgspec.UNSET,
        content: bytes | AsyncIterator[bytes] | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    ) -> TestResponse:
        """Send one request and read the answer to its end."""
        response = await self.send(
            method, path, json=json, content=content, query=query, headers=headers
        )
        body = await read_all(response.body)
        return TestResponse(response.status, response.headers, body)

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = msgspec.UNSET,
        content: bytes | AsyncIterator[bytes] | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    ) -> Response:
        """Send one request; the answer's body may be a ``Stream`` still to be read."""
        fields = Headers.of(self._headers)
        for name, value in Headers.of(headers):
            fields.add(name, value)
        body: bytes | Stream = b""
        if json is not msgspec.UNSET:
            body = msgspec.json.encode(json)
            if "content-type" not in fields:
                fields.add("content-type", "application/json")
        elif isinstance(content, bytes):
            body = content
        elif content is not None:
            body = Stream(content)
        if isinstance(body, Stream):
            fields.add("transfer-encoding", "chunked")
        elif body and "content-length" not in fields:
            fields.add("content-length", str(len(body)))
        path, _, inline = quote(path, safe=_AS_IT_IS).partition("?")
        text = "&".join(part for part in (inline, urlencode(query or (), doseq=True)) if part)
        return await self._call(Request(method.upper(), path, text, fields, body))

    async def get(self, path: str, **options: Any) -> TestResponse:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> TestResponse:
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Any) -> TestResponse:
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Any) -> TestResponse:
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Any) -> TestResponse:
        return await self.request("DELETE", path, **options)


class SyncTestClient:
    """``TestClient`` for plain functions: the app runs on a loop in a thread of its own."""

    __test__ = False

    def __init__(self, client: TestClient) -> None:
        self._client = client
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> SyncTestClient:
        self._thread.start()
        self._run(self._client.__aenter__())
        return self

    def __exit__(self, *exc: Any) -> None:
        try:
            self._run(self._client.__aexit__(None, None, None))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def request(self, method: str, path: str, **options: Any) -> TestResponse:
        return self._run(self._client.request(method, path, **options))

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> TestResponse:
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> TestResponse:
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.request("DELETE", path, **options)
