"""What the console's endpoints and ``skerry endpoints`` are made of."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from skerry.app.testclient import TestClient
from skerry.collector.app import app
from skerry.collector.settings import CollectorSettings

PROMISES = {
    "bank": {
        "owner": "ann@example.org",
        "team": "money",
        "objectives": [
            {"endpoint": "GET /balance", "availability": 99.9, "latency": 0.5},
            {"availability": 99.5},
        ],
        "owners": {"GET /rate": "bob@example.org"},
    },
    "shop": {"objectives": [{"availability": 99.0}]},
}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[TestClient]:
    promises = tmp_path / "promises.json"
    promises.write_text(json.dumps({"apps": PROMISES}))
    chosen = CollectorSettings(path=str(tmp_path / "spans.db"), promises=str(promises))
    async with TestClient(app, overrides={CollectorSettings: chosen}) as client:
        yield client


async def post(client: TestClient, *spans: dict[str, Any]) -> None:
    """Requests that were served just now."""
    for number, one in enumerate(spans):
        at = int(time.time() * 1e6)
        common = {"traceId": f"{at:016x}{number:016x}", "id": "1" * 16, "timestamp": at}
        one |= {**common, "duration": 2000, "kind": "SERVER", **one}
        one["localEndpoint"] = {"serviceName": one.pop("app", "bank")}
    assert (await client.post("/api/v2/spans", json=list(spans))).status == 202


async def ask(client: TestClient, path: str) -> Any:
    answer = await client.get(f"/api/skerry/{path}")
    assert answer.status == 200, answer.text
    return answer.json()


async def test_endpoints_are_told_with_whose_they_are_and_what_they_promise(
    client: TestClient,
) -> None:
    await post(
        client,
        {"name": "GET /balance"},
        {"name": "GET /balance", "tags": {"error": "locked"}},
        {"name": "GET /rate"},
        {"name": "process orders.placed", "kind": "CONSUMER", "app": "shop"},
    )
    found = await ask(client, "endpoints")
    rows = {(row["service"], row["name"]): row for row in found["endpoints"]}
    assert list(rows) == [
        ("bank", "get /balance"),
        ("bank", "get /rate"),
        ("shop", "process orders.placed"),
    ]
    balance = rows["bank", "get /balance"]
    assert (balance["count"], balance["errors"], balance["kind"]) == (2, 1, "SERVER")
    assert (balance["owner"], balance["team"]) == ("ann@example.org", "money")
    assert rows["bank", "get /rate"]["owner"] == "bob@example.org"
    assert balance["p99"] == pytest.approx(0.002, rel=0.02)
    assert (sum(balance["counts"]), sum(balance["failed"])) == (2, 1)
    assert found["step"] == 60
    assert found["since"] + found["step"] * len(balance["counts"]) > found["until"]
    assert found["partial"]
    assert "histogram" not in balance
    assert balance["series"] is None
    assert {(one["app"], one["endpoint"], one["measure"]) for one in found["objectives"]} == {
        ("bank", "GET /balance", "availability"),
        ("bank", "GET /balance", "latency"),
        ("bank", "", "availability"),
        ("shop", "", "availability"),
    }


async def test_one_endpoint_comes_with_what_is_promised_of_it(client: TestClient) -> None:
    await post(client, {"name": "GET /balance"}, {"name": "GET /rate"}, {"app": "shop"})
    found = await ask(client, "endpoints?service=bank&name=GET%20/rate&series=true")
    (row,) = found["endpoints"]
    assert row["name"] == "get /rate"
    assert [(one["app"], one["endpoint"]) for one in found["objectives"]] == [("bank", "")]
    assert sum(point["count"] for point in row["series"]["points"]) == 1
    series = await ask(client, "series?service=bank&name=GET%20/rate")
    assert [point["count"] for point in series["points"]] == [
        point["count"] for point in row["series"]["points"]
    ]
    both = await ask(client, "series?service=bank")
    assert sum(point["count"] for point in both["points"]) == 2


async def test_unresolved_incidents_stand_at_whom_they_hurt(client: TestClient) -> None:
    tags = {"error": "locked", "error.type": "OperationalError"}
    await post(client, {"name": "GET /balance", "tags": tags}, {"name": "GET /rate"})
    end = time.monotonic() + 20
    while not (incidents := await ask(client, "incidents")):
        assert time.monotonic() < end
    rows = {row["name"]: row for row in (await ask(client, "endpoints"))["endpoints"]}
    assert rows["get /balance"]["incidents"] == [incidents[0]["id"]]
    assert rows["get /rate"]["incidents"] == []
    await client.post(f"/api/skerry/incidents/{incidents[0]['id']}/resolve", json={})
    rows = {row["name"]: row for row in (await ask(client, "endpoints"))["endpoints"]}
    assert rows["get /balance"]["incidents"] == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("endpoints?since=5&until=3", "since is not later"),
        ("endpoints?since=0&until=100000", "a day at most"),
        ("endpoints?series=true", "say which"),
        ("endpoints?kind=CLIENT", ""),
        ("series?service=bank&since=-1", "since 1970"),
        ("series?service=bank&until=1e300", "since 1970"),
        ("series", ""),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    client: TestClient, query: str, said: str
) -> None:
    answer = await client.get(f"/api/skerry/{query}")
    assert 400 <= answer.status < 500
    assert said in answer.text
