from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from skerry.fleet.probe import Health, probe

READYZ = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\r\n"
    b'{"status":"unready","checks":{"rates":"ok","bus":"it is away","db":"no answer"}}'
)


@asynccontextmanager
async def answering(data: bytes | None) -> AsyncIterator[str]:
    """A server that answers everything with ``data``, or never."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if data is None:
            await reader.read()
        else:
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("data", "path", "limit", "health", "why"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "/readyz", 500, Health.OK, ""),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "/readyz", 500, Health.OK, ""),
        (b"HTTP/1.1 404 No\r\n\r\n", "/up", 400, Health.REFUSES, "GET /up answers 404"),
        (b"HTTP/1.0 503 No\r\n\r\n", "/", 500, Health.REFUSES, "GET / answers 503"),
        (READYZ, "/readyz", 500, Health.REFUSES, "bus: it is away; db: no answer"),
        (b"HTTP/1.1 503 No\r\n\r\n[1]", "/", 500, Health.REFUSES, "GET / answers 503"),
        (b"220 smtp.example\r\n", "/", 500, Health.OK, ""),
        (b"220 smtp\r\n", "/up", 400, Health.REFUSES, "what answers GET /up is not HTTP"),
        (b"", "/", 500, Health.SILENT, "the connection was closed on GET /"),
        (b"x" * 200_000, "/up", 400, Health.REFUSES, "what answers GET /up is not HTTP"),
    ],
)
async def test_what_an_answer_means(
    data: bytes, path: str, limit: int, health: Health, why: str
) -> None:
    async with answering(data) as url:
        assert await probe(url, path, limit, 5.0) == (health, why)


async def test_silence() -> None:
    async with answering(None) as url:
        assert await probe(url, "/", 500, 0.05) == (Health.SILENT, "no answer to GET / in 0.05 s")
    health, why = await probe(url, "/", 500, 5.0)
    assert health is Health.SILENT
    assert why.startswith("no connection: ")
