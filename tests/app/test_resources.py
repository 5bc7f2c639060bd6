from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from msgspec import Struct

from skerry.app import App
from skerry.app.testclient import TestClient
from skerry.core.errors import ConfigError, NotFound
from skerry.core.wire import Request, Stream


class Database:
    def __init__(self, url: str = "") -> None:
        self.url = url
        self.log: list[str] = []


class Transaction:
    def __init__(self, database: Database) -> None:
        self.database = database


class Cache:
    def __init__(self, database: Database) -> None:
        self.database = database


def make(log: list[str]) -> App:
    app = App("a")

    @app.resource
    async def cache(database: Database) -> AsyncIterator[Cache]:
        log.append("cache opens")
        yield Cache(database)
        log.append("cache closes")

    @app.resource
    async def database() -> AsyncIterator[Database]:
        log.append("database opens")
        yield Database("real")
        log.append("database closes")

    @app.resource(scope="request")
    async def transaction(database: Database) -> AsyncIterator[Transaction]:
        log.append("begin")
        try:
            yield Transaction(database)
        except BaseException as error:
            log.append(f"rollback {type(error).__name__}")
            raise
        log.append("commit")

    @app.post("/work/{what}")
    async def work(what: str, transaction: Transaction, cache: Cache) -> str:
        if what == "missing":
            raise NotFound
        if what == "crash":
            raise RuntimeError("no")
        log.append("work")
        return transaction.database.url

    @app.get("/stream")
    async def stream(transaction: Transaction) -> AsyncIterator[int]:
        for n in range(3):
            log.append(f"item {n}")
            yield n

    return app


async def test_the_instance_opens_in_order_of_need_and_closes_in_reverse() -> None:
    log: list[str] = []
    async with TestClient(make(log)):
        assert log == ["database opens", "cache opens"]
    assert log[2:] == ["cache closes", "database closes"]


async def test_a_request_scope_commits_before_the_answer_and_rolls_back_on_errors() -> None:
    log: list[str] = []
    async with TestClient(make(log)) as client:
        log.clear()
        assert (await client.post("/work/ok")).json() == "real"
        assert log == ["begin", "work", "commit"]
        log.clear()
        assert (await client.post("/work/missing")).status == 404
        assert log == ["begin", "rollback NotFound"]
        log.clear()
        assert (await client.post("/work/crash")).status == 500
        assert log == ["begin", "rollback RuntimeError"]


async def test_a_request_scope_lasts_as_long_as_the_stream() -> None:
    log: list[str] = []
    async with TestClient(make(log)) as client:
        log.clear()
        assert (await client.get("/stream")).lines() == [0, 1, 2]
        assert log == ["begin", "item 0", "item 1", "item 2", "commit"]


async def test_a_failing_commit_is_a_500() -> None:
    app = App("a")

    @app.resource(scope="request")
    async def transaction() -> AsyncIterator[Transaction]:
        yield Transaction(Database())
        raise OSError("disk full")

    @app.post("/work")
    async def work(transaction: Transaction) -> str:
        return "done"

    async with TestClient(app) as client:
        assert (await client.post("/work")).status == 500


async def test_plain_functions_generators_and_values_are_resources_too() -> None:
    app = App("a")
    log: list[str] = []

    @app.resource
    def database() -> Database:
        return Database("plain")

    @app.resource
    def cache(database: Database) -> Iterator[Cache]:
        yield Cache(database)
        log.append("closed")

    @app.get("/url")
    def url(cache: Cache) -> str:
        return cache.database.url

    async with TestClient(app) as client:
        assert (await client.get("/url")).json() == "plain"
    assert log == ["closed"]


async def test_tests_put_their_own_in_place() -> None:
    log: list[str] = []
    overrides = {Database: Database("fake"), Transaction: Transaction(Database("override"))}
    async with TestClient(make(log), overrides=overrides) as client:
        assert (await client.post("/work/ok")).json() == "override"
    assert "database opens" not in log


async def test_readiness_asks_every_resource() -> None:
    app = App("a")
    state: dict[str, Any] = {"well": True}

    @app.resource
    def database() -> Database:
        return Database()

    @database.health
    async def check(database: Database) -> None:
        if not state["well"]:
            raise OSError("connection refused")

    async with TestClient(app) as client:
        ready = await client.get("/readyz")
        assert (ready.status, ready.json()["checks"]) == (200, {"database": "ok"})
        state["well"] = False
        await asyncio.sleep(1.05)  # a verdict is kept for a second
        unready = await client.get("/readyz")
        assert unready.status == 503
        assert unready.json()["checks"] == {"database": "OSError: connection refused"}
        assert (await client.get("/livez")).status == 200
        app.draining = True
        assert (await client.get("/readyz")).json() == {"status": "draining"}
        app.draining = False


async def test_what_contradicts_itself_is_refused_at_start() -> None:
    class Nobody:
        pass

    app = App("a")

    @app.resource
    def cache(nobody: Nobody) -> Cache:
        raise AssertionError

    with pytest.raises(ConfigError, match="nothing provides"):
        await app.start()

    longer = App("a")

    @longer.resource
    def database(transaction: Transaction) -> Database:
        raise AssertionError

    @longer.resource(scope="request")
    def transaction() -> Transaction:
        raise AssertionError

    with pytest.raises(ConfigError, match="lives as long as a request"):
        await longer.start()

    circle = App("a")

    @circle.resource
    def one(other: Cache) -> Database:
        raise AssertionError

    @circle.resource
    def two(other: Database) -> Cache:
        raise AssertionError

    with pytest.raises(ConfigError, match="need each other: one → two → one"):
        await circle.start()


async def test_a_resource_that_does_not_open_closes_what_did() -> None:
    app = App("a")
    log: list[str] = []

    @app.resource
    async def database() -> AsyncIterator[Database]:
        yield Database()
        log.append("closed")

    @app.resource
    async def cache(database: Database) -> Cache:
        raise OSError("no route")

    with pytest.raises(ConfigError, match="'cache' did not open: OSError: no route"):
        await app.start()
    assert log == ["closed"]


async def test_a_resource_that_keeps_an_error_to_itself_does_not_make_an_answer_of_it() -> None:
    app = App("a")

    @app.resource(scope="request")
    async def opened() -> AsyncIterator[Transaction]:
        with contextlib.suppress(NotFound):
            yield Transaction(Database())

    @app.get("/work")
    async def work(transaction: Transaction) -> str:
        raise NotFound

    async with TestClient(app) as client:
        answer = await client.get("/work")
    assert (answer.status, answer.headers.get("content-type")) == (500, "application/problem+json")


async def test_resources_of_a_request_may_ask_for_it_and_no_others() -> None:
    app = App("a")

    @app.resource(scope="request")
    async def database(request: Request) -> Database:
        return Database(request.headers.get("x-tenant", "nobody") or "")

    @app.get("/url")
    async def url(database: Database) -> str:
        return database.url

    async with TestClient(app) as client:
        assert (await client.get("/url", headers={"x-tenant": "t1"})).json() == "t1"

    longer = App("a")

    @longer.resource
    async def cache(request: Request) -> Cache:
        raise AssertionError

    with pytest.raises(ConfigError, match="lives as long as a request"):
        await longer.start()


async def test_a_circle_of_request_resources_is_found_at_start() -> None:
    app = App("a")

    @app.resource(scope="request")
    def one(other: Cache) -> Database:
        raise AssertionError

    @app.resource(scope="request")
    def two(other: Database) -> Cache:
        raise AssertionError

    with pytest.raises(ConfigError, match="need each other: one → two → one"):
        await app.start()


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_a_stream_nobody_reads_closes_what_the_request_held(method: str) -> None:
    app = App("a")
    closed = asyncio.Event()
    log: list[str] = []

    @app.resource(scope="request")
    async def transaction() -> AsyncIterator[Transaction]:
        try:
            yield Transaction(Database())
            log.append("commit")
        finally:
            closed.set()

    @app.get("/stream")
    async def stream(transaction: Transaction) -> AsyncIterator[int]:
        for n in range(1_000_000):
            yield n

    async with TestClient(app) as client:
        answer = await client.send(method, "/stream")
        if isinstance(answer.body, Stream):
            await answer.body.aclose()
        await asyncio.wait_for(closed.wait(), 5)
    assert log == []


async def test_plain_functions_run_beside_each_other_in_bounded_threads() -> None:
    app = App("a", threads=2)
    seen: list[int] = []
    lock, together = threading.Lock(), threading.Barrier(2, timeout=5)
    running = 0

    class Answer(Struct):
        thread: str

    @app.get("/slow")
    def slow() -> Answer:
        nonlocal running
        with lock:
            running += 1
            seen.append(running)
        together.wait()
        with lock:
            running -= 1
        return Answer(threading.current_thread().name)

    async with TestClient(app) as client:
        answers = await asyncio.gather(*(client.get("/slow") for _ in range(4)))
    assert all(answer.json()["thread"].startswith("a_") for answer in answers)
    assert max(seen) == 2
