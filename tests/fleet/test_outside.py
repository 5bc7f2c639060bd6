"""Apps that run elsewhere: called like any other, and told nothing that is the fleet's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from skerry.fleet.status import fleet_status

NEAR = """
    from skerry import App

    app = App("near")

    @app.get("/ask")
    async def ask() -> dict[str, str]:
        return await app.client("far").headers()
"""
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "far", "version": "1"},
    "paths": {
        "/headers": {
            "get": {
                "operationId": "headers",
                "responses": {
                    "200": {
                        "description": "",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "additionalProperties": {"type": "string"},
                                }
                            }
                        },
                    }
                },
            }
        }
    },
}
# What the fleet says to its own apps, and to nobody else.
OURS = {"traceparent", "tracestate", "baggage", "grpc-timeout"}
OURS |= {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}


@pytest.fixture
async def far() -> AsyncIterator[str]:
    """The URL of a server that shows the headers it was sent, below ``/v1``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            line, *fields = head.strip().split("\r\n")
            headers = dict(field.lower().split(": ", 1) for field in fields)
            shown = DOCUMENT if line.split()[1] == "/v1/openapi.json" else headers
            body = json.dumps(shown).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n" % len(body) + body
            )

    async def ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(ended, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    server.close()


async def test_others_are_not_told_what_is_ours(
    tree: Any, running: Any, http: Any, far: str
) -> None:
    tree.add("far", f'url = "{far}"', "")
    tree.add("near", 'needs = ["far"]', NEAR)
    context = {
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "baggage": "tenant=a",
        "grpc-timeout": "5S",
    }
    async with running() as supervisor:
        front = supervisor.recipes.front_url()
        through_app = (await http(front, "/near/ask", **context)).json()
        assert through_app["host"] == far.split("/")[2]
        assert not OURS & through_app.keys()
        through_door = (await http(front, "/far/headers", x_own="1", **context)).json()
        assert through_door["x-own"] == "1"
        assert not OURS & through_door.keys()


async def test_where_it_is_and_what_it_was_asked_shows(
    tree: Any, running: Any, http: Any, until: Any, far: str
) -> None:
    tree.add("far", f'url = "{far}"', "")
    async with running() as supervisor:
        (app,) = fleet_status(supervisor).apps
        assert (app.state, app.url) == ("external", far)
        await http(supervisor.recipes.front_url(), "/far/headers")
        await until(lambda: fleet_status(supervisor).apps[0].counts.requests == 1)
