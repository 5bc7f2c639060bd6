"""The fleet runs what looks on, and tells its apps where their spans go."""

from __future__ import annotations

import asyncio
import json
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from skerry.fleet.attendants import (
    COLLECTOR,
    CONSOLE,
    JOURNEYS,
    PROMISES,
    Attendants,
    write_promises,
)
from skerry.fleet.replica import State
from skerry.fleet.sockets import Sockets
from skerry.fleet.state import State as Folder
from skerry.fleet.status import fleet_status
from skerry.fleet.up import _reload
from skerry.observe.objectives import Objective
from skerry.observe.watch import Promises
from skerry.spec import Fleet, JourneysSpec, ObjectiveSpec, ObserveSpec, load

from .conftest import APP, Http, Running, Tree


@pytest.fixture
def fleet(tree: Tree) -> Fleet:
    tree.add("one")
    return load(tree.root)


def attendants(fleet: Fleet, **environment: str) -> Attendants:
    state = Folder(fleet.state)
    state.prepare()
    return Attendants(Sockets(state, fleet.root), Path("c.sock"), 1.0, environment)


ALL = ObserveSpec(collector=True, console=True)


def test_apps_learn_where_spans_go_by_the_variables_that_sdks_know(fleet: Fleet) -> None:
    fleet = replace(fleet, observe=ALL)
    there = attendants(fleet)
    env = there.spans(fleet, "one", "one-1")
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == there.address(fleet, COLLECTOR)
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"].startswith("http://127.0.0.1:")
    assert env["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert env["OTEL_SERVICE_NAME"] == "one"
    assert "service.instance.id=one-1" in env["OTEL_RESOURCE_ATTRIBUTES"]


@pytest.mark.parametrize(
    ("observe", "environment", "endpoint"),
    [
        (ObserveSpec(collector=False, url="http://jaeger:4318"), {}, "http://jaeger:4318"),
        (ObserveSpec(collector=False, console=False), {}, None),
        (ALL, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://mine:4318"}, None),
    ],
)
def test_or_elsewhere(
    fleet: Fleet, observe: ObserveSpec, environment: dict[str, str], endpoint: str | None
) -> None:
    fleet = replace(fleet, observe=observe)
    env = attendants(fleet, **environment).spans(fleet, "one", "one-1")
    assert env.get("OTEL_EXPORTER_OTLP_ENDPOINT") == endpoint
    assert env["OTEL_SERVICE_NAME"] == "one"


def test_a_page_that_is_open_does_not_hold_up_the_end(fleet: Fleet) -> None:
    fleet = replace(fleet, observe=ALL)
    there = attendants(fleet)
    drains = [there.recipe(fleet, name).job for name in there.names(fleet)]
    assert [job and job.drain for job in drains] == [1.0, 0.3]  # of the collector as told


def test_they_are_not_to_be_seen_themselves(fleet: Fleet) -> None:
    fleet = replace(fleet, observe=ALL)
    there = attendants(fleet)
    assert there.names(fleet) == [COLLECTOR, CONSOLE]
    for name in there.names(fleet):
        recipe: Any = there.recipe(fleet, name)
        assert recipe.env["OTEL_SDK_DISABLED"] == "true"
        assert not recipe.seats[0].listed


def test_the_collector_is_told_what_apps_promise(tree: Tree) -> None:
    tree.add("one", 'owner = "one@x.y"\nobjectives = [{ endpoint = "GET /", latency = "300ms" }]')
    tree.add("two")
    tree.write("fleet.toml", tree.text + "[alerts]\nwebhook = 'http://hook'")
    fleet = load(tree.root)
    Folder(fleet.state).prepare()
    write_promises(fleet)
    path = fleet.state / PROMISES
    assert path.stat().st_mode & 0o777 == 0o600
    told = msgspec.json.decode(path.read_bytes(), type=Promises, strict=True)
    assert told.apps["one"].owner == "one@x.y"
    assert told.apps["one"].objectives == [Objective("GET /", latency=0.3)]
    assert told.apps["two"].objectives == []
    assert told.alerts.webhook == "http://hook"


FAILS = """
    from skerry import App

    app = App("one")

    @app.get("/fail")
    async def fail() -> None:
        raise OSError("no disk")
"""


async def test_it_runs_beside_the_apps_and_answers(
    tree: Tree, running: Running, http: Http, until: Any
) -> None:
    tree.text = tree.text.replace("collector = false", "collector = true")
    tree.add("one", source=FAILS)
    async with running() as supervisor:
        status = fleet_status(supervisor)
        (row,) = status.attendants
        assert (row.id, row.kind, row.state) == (COLLECTOR, "attendant", State.READY)
        assert [app.app for app in status.apps] == ["one"]
        assert COLLECTOR not in supervisor.listing()
        assert (await http(status.collector, "/health")).status == 200
        spans = b'[{"traceId": "1", "id": "1", "name": "x", "localEndpoint": {"serviceName": "a"}}]'
        answer = await http(
            status.collector, "/api/v2/spans", "POST", spans, content_type="application/json"
        )
        assert answer.status == 202
        objectives = await http(status.collector, "/api/skerry/objectives")
        assert [one["app"] for one in objectives.json()] == ["one"]
        pid = row.pid
        tree.text = tree.text.replace("collector = true", "collector = false")
        tree.write("fleet.toml", tree.text)
        await supervisor.apply(load(tree.root))
        assert fleet_status(supervisor).attendants == []
        assert pid is not None
        await until(lambda: not Path(f"/proc/{pid}").exists())


def test_the_probe_is_seen_and_told_what_the_file_says(fleet: Fleet) -> None:
    spec = JourneysSpec(fleet.root / "trips", True, 7, "qa@x.y", (ObjectiveSpec("pay", 99.0),))
    fleet = replace(fleet, observe=ALL, journeys=spec)
    there = attendants(fleet)
    assert there.names(fleet) == [COLLECTOR, CONSOLE, JOURNEYS]
    recipe: Any = there.recipe(fleet, JOURNEYS)
    env = recipe.env
    assert "OTEL_SDK_DISABLED" not in env
    assert env["OTEL_SERVICE_NAME"] == "journeys"
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == there.address(fleet, COLLECTOR)
    assert env["SKERRY_JOURNEYS"] == str(fleet.root / "trips")
    assert env["SKERRY_JOURNEYS_FOLDER"] == str(fleet.state / "journeys")
    assert (env["SKERRY_JOURNEYS_KEEP"], env["SKERRY_JOURNEYS_OWNER"]) == ("7", "qa@x.y")
    assert msgspec.json.decode(env["SKERRY_JOURNEYS_OBJECTIVES"], type=list[Objective]) == [
        Objective("pay", availability=99.0)
    ]
    other = replace(fleet, journeys=replace(spec, keep=8))
    assert there.depends(fleet, JOURNEYS) != there.depends(other, JOURNEYS)
    assert there.depends(fleet, CONSOLE) == there.depends(other, CONSOLE)


JOURNEY = """
    from skerry import DynamicClient, Http, journey, step

    @journey(every="300ms", owner="{owner}")
    async def greet(http: Http, one: DynamicClient) -> None:
        with step("through the front door"):
            (await http.get("/one/hello")).ok()
        with step("straight"):
            assert (await one.hello())["from"] == "one"
"""


async def test_the_probe_waits_for_the_fleet_and_follows_its_files(
    tree: Tree, running: Running, http: Http, until: Any
) -> None:
    tree.text = tree.text.replace("collector = false", "collector = true")
    tree.text += "[journeys]\nprobe = true\nkeep = 5\n"
    journeys = tree.write("journeys/greet.py", JOURNEY.format(owner="ann@x.y"))
    tree.add("one", source="import time\ntime.sleep(1)\n" + textwrap.dedent(APP.format(name="one")))
    async with running() as supervisor:
        reloading = asyncio.create_task(_reload(supervisor))
        status = fleet_status(supervisor)
        (probe,) = [row for row in status.attendants if row.id == JOURNEYS]
        assert probe.state == State.READY

        async def told() -> dict[str, Any]:
            (one,) = (await http(probe.url, "/journeys")).json()
            return dict(one)

        async def changed() -> bool:
            return bool((await told())["owner"] == "bob@x.y")

        async def traced() -> Any:
            answer = await http(status.collector, f"/api/v2/trace/{seen['last']['trace']}")
            if answer.status == 200 and len(services := {*map(_service, answer.json())}) == 2:
                return services
            return None

        async def often() -> bool:
            return bool((await told())["runs"] >= 3)

        await until(often)
        seen = await told()
        assert (seen["failed"], seen["owner"]) == (0, "ann@x.y")  # none while one was starting
        assert await until(traced) == {"journeys", "one"}
        names = await http(status.collector, "/api/v2/spans?serviceName=journeys")
        assert "greet" in names.json() and not any("/journeys" in one for one in names.json())
        journeys.write_text(textwrap.dedent(JOURNEY.format(owner="bob@x.y")))
        await until(changed)
        assert (await told())["runs"] >= 3  # those before are kept
        standing = [
            (one["app"], one["endpoint"])
            for one in (await http(status.collector, "/api/skerry/objectives")).json()
        ]
        assert ("journeys", "greet") in standing
        reloading.cancel()
        tree.write("fleet.toml", tree.text.replace("probe = true", "probe = false"))
        await supervisor.apply(load(tree.root))
        assert JOURNEYS not in supervisor.attendants
        assert json.loads((tree.root / ".skerry" / PROMISES).read_text())["apps"].keys() == {"one"}
        assert not (tree.root / ".skerry" / JOURNEYS / PROMISES).exists()


def _service(span: Any) -> str:
    return str(span["localEndpoint"]["serviceName"])


async def test_a_part_of_the_fleet_has_no_probe(tree: Tree, running: Running) -> None:
    tree.text += "[journeys]\nprobe = true\n"
    tree.write("journeys/greet.py", JOURNEY.format(owner=""))
    tree.add("one")
    async with running("one") as supervisor:
        assert list(supervisor.attendants) == []
