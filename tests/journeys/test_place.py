"""Where journeys run: addresses, the environment, a fleet, apps in this process."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from skerry import App, ConfigError, DynamicClient, Http, event, eventually, journey
from skerry.journeys.inprocess import fleet_inside, inside
from skerry.journeys.perform import perform
from skerry.journeys.place import Place, front_of, reach
from skerry.spec import load
from skerry.transport.loopback import provided

from .support import Shop, served


async def test_addresses_from_the_environment_and_given_ones_before_them(shop: Shop) -> None:
    async with served(shop.app) as url:
        place = reach(environ={"SHOP_URL": url, "FRONT_URL": url})
        assert (await (await place.http("shop")).get("/")).status == 200
        assert await place.front() == url
        await place.close()
        nowhere = "http://127.0.0.1:1"
        place = reach({"shop": url}, environ={"SHOP_URL": nowhere, "FRONT_URL": nowhere})
        assert (await (await place.http("shop")).get("/")).status == 200
        await place.close()


@pytest.mark.parametrize("urls", [{"shop": "here"}, {"front": "ftp://x"}, {"shop": "http://a,b"}])
def test_what_is_no_address(urls: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="is not an HTTP URL"):
        reach(urls, environ={})


async def test_no_front_door(shop: Shop) -> None:
    @journey
    async def look(http: Http) -> None:
        raise AssertionError("not reached")

    place = reach({"shop": "http://127.0.0.1:1"}, environ={})
    result = await perform(look, place)
    await place.close()
    assert result.error is not None
    assert "there is no front door" in result.error.message


async def test_a_fleet_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not answer"):
        await front_of(str(tmp_path / "control.sock"))


def test_whom_the_browser_tells_of_the_trace() -> None:
    place = Place(None, "http://127.0.0.1:8080", urls=("https://shop.example/api",))  # type: ignore[arg-type]
    for ours in (
        "http://127.0.0.1:8080/a?b",
        "https://shop.example/x",
        "http://shop.localhost:8080/",
    ):
        assert place.is_ours(ours), ours
    for other in (
        "http://127.0.0.1:8081/",
        "https://shop.example.evil/",
        "http://shop.localhost:9/",
        "https://fonts.example/a",
    ):
        assert not place.is_ours(other), other


@event("sales.sold")
class Sold(Struct):
    what: str


async def test_apps_that_tell_each_other_events_share_a_bus() -> None:
    seen: list[str] = []
    sales, stock = App("sales"), App("stock")
    sales.publishes(Sold)

    @sales.post("/sales")
    async def sell(what: str) -> None:
        await sales.publish(Sold(what))

    @stock.on(Sold)
    async def book(sold: Sold) -> None:
        seen.append(sold.what)

    @journey
    async def buy(sales: DynamicClient) -> None:
        await sales.sell(what="tea")
        await eventually(lambda: seen == ["tea"], within=20)

    async with inside({"sales": sales, "stock": stock}) as place:
        assert (await perform(buy, place)).error is None


async def test_apps_with_schedules_end_one_after_the_other() -> None:
    apps = {name: App(name) for name in ("first", "second", "third")}
    for app in apps.values():

        @app.every("1h")
        async def tidy() -> None: ...

    async with asyncio.timeout(30):
        async with inside(apps):
            await asyncio.sleep(0.1)  # until they lead


async def test_it_is_gone_afterwards(shop: Shop) -> None:
    async with inside({"shop": shop.app}) as place:
        assert provided("shop")
        assert (await (await place.http("shop")).get("/")).status == 200
        answer = await (await place.http()).get("/")
        assert answer.status == 404
        assert "No route leads there" in answer.text
    assert not provided("shop")


APP = """
import os
from skerry import App

app = App("{name}")
here, tenant = os.getcwd(), os.environ["TENANT"]

@app.get("/where")
async def where() -> dict[str, str]:
    return {{"tenant": tenant, "here": here}}
"""


def fleet(root: Path, table: str, source: str = "") -> Path:
    (root / "fleet.toml").write_text(
        f'[fleet]\nname = "f"\n[front]\nroutes = {{ "/i" = "inner" }}\n[apps.inner]\n{table}'
    )
    (root / "inner" / "inner_of_journeys").mkdir(parents=True, exist_ok=True)
    (root / "inner" / "inner_of_journeys" / "__init__.py").write_text("")
    code = source or APP.format(name="inner")
    (root / "inner" / "inner_of_journeys" / "app.py").write_text(code)
    return root


@pytest.fixture
def forget(monkeypatch: pytest.MonkeyPatch) -> Any:
    import sys

    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in [name for name in sys.modules if name.startswith("inner_of_journeys")]:
        del sys.modules[name]


async def test_the_apps_of_a_fleet(tmp_path: Path, forget: None) -> None:
    table = 'app = "inner_of_journeys.app:app"\nenv = { TENANT = "harbour" }\n'
    spec = load(fleet(tmp_path, table))
    before = (Path.cwd(), dict(os.environ))

    here = str(spec.root)

    @journey
    async def look(http: Http, inner: DynamicClient) -> None:
        told = await inner.where()
        assert (told["tenant"], told["here"]) == ("harbour", here)
        assert (await http.get("/i/where")).ok().json() == told

    async with fleet_inside(spec, tmp_path) as place:
        assert (Path.cwd(), dict(os.environ)) == before
        result = await perform(look, place)
    assert result.error is None


@pytest.mark.parametrize(
    ("table", "source", "said"),
    [
        ('command = "serve"\n', "", "inner has no application object"),
        ('app = "inner_of_journeys.app:app"\n', "app = object()", "inner is a object"),
        ('app = "inner_of_journeys.app:app"\n', "1 / 0", "inner: cannot import .*ZeroDivision"),
        ('url = "http://127.0.0.1:1"\n', "", "inner has no application object"),
    ],
)
async def test_apps_that_cannot_run_here(
    tmp_path: Path, forget: None, table: str, source: str, said: str
) -> None:
    spec = load(fleet(tmp_path, table, source))
    with pytest.raises(ConfigError, match=said):
        async with fleet_inside(spec, tmp_path):
            pass
