"""Whatever comes in, what goes out is a problem document, never a 500 nor a stack trace."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from skerry.app import App
from skerry.app.testclient import TestClient, TestResponse
from skerry.core.errors import CallError, ConnectError, Problem


class Point(Struct):
    x: float
    y: float


class Nope(Problem, status=409):
    """That cannot be."""

    why: str


def make() -> App:
    app = App("a")

    @app.post("/points/{name}", raises=[Nope])
    async def add(name: str, point: Point, n: int = 0, f: float = 0.0) -> Point:
        if name == "nope":
            raise Nope(why="because")
        if name == "crash":
            raise RuntimeError("the secret is 42")
        if name == "dependency":
            raise ConnectError("connection refused", app="schools")
        return point

    return app


@pytest.fixture
async def client() -> AsyncIterator[TestClient]:
    async with TestClient(make()) as running:
        yield running


def check(answer: TestResponse, status: int) -> dict[str, Any]:
    assert answer.status == status, answer
    assert answer.headers.get("content-type") == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert b"Traceback" not in answer.content
    return document


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"x": NaN, "y": 1}', 400),
        (b'{"x": Infinity, "y": 1}', 400),
        (b'{"x": 1e999, "y": 1}', None),
        (b'{"x": "1", "y": 1}', 422),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b"[" * 5000, None),
        (b'{"x": ' + b"9" * 5000 + b', "y": 1}', None),
    ],
)
async def test_bodies(client: TestClient, body: bytes, status: int | None) -> None:
    answer = await client.post("/points/a", content=body, headers=JSON)
    assert answer.status in (400, 422)
    check(answer, status or answer.status)


async def test_a_body_over_the_limit(client: TestClient) -> None:
    large = b'{"x": 1, "y": 1, "pad": "' + b"." * (1 << 20) + b'"}'
    document = check(await client.post("/points/a", content=large, headers=JSON), 413)
    assert document["limit"] == 1 << 20

    async def chunked() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 65536):
            yield large[start : start + 65536]

    check(await client.post("/points/a", content=chunked(), headers=JSON), 413)
    said = {**JSON, "content-length": "99999999999"}
    check(await client.post("/points/a", content=chunked(), headers=said), 413)


@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "text/plain"}, {"content-type": "application/xml"}]
)
async def test_a_wrong_media_type(client: TestClient, headers: dict[str, str]) -> None:
    document = check(await client.post("/points/a", content=b'{"x":1,"y":1}', headers=headers), 415)
    assert document["supported"] == ["application/json"]


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "Application/Vnd.X+JSON"]
)
async def test_media_types_that_are_json(client: TestClient, kind: str) -> None:
    answer = await client.post(
        "/points/a", content=b'{"x":1,"y":1}', headers={"content-type": kind}
    )
    assert answer.status == 200


async def test_unknown_path_and_wrong_method(client: TestClient) -> None:
    check(await client.get("/nowhere"), 404)
    check(await client.get("/points/a/b"), 404)
    answer = await client.get("/points/a")
    check(answer, 405)
    assert answer.headers.get("allow") == "POST"


async def test_paths_and_queries_that_cannot_be_decoded(client: TestClient) -> None:
    good = b'{"x":1,"y":1}'
    check(await client.post("/points/%ff", content=good, headers=JSON), 400)
    check(await client.post("/points/a?n=%ff", content=good, headers=JSON), 400)
    check(await client.post("/points/a?n=1&n=x", content=good, headers=JSON), 422)
    for value in ("nan", "inf", "-Infinity", "1e999", ""):
        check(await client.post(f"/points/a?f={value}", content=good, headers=JSON), 422)


async def test_a_declared_problem(client: TestClient) -> None:
    answer = await client.post("/points/nope", json={"x": 1, "y": 2})
    assert check(answer, 409) == {
        "type": "urn:problem-type:nope",
        "title": "That cannot be",
        "status": 409,
        "why": "because",
    }


async def test_a_crash_is_a_500_that_tells_nothing(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await client.post("/points/crash", json={"x": 1, "y": 2})
    check(answer, 500)
    assert b"42" not in answer.content
    assert "the secret is 42" in caplog.text


async def test_a_failed_dependency_says_which_and_is_not_to_be_retried(client: TestClient) -> None:
    answer = await client.post("/points/dependency", json={"x": 1, "y": 2})
    assert check(answer, 503)["detail"] == "schools: connection refused"
    assert answer.headers.get("grpc-retry-pushback-ms") == "-1"
    assert issubclass(ConnectError, CallError)


header = st.tuples(
    st.sampled_from(["content-type", "cookie", "grpc-timeout", "traceparent", "baggage", "accept"]),
    st.text(st.characters(max_codepoint=255), max_size=40),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "DELETE", "BREW"]),
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
    query=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
    body=st.binary(max_size=60) | st.just(b'{"x":1,"y":2}'),
    headers=st.lists(header, max_size=4),
)
async def test_no_request_makes_it_fail(
    method: str, path: str, query: str, body: bytes, headers: list[tuple[str, str]]
) -> None:
    async with TestClient(make()) as client:
        answer = await client.request(
            method, "/points/" + path.replace("?", ""), content=body, headers=headers
        )
        assert answer.status < 500 or answer.status == 504
        answer = await client.request(method, f"/points/a?{query}", content=body, headers=headers)
        assert answer.status < 500 or answer.status == 504


async def test_a_neighbours_answer_does_not_pass_for_our_own() -> None:
    """A 404 of another app, left unhandled, is not a 404 of this one; unless it is declared."""
    app = App("front")

    def theirs() -> Nope:
        problem = Nope(why="taken")
        vars(problem)["answered_by"] = "schools.get_school"
        return problem

    @app.get("/plain")
    async def plain() -> None:
        raise theirs()

    @app.get("/declared", raises=[Nope])
    async def declared() -> None:
        raise theirs()

    async with TestClient(app) as client:
        document = check(await client.get("/plain"), 502)
        assert document["detail"] == "schools: get_school was answered with 409 That cannot be"
        assert check(await client.get("/declared"), 409)["why"] == "taken"
