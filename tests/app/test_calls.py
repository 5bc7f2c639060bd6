"""How an app's clients are set, and its stacks edited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from skerry.app import App
from skerry.app.testclient import TestClient
from skerry.clients.runtime import Client
from skerry.core.errors import ConfigError, DeadlineExceeded
from skerry.core.service import Service
from skerry.core.stack import Stack
from skerry.core.wire import Request, Response
from skerry.filters.deadline import DeadlineSettings
from skerry.stack.client import ClientSettings
from skerry.stack.server import ServerSettings
from skerry.transport.loopback import provide, withdraw

Wire = Stack[Request, Response]
QUICK = ClientSettings(deadline=DeadlineSettings(timeout=0.05), retry=None)


class Schools(Client):
    __app__ = "schools"

    async def get(self) -> int:
        return (await self._service(Request("GET", "/schools", route="list_schools"))).status


@pytest.fixture
def schools() -> Iterator[list[float]]:
    """Schools that answer after as many seconds."""
    seconds = [0.0]

    async def service(request: Request) -> Response:
        await asyncio.sleep(seconds[0])
        return Response(200)

    provide("schools", service)
    yield seconds
    withdraw("schools")


def calling(app: App) -> App:
    @app.get("/quote")
    async def quote(schools: Schools) -> int:
        return await schools.get()

    return app


def shown(app: App, other: str) -> dict[str, str]:
    return {row.role: row.filter for row in app.connector.describe(other)}


async def test_one_callee_has_its_own_settings(schools: list[float]) -> None:
    app = calling(App("quotes"))
    app.calls(Schools, QUICK)
    assert shown(app, "schools")["deadline"] == "Deadline(timeout=0.05 s, idle=60 s)"
    assert shown(app, "schools")["retry"] == ""
    assert shown(app, "banks")["deadline"] == "Deadline(timeout=10 s, idle=60 s)"
    async with TestClient(app) as client:
        assert (await client.get("/quote")).status == 200
        schools[0] = 5.0
        late = await client.get("/quote")
    assert late.status == 504 and "schools" in late.json()["detail"]


async def test_all_callees_have_the_apps(schools: list[float]) -> None:
    app = calling(App("quotes", clients=QUICK))
    assert shown(app, "schools")["retry"] == shown(app, "banks")["retry"] == ""
    app.calls("schools", ClientSettings())
    assert shown(app, "schools")["retry"] != ""


async def test_a_client_without_a_file_may_be_made_before(schools: list[float]) -> None:
    app = App("quotes")
    client = app.client("schools")
    app.calls("schools", QUICK)
    app.endpoints()
    schools[0] = 5.0
    with pytest.raises(DeadlineExceeded, match=r"schools: no answer after 0\.0"):
        await client.get_school("mit")


def test_resources_call_too() -> None:
    app = App("quotes")

    @app.resource
    async def names(schools: Schools) -> AsyncIterator[list[str]]:
        yield []

    app.calls("schools", QUICK)
    app.endpoints()


@pytest.mark.parametrize(
    ("other", "hint"),
    [("school", "Did you mean 'schools'?"), ("ledger", "There is schools.")],
)
def test_settings_of_what_is_never_called_are_refused_at_start(other: str, hint: str) -> None:
    app = calling(App("quotes"))
    app.calls(other, QUICK)
    with pytest.raises(ConfigError) as raised:
        app.contract()
    assert f"how {other!r} is called, but no function takes a client of it" in str(raised.value)
    assert str(raised.value).endswith(hint)


def test_what_is_wrong_is_said_where_it_stands() -> None:
    app = calling(App("quotes"))
    app.calls(Schools, QUICK)
    with pytest.raises(ConfigError, match="twice how 'schools' is called"):
        app.calls("schools", ClientSettings())
    with pytest.raises(ConfigError, match="is no client of an app"):
        app.calls(dict[str, Any], ClientSettings())
    wrong = ClientSettings(edit_call=lambda stack: stack.put("retyr", None))
    with pytest.raises(ConfigError, match="Did you mean 'retry'"):
        app.calls("banks", wrong)
    with pytest.raises(ConfigError, match="Did you mean 'retry'"):
        App("other", clients=wrong)


async def only_friends(request: Request, service: Service[Request, Response]) -> Response:
    if request.headers.get("x-friend") is None:
        return Response(403)
    return await service(request)


async def test_the_server_stack_can_be_edited() -> None:
    def edit(stack: Wire) -> Wire:
        return stack.put("authorise", only_friends)

    app = App("quotes", server=ServerSettings(edit=edit))

    @app.get("/quote", timeout=2.0)
    async def quote() -> int:
        return 1

    rows = {row.role: row.filter for row in app.describe("quote")}
    assert rows["authorise"] == f"{__name__}.only_friends"
    assert rows["deadline"] == "Deadline(timeout=2 s)"
    async with TestClient(app) as client:
        assert (await client.get("/quote")).status == 403
        assert (await client.get("/nowhere")).status == 403
        assert (await client.get("/quote", headers={"x-friend": "yes"})).status == 200
        assert (await client.get("/livez")).status == 200


async def test_an_edit_of_a_server_that_goes_wrong_is_found_at_start() -> None:
    server = ServerSettings(edit=lambda stack: stack.put("autorise", only_friends))
    with pytest.raises(ConfigError, match="Did you mean 'authorise'"):
        await App("quotes", server=server).start()
