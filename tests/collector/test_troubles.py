"""From spans posted to incidents, objectives and alerts, as the console and the CLI see them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from skerry.app.testclient import TestClient
from skerry.collector.app import app
from skerry.collector.settings import CollectorSettings
from skerry.collector.watching import _link
from skerry.observe.alerts import Alert


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[TestClient]:
    promises = tmp_path / "promises.json"
    apps = {"ledger": {"owner": "ledger@x.y", "objectives": [{"availability": 99.9}]}, "portal": {}}
    promises.write_text(json.dumps({"apps": apps}))
    chosen = CollectorSettings(path=str(tmp_path / "spans.db"), promises=str(promises))
    async with TestClient(app, overrides={CollectorSettings: chosen}) as client:
        yield client


async def until(ask: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(20):
        while not (found := await ask()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return found


async def post(client: TestClient, failed: int, good: int = 0) -> None:
    """Calls of the portal to the ledger, which fails some."""
    spans = []
    for number in range(failed + good):
        at = int(time.time() * 1e6)
        error = {"error": "locked", "error.type": "OperationalError"} if number < failed else {}
        common = {"traceId": f"{at:016x}{number + 1:016x}", "timestamp": at, "duration": 1000}
        spans += [
            {
                **common,
                "id": "1" * 16,
                "kind": "SERVER",
                "name": "POST /pay",
                "localEndpoint": {"serviceName": "portal"},
                "tags": {"error": ""} if error else {},
            },
            {
                **common,
                "id": "2" * 16,
                "parentId": "1" * 16,
                "kind": "SERVER",
                "name": "PUT /events",
                "localEndpoint": {"serviceName": "ledger"},
                "tags": error,
            },
        ]
    answer = await client.post("/api/v2/spans", json=spans)
    assert answer.status == 202


async def get(client: TestClient, path: str, **query: Any) -> Any:
    answer = await client.get(f"/api/skerry/{path}", query=query)
    assert answer.status == 200, answer.content
    return answer.json()


async def test_within_seconds_there_is_one_incident_and_one_alert(client: TestClient) -> None:
    assert await get(client, "incidents") == []
    await post(client, failed=20, good=20)
    (alert,) = await until(lambda: get(client, "alerts"))
    (incident,) = await get(client, "incidents")
    assert (alert["app"], alert["owner"], alert["state"]) == ("ledger", "ledger@x.y", "firing")
    assert alert["causes"] == [{"app": "ledger", "endpoint": "", "measure": "availability"}]
    assert [one["app"] for one in alert["victims"]] == ["portal"]
    assert alert["incidents"] == [incident["id"]] and alert["until"] is None
    assert incident["services"] == ["ledger", "portal"] and incident["count"] == 20
    assert sum(incident["sparkline"]) == 20
    standing = {one["app"]: one for one in await get(client, "objectives")}
    assert standing["ledger"]["burning"] == standing["portal"]["burning"] == "page"
    assert standing["ledger"]["bad"] == 20 and standing["ledger"]["total"] == 40
    assert (await get(client, "owners"))["ledger"]["owner"] == "ledger@x.y"


async def test_an_incident_is_shown_resolved_and_reopened(client: TestClient) -> None:
    await post(client, failed=1)
    (row,) = await until(lambda: get(client, "incidents"))
    detail = await get(client, f"incidents/{row['id'][:6]}")
    assert detail["hurt"] == [{"service": "portal", "operation": "post /pay", "count": 1}]
    assert len(detail["seen"]) == 1 and detail["type"] == "OperationalError"
    path = f"/api/skerry/incidents/{row['id']}"
    assert (await client.post(f"{path}/resolve", json={})).json()["state"] == "resolved"
    assert await get(client, "incidents") == []
    (row,) = await get(client, "incidents", state="resolved")
    assert (await client.post(f"{path}/reopen")).json()["state"] == "open"
    await client.post(f"{path}/resolve", json={"by_next_release": True})
    await post(client, failed=1)
    await asyncio.sleep(1.5)
    assert await get(client, "incidents", state="regressed") == []


async def test_whose_incidents(client: TestClient) -> None:
    await post(client, failed=1)
    await until(lambda: get(client, "incidents"))
    assert await get(client, "incidents", service="portal")
    assert await get(client, "incidents", service="quotes") == []
    assert await get(client, "incidents", limit=0) == []


async def test_what_is_not_known(client: TestClient) -> None:
    assert (await client.get("/api/skerry/incidents/abc")).status == 404
    assert (await client.post("/api/skerry/incidents/abc/resolve", json={})).status == 404
    assert (await client.get("/api/skerry/incidents", query={"state": "closed"})).status == 422


async def test_journeys_are_alerted_each_by_itself(tmp_path: Path) -> None:
    """What the probe has written is read beside what the fleet has, whenever it is there."""
    fleet, probe = tmp_path / "promises.json", tmp_path / "journeys.json"
    fleet.write_text(json.dumps({"apps": {"ledger": {"owner": "ledger@x.y"}}}))
    chosen = CollectorSettings(
        path=str(tmp_path / "spans.db"), promises=str(fleet), journeys=str(probe)
    )
    async with TestClient(app, overrides={CollectorSettings: chosen}) as client:
        assert set(await get(client, "owners")) == {"ledger"}
        objectives = [{"endpoint": name, "availability": 99.9} for name in ("pay", "look")]
        owners = {"pay": "ann@x.y", "look": "bob@x.y"}
        promised = {"apps": {"journeys": {"objectives": objectives, "owners": owners}}}
        probe.write_text(json.dumps(promised))

        async def both() -> bool:
            return set(await get(client, "owners")) == {"ledger", "journeys"}

        await until(both)
        spans = []
        for number in range(4):
            at = int(time.time() * 1e6)
            run = {"timestamp": at, "duration": 1000, "tags": {"error": "assert a"}}
            run |= {"traceId": f"{at:016x}{number + 1:016x}", "id": "1" * 16, "kind": "SERVER"}
            spans.append({**run, "name": "look", "localEndpoint": {"serviceName": "journeys"}})
        assert (await client.post("/api/v2/spans", json=spans)).status == 202
        (alert,) = await until(lambda: get(client, "alerts"))
        assert (alert["app"], alert["operation"]) == ("journeys", "look")
        assert alert["owner"] == "bob@x.y"
        assert alert["summary"].startswith("page: journeys look breaks what it has promised")
        probe.unlink()

        async def gone() -> bool:
            standing = [one["app"] for one in await get(client, "objectives")]
            return "journeys" not in standing

        await until(gone)


async def test_what_is_wrong_in_short(client: TestClient) -> None:
    nothing = {"open": 0, "regressed": 0, "resolved": 0, "problems": 0, "alerts": []}
    assert await get(client, "troubles") == nothing
    await post(client, failed=20)
    found = await until(lambda: burns(client))
    assert (found["open"], found["resolved"]) == (1, 0)
    assert [one["app"] for one in found["alerts"]] == ["ledger"]
    (row,) = await get(client, "incidents")
    await client.post(f"/api/skerry/incidents/{row['id']}/resolve", json={})
    found = await get(client, "troubles")
    assert (found["open"], found["resolved"]) == (0, 1)


async def burns(client: TestClient) -> Any:
    found = await get(client, "troubles")
    return found if found["alerts"] else None


async def test_an_incident_says_whose_it_is_and_what_it_belongs_to(client: TestClient) -> None:
    await post(client, failed=20)
    (alert,) = await until(lambda: get(client, "alerts"))
    (row,) = await get(client, "incidents")
    assert (row["owner"], row["hurts"]) == ("ledger@x.y", {"portal": 20})
    detail = await get(client, f"incidents/{row['id']}")
    assert detail["alert"] == alert["id"]
    assert detail["asked"] == [{"service": "ledger", "operation": "put /events", "count": 20}]
    assert sum(detail["history"]) == 20 and len(detail["history"]) == 96


async def test_incidents_are_found_by_words(client: TestClient) -> None:
    await post(client, failed=1)
    (row,) = await until(lambda: get(client, "incidents"))
    assert await get(client, "incidents", text="operationalerror portal")
    assert await get(client, "incidents", text="LEDGER@x.y put")
    assert await get(client, "incidents", text="operationalerror quotes") == []
    await client.post(f"/api/skerry/incidents/{row['id']}/resolve", json={})
    assert await get(client, "incidents") == []
    assert [one["id"] for one in await get(client, "incidents", ids=f"x,{row['id']}")] == [
        row["id"]
    ]


async def test_links_to_alerts_are_whole() -> None:
    alert = Alert("journeys.pay / tuition-7", "journeys", "", "page", 7.0)
    assert _link("http://c", alert) == "http://c/#/alerts/journeys.pay%20%2F%20tuition-7"
    assert _link("", alert) == ""
