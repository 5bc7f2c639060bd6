from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct

from skerry.app import App, Routes
from skerry.app.testclient import TestClient
from skerry.core.errors import ConfigError


class Rates(Struct):
    eur: float = 1.0


class Other(Struct):
    n: int = 0


def make() -> App:
    app = App("quotes")

    @app.resource
    async def rates() -> Rates:
        return Rates()

    @app.get("/rate")
    async def rate(rates: Rates) -> float:
        return rates.eur

    @app.get("/named/{name}")
    async def named(name: str, q: str = "") -> list[str]:
        return [name, q]

    return app


@pytest.mark.parametrize("name", ["q", "quotes", "q-2", "Quotes", "a" * 63])
def test_names(name: str) -> None:
    assert App(name).name == name


@pytest.mark.parametrize("name", ["", "2q", "-q", "q-", "q_1", "q.1", "q 1", "señor", "a" * 64])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ConfigError, match="an app's name is"):
        App(name)


def test_the_scopes_of_a_resource() -> None:
    async def rates() -> Rates: ...

    with pytest.raises(ConfigError, match="scope is 'instance' or 'request', not 'singleton'"):
        App("a").resource(scope="singleton")(rates)  # type: ignore[call-overload]


async def other() -> None: ...


async def other_resource() -> Other:
    return Other()


@pytest.mark.parametrize(
    "declare",
    [
        lambda app: app.get("/other")(other),
        lambda app: app.include(group()),
        lambda app: app.resource(other_resource),
        lambda app: app.settings(Other),
        lambda app: app.mount("/site", App("b")),
        lambda app: app.cors(origins=["*"]),
    ],
)
async def test_what_is_declared_after_the_start_would_be_lost(
    declare: Callable[[App], Any],
) -> None:
    app = make()
    async with TestClient(app) as client:
        with pytest.raises(ConfigError, match="quotes has started; declare it before"):
            declare(app)
        assert "/other" not in (await client.get("/openapi.json")).json()["paths"]
    declare(app)
    async with TestClient(app) as client:
        assert (await client.get("/rate")).json() == 1.0


async def test_what_a_resource_declares_would_be_lost_as_well() -> None:
    app = App("quotes")

    @app.resource
    async def late() -> Other:
        app.get("/other")(other)
        return Other()

    with pytest.raises(ConfigError, match=r"GET /other, .*other .* quotes has started"):
        await app.start()


def group() -> Routes:
    routes = Routes()
    routes.get("/other")(other)
    return routes


async def test_overrides() -> None:
    app = make()
    async with TestClient(app, overrides={Rates: Rates(2.0)}) as client:
        assert (await client.get("/rate")).json() == 2.0
    with pytest.raises(ConfigError, match=r"nothing provides <class .*Other'>; it cannot"):
        async with TestClient(app, overrides={Other: Other()}):
            pass


async def test_one_app_runs_in_one_client() -> None:
    app = make()
    async with TestClient(app) as client:
        with pytest.raises(ConfigError, match="quotes is running"):
            async with TestClient(app, overrides={Rates: Rates(2.0)}):
                pass
        await app.start()
        assert (await client.get("/rate")).json() == 1.0
    async with TestClient(app, overrides={Rates: Rates(2.0)}) as client:
        assert (await client.get("/rate")).json() == 2.0


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/named/münchen", ["münchen", ""]),
        ("/named/日本 語", ["日本 語", ""]),
        ("/named/a%20b", ["a b", ""]),
        ("/named/a?q=ü", ["a", "ü"]),
        ("/named/a?q=%C3%BC&x=[]", ["a", "ü"]),
    ],
)
async def test_any_path_can_be_asked_for(path: str, said: list[str]) -> None:
    async with TestClient(make()) as client:
        assert (await client.get(path)).json() == said


class Unreadable: ...


async def odd(value: Unreadable) -> None: ...


async def odd_answer() -> Unreadable: ...


@pytest.mark.parametrize(("method", "function"), [("POST", odd), ("GET", odd_answer)])
async def test_a_type_that_cannot_be_read_is_told_with_its_endpoint(
    method: str, function: Callable[..., Any]
) -> None:
    app = App("a")
    app.endpoint(method, "/odd")(function)
    with pytest.raises(ConfigError, match=rf"{method} /odd, .*{function.__name__} \(test_app.py:"):
        await app.start()
