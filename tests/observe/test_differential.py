"""Ours and a real zipkin-server are sent the same spans and asked the same: they must agree."""

from __future__ import annotations

import asyncio
import copy
import gzip
import itertools
import json
import os
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from skerry.app.testclient import TestClient

from .scenarios import Scenario, scenarios
from .spans import TODAY, queries, spans

JSON = {"content-type": "application/json"}


def theirs(url: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    request = Request(url, body, headers)
    try:
        with urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


def read(path: str, status: int, body: bytes) -> Any:
    """What an answer says; links in one order, for Zipkin has none."""
    if status != 200:
        return body.decode()
    value = json.loads(body)
    if "/dependencies" in path:
        return sorted(value, key=lambda link: (link["parent"], link["child"]))
    return value


async def answers(client: TestClient, zipkin: str, path: str) -> tuple[Any, Any]:
    """What both say. Zipkin stores after it has answered, so it is given time to agree."""
    answer = await client.get(path)
    ours = answer.status, read(path, answer.status, answer.content)
    for _ in range(40):
        status, body = theirs(zipkin + path)
        wanted = status, read(path, status, body)
        if ours == wanted:
            break
        await asyncio.sleep(0.05)
    return ours, wanted


ANSWERS = Path(__file__).with_name("zipkin_answers.json")
"""What zipkin-server 3.4.4 answered, by scenario and path; written where ZIPKIN_RECORD is set."""

every_scenario = pytest.mark.parametrize(
    "scenario", list(scenarios()), ids=lambda scenario: scenario.name
)


def recorded(scenario: Scenario) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ANSWERS.read_text())[scenario.name]
    return found


@every_scenario
async def test_answers_as_zipkin_did(client: TestClient, scenario: Scenario) -> None:
    for post in scenario.posts:
        body = json.dumps(post).encode()
        assert (await client.post("/api/v2/spans", content=body, headers=JSON)).status == 202
    for path, wanted in recorded(scenario).items():
        answer = await client.get(path)
        assert [answer.status, read(path, answer.status, answer.content)] == wanted, path


@every_scenario
async def test_answers_like_zipkin(client: TestClient, zipkin: str, scenario: Scenario) -> None:
    for post in scenario.posts:
        body = json.dumps(post).encode()
        ours = await client.post("/api/v2/spans", content=body, headers=JSON)
        status, said = theirs(f"{zipkin}/api/v2/spans", body, **JSON)
        assert (ours.status, ours.content) == (status, said) == (202, b"")
    wrong = {}
    said_now = {}
    for path in scenario.paths:
        ours, said_now[path] = await answers(client, zipkin, path)
        if ours != said_now[path]:
            wrong[path] = {"ours": ours, "zipkin": said_now[path]}
    assert not wrong
    if os.environ.get("ZIPKIN_RECORD"):
        known = json.loads(ANSWERS.read_text()) if ANSWERS.exists() else {}
        text = json.dumps(known | {scenario.name: said_now}, ensure_ascii=False, indent=1)
        ANSWERS.write_text(text + "\n")


_numbers = itertools.count(int(time.time()) % 200_000 * 50)
"""Of examples: each has ids and a minute of its own, in a server that outlives the test, too."""


@settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # to shrink takes an answer of Zipkin each
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    batch=st.lists(spans, min_size=1, max_size=20), asked=st.lists(queries, min_size=1, max_size=6)
)
async def test_finds_what_zipkin_finds(
    client: TestClient, zipkin: str, batch: list[Any], asked: list[Any]
) -> None:
    """Random spans; each example in a minute of its own, years before those of scenarios."""
    number = next(_numbers)
    back = (1_666_000 + number) * 60_000
    batch = copy.deepcopy(batch)
    for one in batch:
        one["traceId"] = one["traceId"][:-8] + f"{number * 16 + int(one['traceId'][-1], 16):08x}"
        if one.get("timestamp"):
            one["timestamp"] -= back * 1000
    body = gzip.compress(json.dumps(batch).encode())
    kind = {"content-encoding": "gzip", "content-type": "application/json"}
    assert (await client.post("/api/v2/spans", content=body, headers=kind)).status == 202
    assert theirs(f"{zipkin}/api/v2/spans", body, **kind)[0] == 202
    paths = [f"/api/v2/dependencies?endTs={TODAY - back + 59_999}&lookback=59999"]
    paths += [f"/api/v2/trace/{one['traceId']}" for one in batch]
    for query in asked:
        text = " and ".join(f"{k}={v}" if v else k for k, v in query.get("terms", {}).items())
        given = {k: v for k, v in query.items() if k != "terms"} | {"annotationQuery": text}
        given["endTs"] -= back
        paths.append("/api/v2/traces?" + "&".join(f"{k}={v}" for k, v in given.items()))
    for path in paths:
        ours, wanted = await answers(client, zipkin, path.replace(" ", "%20"))
        assert ours == wanted, (path, json.dumps(batch))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b"[", b"nonsense", b'[{"traceId": "1"}]', b'[{"id": "1"}]',
        b'[{"traceId": "", "id": "1"}]', b'[{"traceId": "g", "id": "1"}]',
        b'[{"traceId": "0", "id": "1"}]', b'[{"traceId": "1", "id": "0000000000000000"}]',
        b'[{"traceId": "1", "id": "1", "parentId": "xyz"}]',
        b'[{"traceId": "1", "id": "12345678901234567"}]',
        b'[{"traceId": "1", "id": "1", "kind": "OTHER", "tags": {}}]',
        b'[{"traceId": "1", "id": "1", "tags": {"a": null}}]',
        b'[{"traceId": "1", "id": "1", "tags": {"a": 1}}]',
        b'[{"traceId": "1", "id": "1", "tags": {}, "timestamp": "7"}]',
        b'[{"traceId": "1", "id": "1", "tags": {}, "timestamp": null, "duration": -1}]',
        b'[{"traceId": "1", "id": "1", "tags": {}, "annotations": [{"timestamp": 1}]}]',
        b'[{"traceId": "1", "id": "1", "localEndpoint": {"port": 70000}}]',
        b'[{"traceId": "1", "id": "1", "binaryAnnotations": []}]',
    ],
)  # fmt: skip
async def test_refuses_what_zipkin_refuses(client: TestClient, zipkin: str, body: bytes) -> None:
    ours = await client.post("/api/v2/spans", content=body, headers=JSON)
    status, _ = theirs(f"{zipkin}/api/v2/spans", body, **JSON)
    assert ours.status == status
