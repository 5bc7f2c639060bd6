"""The collector as it is served: what it answers, and what it makes of bad input."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skerry.app.testclient import TestClient
from skerry.collector.app import app
from skerry.collector.collector import Collector
from skerry.collector.settings import CollectorSettings
from skerry.observe.store import Store

JSON = {"content-type": "application/json"}


def trace(id: str = "a", service: str = "web", **fields: Any) -> list[dict[str, Any]]:
    now = time.time_ns() // 1000 - 100_000  # queries end now, by a clock that others may set
    one = {"timestamp": now, "duration": 1000, "localEndpoint": {"serviceName": service}}
    return [{"traceId": id.zfill(16), "id": "1".zfill(16), **one, **fields}]


async def post(client: TestClient, spans: Any, **headers: str) -> int:
    body = json.dumps(spans).encode()
    return (await client.post("/api/v2/spans", content=body, headers=JSON | headers)).status


async def counted(client: TestClient, series: str) -> int:
    """What ``/metrics`` says of a counter: of the process, so that tests look at differences."""
    name = f"skerry_collector_{series} "
    lines = (await client.get("/metrics")).text.splitlines()
    return next((int(line.removeprefix(name)) for line in lines if line.startswith(name)), 0)


async def until(check: Callable[[], object]) -> None:
    for _ in range(400):
        if check():
            return
        await asyncio.sleep(0.05)
    pytest.fail("it never came to that")


def aside(folder: Path) -> list[Path]:
    return list(folder.glob("spans.db.corrupt-*"))


async def test_what_is_posted_is_found_at_once(client: TestClient) -> None:
    assert await post(client, trace(tags={"env": "prod"})) == 202
    (found,) = (await client.get("/api/v2/traces")).json()
    assert found[0]["traceId"] == "a".zfill(16)
    for path in ("/api/v2/services", "/zipkin/api/v2/services"):
        assert (await client.get(path)).json() == ["web"]
    assert (await client.get("/api/v2/autocompleteKeys")).json() == ["env"]
    assert (await client.get("/api/v2/autocompleteValues?key=env")).json() == ["prod"]


async def test_names_are_cached_once_there_are_some(client: TestClient) -> None:
    for number in range(4):
        answer = await client.get("/api/v2/services")
        assert answer.headers.get("cache-control") is None
        await post(client, trace(service=f"service{number}"))
    answer = await client.get("/api/v2/services")
    assert answer.headers.get("cache-control") == "max-age=300, must-revalidate"


async def test_totals_are_there_when_they_are_asked_for(client: TestClient) -> None:
    await post(
        client,
        trace(kind="CLIENT", service="web")
        + trace(kind="SERVER", service="app", name="get", shared=True, tags={"error": "x"}),
    )
    now = time.time_ns() // 1_000_000
    (link,) = (await client.get(f"/api/v2/dependencies?endTs={now}")).json()
    assert link == {"parent": "web", "child": "app", "callCount": 1, "errorCount": 1}
    (edge,) = (await client.get("/api/skerry/edges")).json()
    assert (edge["caller"], edge["callee"], edge["errors"]) == ("web", "app", 1)
    assert edge["p50"] == pytest.approx(0.001, rel=0.02)
    (operation,) = (await client.get("/api/skerry/operations")).json()
    assert (operation["service"], operation["name"], operation["count"]) == ("app", "get", 1)
    assert operation["slowest"][0]["trace_id"] == "a".zfill(16)


async def test_otlp_is_taken_and_all_of_it_can_be_looked_at(client: TestClient) -> None:
    span = {
        "traceId": "ab" * 16,
        "spanId": "cd" * 8,
        "name": "x",
        "startTimeUnixNano": str(time.time_ns()),
        "endTimeUnixNano": str(time.time_ns() + 1000),
        "links": [{"traceId": "1" * 32, "spanId": "2" * 16}],
    }
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span, {**span, "spanId": "zz"}]}]}]}
    answer = await client.post("/v1/traces", json=body)
    assert answer.status == 200
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"
    (full,) = (await client.get("/api/skerry/traces/" + "ab" * 16)).json()
    assert full["more"]["links"] == [{"traceId": "1" * 32, "spanId": "2" * 16}]
    (plain,) = (await client.get("/api/v2/trace/" + "ab" * 16)).json()
    assert "more" not in plain


async def test_otlp_that_cannot_be_read_is_answered_in_its_own_format(client: TestClient) -> None:
    proto = {"content-type": "application/x-protobuf"}
    answer = await client.post("/v1/traces", content=b"\xff", headers=proto)
    assert (answer.status, answer.headers.get("content-type")) == (400, "application/x-protobuf")
    answer = await client.post("/v1/traces", content=b"[", headers=JSON)
    assert answer.status == 400 and answer.json()["code"] == 3
    answer = await client.post("/v1/traces", content=b"x", headers={"content-type": "text/plain"})
    assert answer.status == 415
    answer = await client.post("/v1/traces", content=b"", headers=proto)
    assert (answer.status, answer.content) == (200, b"")


async def test_a_bomb_is_refused_and_counted(client: TestClient) -> None:
    bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    packed = JSON | {"content-encoding": "gzip"}
    before = await counted(client, 'messages_dropped_total{reason="invalid"}')
    assert (await client.post("/api/v2/spans", content=bomb, headers=packed)).status == 413
    assert (await client.post("/v1/traces", content=bomb, headers=packed)).status == 413
    assert await counted(client, 'messages_dropped_total{reason="invalid"}') == before + 2


async def test_who_comes_when_it_is_full_is_told_to_come_back(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = asyncio.Event()
    add = Store.add

    def held(self: Store, spans: Any) -> int:
        while not slow.is_set():
            time.sleep(0.01)
        return add(self, spans)

    monkeypatch.setattr(Store, "add", held)
    assert app._running is not None
    keeper = app._running.container.values[Collector].keeper
    keeper._room = 10_000
    before = await counted(client, 'messages_dropped_total{reason="full"}')
    first = [asyncio.create_task(post(client, trace())) for _ in range(2)]
    await until(lambda: keeper.waiting >= 8_000)
    answer = await client.post("/api/v2/spans", content=json.dumps(trace()).encode() * 40)
    assert answer.status == 503
    assert answer.headers.get("retry-after") is not None
    slow.set()
    assert await asyncio.gather(*first) == [202, 202]
    assert await counted(client, 'messages_dropped_total{reason="full"}') == before + 1


async def test_a_trace_of_100000_spans_is_bounded_and_says_so(tmp_path: Path) -> None:
    chosen = CollectorSettings(path=str(tmp_path / "spans.db"), trace_spans=1_000)
    async with TestClient(app, overrides={CollectorSettings: chosen}) as client:
        for batch in range(20):
            spans = [
                {"traceId": "a".zfill(16), "id": f"{batch * 5_000 + n + 1:016x}"}
                for n in range(5_000)
            ]
            assert await post(client, spans) == 202
        found = (await client.get("/api/v2/trace/a")).json()
        assert len(found) == 1_000
        assert found[0]["tags"]["skerry.notice"].startswith("99000 more spans")
        assert (await client.get("/api/skerry/store")).json()["dropped"] == 99_000


async def test_what_was_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    chosen = CollectorSettings(path=str(tmp_path / "spans.db"))
    for number in range(3):
        async with TestClient(app, overrides={CollectorSettings: chosen}) as client:
            await post(client, trace(f"{number + 1}"))
            assert len((await client.get("/api/v2/traces")).json()) == number + 1


async def test_a_broken_store_is_set_aside_and_the_app_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spans.db").write_bytes(b"garbage" * 1000)
    chosen = CollectorSettings(path=str(tmp_path / "spans.db"))
    async with TestClient(app, overrides={CollectorSettings: chosen}) as client:
        assert await post(client, trace()) == 202
        assert (await client.get("/health")).json()["status"] == "UP"
    assert "set aside" in caplog.text
    assert aside(tmp_path)


async def test_a_store_that_breaks_while_it_is_used_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "spans.db"
    chosen = CollectorSettings(path=str(path))
    async with TestClient(app, overrides={CollectorSettings: chosen}) as client:
        assert app._running is not None
        keeper = app._running.container.values[Collector].keeper
        await post(client, [one for n in range(300) for one in trace(f"{n + 1:x}")])
        await asyncio.wrap_future(keeper.submit(lambda store: int(store.seal(everything=True)), 0))
        keeper.store._file.write.execute("UPDATE chunk SET data = x'00'")
        assert (await client.get("/api/v2/traces")).status == 503
        await until(lambda: aside(tmp_path))
        assert await post(client, trace()) == 202
        assert len((await client.get("/api/v2/traces")).json()) == 1


async def test_it_says_how_it_is(client: TestClient) -> None:
    for path in ("/health", "/info", "/zipkin/config.json", "/readyz", "/api/skerry/store"):
        assert (await client.get(path)).status == 200
    assert (await client.get("/api/skerry/operations?since=5&until=1")).status == 400
    assert (await client.get("/api/skerry/traces/abc")).status == 404
    assert (await client.get("/api/skerry/traces/xyz")).status == 400
    for path in ("spans", "remoteServices", "traceMany", "dependencies", "autocompleteValues"):
        assert (await client.get(f"/api/v2/{path}")).status == 400
    assert (await client.get("/api/v2/traces?limit=many")).status == 400
