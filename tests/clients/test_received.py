from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from skerry import App, Reply, received
from skerry.app.testclient import TestClient
from skerry.clients.dynamic import connect
from skerry.clients.runtime import Client, Endpoint, path
from skerry.core.errors import Conflict, NotFound
from skerry.core.wire import Headers, Request, Response

from .support import document, generated, getting

GET = Endpoint[int](
    "get", "GET", "/{n}", path("n", int), answers={200: int}, raises={404: NotFound}
)


async def echo(request: Request) -> Response:
    number = request.path[1:]
    await asyncio.sleep(0)
    status = 404 if number == "0" else 200
    return Response(status, Headers.of({"etag": f'"{number}"'}), number.encode())


async def test_what_comes_beside_the_answer() -> None:
    client = Client(echo)
    await client._call(GET, 7)  # nobody asks
    with received() as answer:
        assert (answer.status, len(answer.headers)) == (0, 0)
        assert await client._call(GET, 1) == 1
        assert (answer.status, answer.headers.get("etag")) == (200, '"1"')
        with pytest.raises(NotFound):
            await client._call(GET, 0)
        assert (answer.status, answer.headers.get("ETag")) == (404, '"0"')
    await client._call(GET, 7)
    assert answer.status == 404


async def test_calls_side_by_side_are_told_apart() -> None:
    async def tag(number: int) -> str | None:
        with received() as answer:
            await Client(echo)._call(GET, number)
        return answer.headers.get("etag")

    found = await asyncio.gather(*(tag(number) for number in range(1, 9)))
    assert found == [f'"{number}"' for number in range(1, 9)]


async def test_a_client_made_at_run_time() -> None:
    app = App("quotes")

    @app.post("/quotes", status=201, raises=[Conflict])
    async def create_quote() -> Reply[int]:
        return Reply(5, {"location": "/quotes/5"})

    async with TestClient(app):
        with received() as answer:
            assert await connect(app.service, "quotes").create_quote() == 5
    assert (answer.status, answer.headers.get("location")) == (201, "/quotes/5")


def fields() -> dict[str, Any]:
    paths = getting({"type": "integer"})
    told = {name: {"schema": {"type": "string"}} for name in ("ETag", "Content-Type", "Link")}
    paths["/thing"]["get"]["responses"]["200"]["headers"] = told
    return document(paths)


def test_the_docstring_names_what_the_contract_promises(tmp_path: Path) -> None:
    module = generated(fields(), tmp_path)
    assert "Header fields of the answer: ETag, Link." in (module.Things.get_thing.__doc__ or "")


def test_without_await(tmp_path: Path) -> None:
    module: ModuleType = generated(fields(), tmp_path, "blocking")

    async def five(request: Request) -> Response:
        return Response(200, Headers.of({"etag": "x"}), b"5")

    with received() as answer:
        assert module.Blocking(five).sync.get_thing() == 5
    assert answer.headers.get("etag") == "x"
