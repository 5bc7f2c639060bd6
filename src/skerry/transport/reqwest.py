"""The driver on pyreqwest: Rust's reqwest, in a thread of its own.

Not the default, although it is fast, because of what pyreqwest 0.15 cannot do and we cannot do
for it (each has its test): a request that is cancelled before its answer has begun runs on, and
keeps its place in the pool until it is answered; a process whose parent has used pyreqwest
cannot use it again; and header values have to be ASCII. Paths are normalised as browsers do it
(``/a/../b``), and ``ca_file`` is trusted beside the system's authorities, not instead of them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import DetailedPyreqwestError, PyreqwestError
from pyreqwest.http import HeaderMap
from pyreqwest.request import StreamRequest
from pyreqwest.response import ResponseBodyReader

from skerry.core.errors import CallError, ConfigError, ConnectError, ConnectionLost, Retry
from skerry.core.instance import Address
from skerry.core.service import Service
from skerry.core.wire import Headers, RawHeaders, Request, Response, Stream

from .base import (
    CONNECTION_FIELDS,
    DEFAULTS,
    Endpoint,
    TransportSettings,
    closed,
    comes_whole,
    content_length,
)
from .drain import Drain

# How hyper-util names a failure to connect. pyreqwest's own ConnectError will not do: it is
# also raised when the connection breaks while the answer is awaited.
_CONNECT = "client error (Connect)"


class ReqwestTransport:
    """HTTP/1.1 over TCP and TLS, by pyreqwest. One client for each address."""

    def __init__(self, settings: TransportSettings = DEFAULTS) -> None:
        self._settings = settings
        self._drain = Drain()
        self._services: dict[str, _ReqwestService] = {}

    def connect(self, address: Address, /) -> Service[Request, Response]:
        endpoint = Endpoint.of(address)
        url = f"{'https' if endpoint.secure else 'http'}://{endpoint.authority}"
        service = self._services.get(url)
        if service is None:
            service = _ReqwestService(url, endpoint, self._settings, self._drain)
            self._services[url] = service
        return service

    async def close(self) -> None:
        await self._drain.close(self._settings.drain_timeout)
        for service in self._services.values():
            if service.client is not None:
                await service.client.close()


class _ReqwestService:
    def __init__(
        self, url: str, endpoint: Endpoint, settings: TransportSettings, drain: Drain
    ) -> None:
        self._url = url
        self._authority = endpoint.authority
        self._settings = settings
        self._drain = drain
        self._pid = 0
        self.client: Client | None = None

    async def __call__(self, request: Request, /) -> Response:
        if self._drain.closed:
            raise closed(self._authority)
        body = request.body
        upload = _Upload(body) if isinstance(body, Stream) else None
        exchange = self._exchange(request, upload or body)
        self._drain.enter()
        try:
            response = await self._send(exchange, upload, head_only=request.method == "HEAD")
        except BaseException:
            self._drain.leave()
            if upload is not None:
                await upload.aclose()
            raise
        if upload is not None and isinstance(response.body, bytes):
            await upload.aclose()
        return self._drain.leave_with(response)

    def _exchange(self, request: Request, body: bytes | _Upload | Stream) -> StreamRequest:
        client = self.client
        if client is None or self._pid != os.getpid():
            client = self._make()
        ours = _OURS if isinstance(body, bytes) else CONNECTION_FIELDS
        builder = client.request(request.method, self._url + request.target).headers(
            [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in request.headers.raw
                if name not in ours
            ]
        )
        if not isinstance(body, bytes):
            builder = builder.body_stream(body)
        elif body or request.method in ("POST", "PUT", "PATCH"):
            builder = builder.body_bytes(body)
        # With a limit above 0 the head would be kept back until that much of the body is there.
        return builder.streamed_read_buffer_limit(0).build_streamed()

    async def _send(
        self, exchange: StreamRequest, upload: _Upload | None, *, head_only: bool
    ) -> Response:
        try:
            answer = await exchange.__aenter__()
        except PyreqwestError as error:
            raise self._translate(error) from error
        try:
            headers = Headers(_raw(answer.headers))
            status = answer.status
            if head_only or status in (204, 304):
                await exchange.__aexit__(None, None, None)
                return Response(status, headers)
            if comes_whole(content_length(headers), headers.find(b"content-type")):
                return Response(status, headers, (await answer.bytes()).to_bytes())
            chunks = _Chunks(self._translate, exchange, answer.body_reader, upload)
            return Response(status, headers, Stream(chunks))
        except BaseException as error:
            await exchange.__aexit__(None, None, None)
            if isinstance(error, PyreqwestError):
                raise self._translate(error) from error
            raise

    def _make(self) -> Client:
        settings = self._settings
        builder = (
            ClientBuilder()
            .no_proxy()
            .follow_redirects(False)
            .referer(False)
            .gzip(False)
            .brotli(False)
            .zstd(False)
            .deflate(False)
            .http1_only()
            .http1_lower_case_headers()
            .connect_timeout(timedelta(seconds=settings.connect_timeout))
            .pool_idle_timeout(timedelta(seconds=settings.idle_timeout))
            .max_connections(settings.pool_size)
        )
        try:
            if settings.ca_file is not None:
                builder = builder.add_root_certificate_pem(Path(settings.ca_file).read_bytes())
            if settings.client_cert is not None:
                files = (settings.client_cert, settings.client_key)
                pem = b"\n".join(Path(name).read_bytes() for name in files if name)
                builder = builder.identity_pem(pem)
            client = builder.danger_accept_invalid_certs(not settings.verify).build()
        except (OSError, PyreqwestError) as error:
            raise ConfigError(f"pyreqwest: {error}") from error
        except RuntimeError as error:  # its runtime does not survive a fork
            raise ConnectError(
                f"not sent to {self._authority}: {error}", retry=Retry.NEVER
            ) from error
        self.client, self._pid = client, os.getpid()
        return client

    def _translate(self, error: PyreqwestError) -> CallError:
        causes: list[str] = []
        if isinstance(error, DetailedPyreqwestError):
            causes = [cause["message"] for cause in error.details["causes"] or ()]
        said = ": ".join(dict.fromkeys([error.message, *causes[1:]]))
        if _CONNECT in causes:
            return ConnectError(f"no connection to {self._authority}: {said}")
        return ConnectionLost(f"{self._authority}: {said}")


_OURS = CONNECTION_FIELDS | {b"content-length"}


class _Upload:
    """A streamed request body. pyreqwest reads it in tasks of its own, and never closes it."""

    def __init__(self, body: Stream) -> None:
        self._body = body
        self._reading: asyncio.Task[object] | None = None
        self._closed = False

    def __aiter__(self) -> _Upload:
        return self

    async def __anext__(self) -> bytes:
        if self._closed:
            raise ConnectionLost("the exchange is over")
        self._reading = asyncio.current_task()
        try:
            return await self._body.__anext__()
        finally:
            self._reading = None

    async def aclose(self) -> None:
        self._closed = True
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        if self._body.read_started:
            await self._body.aclose()


class _Chunks:
    """The body of a response, chunk by chunk; the request's body ends with it."""

    def __init__(
        self,
        translate: Callable[[PyreqwestError], CallError],
        exchange: StreamRequest,
        reader: ResponseBodyReader,
        upload: _Upload | None,
    ) -> None:
        self._translate = translate
        self._exchange = exchange
        self._reader = reader
        self._upload = upload
        self._closed = False

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._reader.read_chunk()
        except PyreqwestError as error:
            await self.aclose()
            raise self._translate(error) from error
        if chunk is None:
            await self.aclose()
            raise StopAsyncIteration
        return chunk.to_bytes()

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await self._exchange.__aexit__(None, None, None)
            if self._upload is not None:
                await self._upload.aclose()


def _raw(headers: HeaderMap) -> RawHeaders:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
