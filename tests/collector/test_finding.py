"""Lists of traces, as the console and the CLI ask for them."""

from __future__ import annotations

import json
import time
from typing import Any

from skerry.app.testclient import TestClient

JSON = {"content-type": "application/json"}


def one(id: int, app: str = "web", milliseconds: float = 1, **fields: Any) -> dict[str, Any]:
    begin = int((time.time() - 60) * 1e6) + id * 1000
    return {
        "traceId": f"{id:016x}",
        "id": f"{id:016x}",
        "timestamp": begin,
        "duration": int(milliseconds * 1000),
        "localEndpoint": {"serviceName": app},
        **fields,
    }


async def post(client: TestClient, *spans: dict[str, Any]) -> None:
    answer = await client.post("/api/v2/spans", content=json.dumps(spans).encode(), headers=JSON)
    assert answer.status == 202


async def found(client: TestClient, query: str = "") -> list[int]:
    answer = await client.get(f"/api/skerry/traces?{query}")
    assert answer.status == 200, answer.text
    return [int(trace["trace_id"], 16) for trace in answer.json()["traces"]]


async def test_filters_are_those_of_the_spans(client: TestClient) -> None:
    await post(
        client,
        one(1, name="get /"),
        one(2, "Bank", 50, name="post /pay", tags={"http.route": "/pay"}),
        one(3, "bank", 900, name="post /pay", tags={"error": "boom"}),
    )
    assert await found(client) == [3, 2, 1]
    assert await found(client, "app=bank") == [3, 2]
    assert await found(client, "app=Bank&name=POST%20/pay&errors=true") == [3]
    assert await found(client, "where=http.route%3D/pay") == [2]
    assert await found(client, "slower=0.05") == [3, 2]
    assert await found(client, "faster=0.05") == [2, 1]
    assert await found(client, "slower=0.01&faster=0.5") == [2]
    assert await found(client, f"until={time.time() - 1800}") == []


async def test_what_runs_by_the_clock_may_be_left_out(client: TestClient) -> None:
    ticks = [one(n, name="process skerry.tick.bank.look") for n in range(2, 9)]
    await post(client, one(1, name="get /"), *ticks, one(9, name="process payments.settled"))
    assert await found(client, "schedules=false&limit=2") == [9, 1]
    assert len(await found(client)) == 9


async def test_there_may_be_more(client: TestClient) -> None:
    await post(client, *(one(n) for n in range(1, 6)))
    some = (await client.get("/api/skerry/traces?limit=3")).json()
    assert [trace["trace_id"][-1] for trace in some["traces"]] == ["5", "4", "3"]
    assert some["more"]
    assert not (await client.get("/api/skerry/traces?limit=5")).json()["more"]


async def test_the_slowest_are_found_among_many(client: TestClient) -> None:
    # Most of them close together, so that the first threshold has far too many above it.
    times = {n: 100 + n * 37 % 400 / 10 for n in range(1, 401)} | {7: 5000.0, 350: 9000.0, 9: 0.01}
    await post(client, *(one(n, milliseconds=ms) for n, ms in times.items()))
    slowest = sorted(times, key=lambda n: -times[n])
    assert await found(client, "order=slowest&limit=1") == slowest[:1]
    assert await found(client, "order=slowest&limit=5") == slowest[:5]
    every = await found(client, "order=slowest&limit=1000")
    assert [times[n] for n in every] == sorted(times.values(), reverse=True)
    assert await found(client, "order=slowest&limit=3&faster=0.05") == [9]


async def test_a_list_says_who_took_the_time(client: TestClient) -> None:
    root = one(1, "web", 100)
    child = root | {"id": "2".zfill(16), "parentId": root["id"], "duration": 70_000}
    child["localEndpoint"] = {"serviceName": "bank"}
    child["tags"] = {"error": "boom"}
    await post(client, root, child)
    (told,) = (await client.get("/api/skerry/traces")).json()["traces"]
    assert told["apps"] == [
        {"app": "bank", "spans": 1, "seconds": 0.07, "errors": 1},
        {"app": "web", "spans": 1, "seconds": 0.03},
    ]
    assert (told["spans"], told["errors"], told["trouble"]) == (2, 1, "boom")


async def test_links_lead_both_ways(client: TestClient) -> None:
    now = time.time_ns()

    def span(trace: str, id: str, name: str, links: list[dict[str, str]]) -> dict[str, Any]:
        end = {"startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1_000_000)}
        ids = {"traceId": trace * 32, "spanId": id * 16}
        return ids | {"name": name, "kind": 5, "links": links} | end

    def exported(app: str, *spans: dict[str, Any]) -> dict[str, Any]:
        named = [{"key": "service.name", "value": {"stringValue": app}}]
        return {"resource": {"attributes": named}, "scopeSpans": [{"spans": spans}]}

    there = {"traceId": "a" * 32, "spanId": "1" * 16}
    gone = {"traceId": "c" * 32, "spanId": "3" * 16}
    body = {
        "resourceSpans": [
            exported("shop", span("a", "1", "place", [])),
            exported("mail", span("b", "2", "write", [there, gone])),
        ]
    }
    content = json.dumps(body).encode()
    assert (await client.post("/v1/traces", content=content, headers=JSON)).status == 200
    told = (await client.get(f"/api/skerry/traces/{'a' * 32}/links")).json()
    assert told["before"] == []
    (after,) = told["after"]
    assert (after["span"], after["trace_id"], after["other"]) == ("1" * 16, "b" * 32, "2" * 16)
    assert (after["app"], after["name"], after["trace"]["app"]) == ("mail", "write", "mail")
    told = (await client.get(f"/api/skerry/traces/{'b' * 32}/links")).json()
    assert [(one["trace_id"], one["app"]) for one in told["before"]] == [
        ("a" * 32, "shop"),
        ("c" * 32, ""),
    ]
    assert told["before"][1]["trace"] is None
    assert told["after"] == []
    assert (await client.get(f"/api/skerry/traces/{'d' * 32}/links")).status == 404
    assert (await client.get("/api/skerry/traces/x/links")).status == 400
