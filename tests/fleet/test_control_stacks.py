"""What a running fleet tells of its stacks, its versions and its rates."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from skerry.core.errors import NotFound
from skerry.fleet.client import Control, ControlError

from .conftest import Http, Running, Tree

CALLER = """
    from skerry import App

    app = App("caller", version="2.1.0")
    other = app.client("callee")

    @app.get("/ask")
    async def ask() -> dict[str, str]:
        return await other.hello()
"""


@pytest.fixture
def control(tree: Tree) -> Any:
    """Asks the control API, as another process would."""
    there = Control(tree.root)

    async def ask(method: str, path: str, body: Any = None) -> Any:
        return await asyncio.to_thread(there.request, method, path, body)

    return ask


async def test_stacks_versions_and_rates(
    tree: Tree, running: Running, http: Http, until: Any, control: Any
) -> None:
    tree.add("callee", 'owner = "ann@example.org"\nteam = "core"')
    tree.add("caller", 'needs = ["callee"]', CALLER)
    async with running() as supervisor:
        url = supervisor.replicas["caller"][0].seats[0].url
        for _ in range(5):
            assert (await http(url, "/ask")).status == 200

        async def told() -> Any:
            found = await control("GET", "/apps/caller/stacks")
            return found if found["instances"] and found["instances"][0]["clients"] else None

        found = await until(told)
        kinds = {(view["kind"], *view["names"]) for view in found["stacks"]}
        assert kinds == {("server", "ask"), ("client", "callee")}
        (client,) = found["instances"][0]["clients"]
        assert client["peer"] == "callee"
        assert client["retries_left"] >= client["retries_reserve"] > 0
        (target,) = client["instances"]
        assert (target["id"], target["breaker"], target["in_flight"]) == ("callee-1", "closed", 0)
        assert target["latency_ms"] > 0

        async def flowing() -> Any:
            status = await control("GET", "/instances")
            apps = {app["app"]: app for app in status["apps"]}
            return apps if apps["caller"]["recent"]["per_second"] else None

        apps = await until(flowing)
        assert apps["caller"]["versions"] == ["2.1.0"]
        assert apps["caller"]["recent"]["p50_ms"] > 0
        assert (apps["callee"]["owner"], apps["callee"]["team"]) == ("ann@example.org", "core")
        assert sum(apps["caller"]["trend"]) * 2 == pytest.approx(5)
        flows = {(f["kind"], f["name"]) for f in (await told())["flows"]}
        assert {("server", "ask"), ("attempt", "callee"), ("client", "callee")} <= flows
        (short,) = [one for one in await control("GET", "/stacks") if one["app"] == "caller"]
        assert (short["breakers"], short["not_closed"], short["peers"]) == (1, 0, ["callee"])
        with pytest.raises(ControlError, match="nobody"):
            await control("GET", "/apps/nobody/stacks")


async def test_breakers_that_keep_calls_away_are_counted(
    tree: Tree, running: Running, http: Http, until: Any, control: Any
) -> None:
    tree.add(
        "callee",
        source="""
        from skerry import App
        app = App("callee")
        @app.get("/hello")
        async def hello() -> dict[str, str]:
            raise RuntimeError("no")
    """,
    )
    tree.add("caller", 'needs = ["callee"]', CALLER)
    async with running() as supervisor:
        url = supervisor.replicas["caller"][0].seats[0].url

        async def shut() -> Any:
            await http(url, "/ask")
            (short,) = [one for one in await control("GET", "/stacks") if one["app"] == "caller"]
            return short["not_closed"]

        assert await until(shut) == 1


async def test_stop_and_start(tree: Tree, running: Running, control: Any) -> None:
    tree.add("one", "instances = 2")
    async with running():
        stopped = await control("POST", "/apps/one/stop")
        assert (stopped["instances"], stopped["state"]) == (0, "stopped")
        started = await control("POST", "/apps/one/start")
        assert (started["instances"], started["ready"]) == (2, 2)
        assert (await control("POST", "/apps/one/start"))["instances"] == 2
        for verb in ("stop", "start"):
            with pytest.raises(ControlError) as refused:
                await control("POST", f"/apps/none/{verb}")
            assert refused.value.status == NotFound.status
