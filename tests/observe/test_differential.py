"""Ours and a real zipkin-server are sent the same spans and asked the same: they must agree."""

from __future__ import annotations

import gzip
import itertools
import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skerry.app.testclient import TestClient

from .scenarios import Scenario, scenarios
from .spans import TODAY, queries, spans


def theirs(url: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    request = Request(url, body, {name.replace("_", "-"): value for name, value in headers.items()})
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


@pytest.mark.parametrize("scenario", list(scenarios()), ids=lambda scenario: scenario.name)
async def test_answers_like_zipkin(client: TestClient, zipkin: str, scenario: Scenario) -> None:
    for post in scenario.posts:
        body = json.dumps(post).encode()
        json_type = {"content-type": "application/json"}
        ours = await client.post("/api/v2/spans", content=body, headers=json_type)
        status, said = theirs(f"{zipkin}/api/v2/spans", body, content_type="application/json")
        assert (ours.status, ours.content) == (status, said) == (202, b"")
    wrong = {}
    for path in scenario.paths:
        answer = await client.get(path)
        status, body = theirs(zipkin + path)
        got, wanted = read(path, answer.status, answer.content), read(path, status, body)
        if (answer.status, got) != (status, wanted):
            wrong[path] = {"ours": (answer.status, got), "zipkin": (status, wanted)}
    assert not wrong


_numbers = itertools.count(1)


@settings(
    max_examples=60,
    deadline=None,
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
    back = 10**11 + number * 60_000
    for one in batch:
        one["traceId"] = one["traceId"][:-8] + f"{number * 16 + int(one['traceId'][-1], 16):08x}"
        if one.get("timestamp"):
            one["timestamp"] -= back * 1000
    body = gzip.compress(json.dumps(batch).encode())
    await client.post("/api/v2/spans", content=body, headers={"content-encoding": "gzip"})
    theirs(f"{zipkin}/api/v2/spans", body, content_encoding="gzip", content_type="application/json")
    paths = [f"/api/v2/dependencies?endTs={TODAY - back + 59_999}&lookback=59999"]
    paths += [f"/api/v2/trace/{one['traceId']}" for one in batch]
    for query in asked:
        text = " and ".join(f"{k}={v}" if v else k for k, v in query.get("terms", {}).items())
        given = {k: v for k, v in query.items() if k != "terms"} | {"annotationQuery": text}
        given["endTs"] -= back
        paths.append("/api/v2/traces?" + "&".join(f"{k}={v}" for k, v in given.items()))
    for path in paths:
        path = path.replace(" ", "%20")
        answer = await client.get(path)
        status, found = theirs(zipkin + path)
        assert answer.status == status, path
        assert read(path, status, answer.content) == read(path, status, found), path


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
    json_type = {"content-type": "application/json"}
    ours = await client.post("/api/v2/spans", content=body, headers=json_type)
    status, _ = theirs(f"{zipkin}/api/v2/spans", body, content_type="application/json")
    assert ours.status == status
