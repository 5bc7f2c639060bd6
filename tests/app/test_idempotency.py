"""Endpoints that follow ``Idempotency-Key``, and those that ask for a ``Session``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any

import pytest
from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.orm import Session

from skerry.app import App
from skerry.app.markers import Header
from skerry.app.responses import Reply
from skerry.app.testclient import TestClient, TestResponse
from skerry.bus.driver import Driver
from skerry.bus.event import event
from skerry.bus.memory import Broker, Memory
from skerry.bus.publish import publish_with
from skerry.clients.dynamic import connect
from skerry.contract.openapi import document
from skerry.core.errors import (
    ConfigError,
    ConnectionLost,
    Forbidden,
    IdempotencyKeyInFlight,
    IdempotencyKeyReused,
    Problem,
)
from skerry.core.wire import Request, Response
from skerry.data import schema
from skerry.data.database import Database
from skerry.data.fixtures import fresh_url
from skerry.filters.budget import BudgetSettings, RetryBudget
from skerry.filters.idempotency import Idempotency, IdempotencySettings
from skerry.filters.retry import Retrier, RetrySettings
from skerry.stack.server import ServerSettings
from skerry.telemetry.metrics import Metrics

url = fresh_url()


class Order(Struct):
    id: str
    cents: int = 1


class Booked(Struct):
    id: str
    number: int


class OutOfFunds(Problem, status=402):
    """There is not enough."""


class Unwell(Problem, status=503):
    """Not now."""


@event("orders.booked", key="id")
class OrderBooked(Struct):
    id: str


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url, schema="orders")
    with database.writing() as session:
        session.execute(text("CREATE TABLE orders (id VARCHAR(40), cents INTEGER)"))
    yield database
    database.close()


def orders(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.execute(text("SELECT id FROM orders ORDER BY id")).scalars())


def insert(session: Session, order: Order) -> int:
    values = {"id": order.id, "cents": order.cents}
    session.execute(text("INSERT INTO orders VALUES (:id, :cents)"), values)
    return int(session.execute(text("SELECT count(*) FROM orders")).scalar_one())


def app_with(database: Database, settings: IdempotencySettings | None = None) -> App:
    app = App("orders", server=ServerSettings(idempotency=settings or IdempotencySettings()))

    @app.resource
    def opened() -> Database:
        return database

    return app


def with_session(app: App) -> None:
    @app.post("/orders", status=201, idempotent="required", raises=[OutOfFunds, Unwell])
    def book(new: Order, session: Session) -> Reply[Booked]:
        number = insert(session, new)
        if new.cents > 100:
            raise OutOfFunds(detail="too much")
        if new.cents < 0:
            raise Unwell
        if new.cents == 0:
            raise OSError("broken")
        return Reply(Booked(new.id, number), {"location": f"/orders/{new.id}"})


def asynchronous(app: App) -> None:
    @app.post("/orders", status=201, idempotent="required", raises=[OutOfFunds, Unwell])
    async def book(new: Order, database: Database) -> Reply[Booked]:
        number = await database.write(insert, new)
        if new.cents > 100:
            raise OutOfFunds(detail="too much")
        if new.cents < 0:
            raise Unwell
        if new.cents == 0:
            raise OSError("broken")
        return Reply(Booked(new.id, number), {"location": f"/orders/{new.id}"})


def threaded(app: App) -> None:
    @app.post("/orders", status=201, idempotent="required", raises=[OutOfFunds, Unwell])
    def book(new: Order, database: Database) -> Reply[Booked]:
        with database.writing() as session:
            number = insert(session, new)
        if new.cents > 100:
            raise OutOfFunds(detail="too much")
        if new.cents < 0:
            raise Unwell
        if new.cents == 0:
            raise OSError("broken")
        return Reply(Booked(new.id, number), {"location": f"/orders/{new.id}"})


KINDS = [with_session, asynchronous, threaded]
Declare = Callable[[App], None]


@pytest.fixture(params=KINDS)
def declare(request: pytest.FixtureRequest) -> Declare:
    declared: Declare = request.param
    return declared


async def post(
    client: TestClient, key: str | None, path: str = "/orders", **body: Any
) -> TestResponse:
    headers = {} if key is None else {"idempotency-key": key}
    return await client.post(path, json={"id": "o1", **body}, headers=headers)


def seen(answer: TestResponse) -> tuple[int, Any, bytes]:
    return answer.status, answer.headers.raw, answer.content


async def test_an_answer_is_given_again_byte_for_byte(database: Database, declare: Declare) -> None:
    app = app_with(database)
    declare(app)
    async with TestClient(app) as client:
        first = await post(client, "k1")
        assert (first.status, first.json()) == (201, {"id": "o1", "number": 1})
        assert first.headers.get("location") == "/orders/o1"
        assert seen(await post(client, "k1")) == seen(first)
        assert seen(await post(client, '"k1"')) == seen(first)
        assert (await post(client, "k2")).json() == {"id": "o1", "number": 2}
        metrics = (await client.get("/metrics")).text
        assert 'skerry_idempotent_replays_total{app="orders",operation="POST /orders"} 2' in metrics
    assert orders(database) == ["o1", "o1"]
    async with TestClient(app) as client:  # another process, another day
        assert seen(await post(client, "k1")) == seen(first)


async def test_refusals_are_answers_too_and_failures_are_none(
    database: Database, declare: Declare
) -> None:
    app = app_with(database)
    declare(app)
    async with TestClient(app) as client:
        first = await post(client, "k1", cents=101)
        assert (first.status, first.json()["detail"]) == (402, "too much")
        assert seen(await post(client, "k1", cents=101)) == seen(first)
        done = len(orders(database))
        assert done == (0 if declare is with_session else 1)
        for cents, status in ((-1, 503), (0, 500)):
            for _ in range(2):
                assert (await post(client, f"k{cents}", cents=cents)).status == status
    assert len(orders(database)) == (0 if declare is with_session else 5)


async def test_a_key_is_missing_or_none_or_anothers(database: Database, declare: Declare) -> None:
    app = app_with(database)
    declare(app)
    async with TestClient(app) as client:
        missing = await post(client, None)
        assert missing.status == 400
        assert missing.json()["type"] == "urn:problem-type:idempotency-key-missing"
        for bad in ("", "two words", "ü", "k" * 256, '"', '"k', '"k" "l"', "\x7f"):
            assert (await post(client, bad)).status == 400, bad
        assert (await post(client, "k" * 255)).status == 201
        other = await post(client, "k" * 255, cents=2)
        assert other.status == 422
        assert other.json()["type"] == "urn:problem-type:idempotency-key-reused"
        path = "/orders?x=1"
        assert (await post(client, "k" * 255, path)).status == 422
    assert orders(database) == ["o1"]


async def test_what_never_came_to_the_function_is_not_its_answer(
    database: Database, declare: Declare
) -> None:
    app = app_with(database)
    declare(app)
    async with TestClient(app) as client:
        wrong = await post(client, "k1", cents="many")
        assert (wrong.status, wrong.json()["errors"][0]["pointer"]) == (422, "#/cents")
        assert (await post(client, "k1", cents=5)).status == 201
        huge = b" " * (2 << 20)
        fields = {"idempotency-key": "k2", "content-type": "application/json"}
        assert (await client.post("/orders", content=huge, headers=fields)).status == 413
        assert (await post(client, "k2")).status == 201


async def test_an_accepted_key_may_be_missing(database: Database) -> None:
    app = app_with(database)
    keys: list[str] = []

    @app.put("/orders/{id}", idempotent="accepted")
    async def book(id: str, given: Idempotency) -> str:
        keys.append(given.key)
        assert given.derive("a") == given.derive("a") != given.derive("b")
        return given.derive()

    async with TestClient(app) as client:
        without = {(await client.put("/orders/1")).text for _ in range(2)}
        fields = {"idempotency-key": r'"a\"b"'}
        with_one = {(await client.put("/orders/1", headers=fields)).text for _ in range(2)}
        assert (len(without), len(with_one)) == (2, 1)
    assert keys == ["", "", 'a"b']


async def test_routes_methods_and_callers_have_keys_of_their_own(database: Database) -> None:
    def tenant(request: Request) -> str:
        name = request.headers.get("x-tenant")
        if not name:
            raise Forbidden(detail="Which tenant?")
        return name

    app = app_with(database, IdempotencySettings(caller=tenant))
    count = 0

    async def work(id: str) -> int:
        nonlocal count
        count += 1
        return count

    app.post("/a/{id}", idempotent="required", name="a")(work)
    app.put("/a/{id}", idempotent="required", name="b")(work)
    app.post("/b/{id}", idempotent="required", name="c")(work)
    async with TestClient(app, headers={"idempotency-key": "k"}) as client:
        assert (await client.post("/a/1")).status == 403

        async def answers() -> list[int]:
            return [
                (await client.request(method, path, headers={"x-tenant": who})).json()
                for method, path in (("POST", "/a/1"), ("PUT", "/a/1"), ("POST", "/b/1"))
                for who in ("one", "two")
            ]

        assert await answers() == [1, 2, 3, 4, 5, 6]
        assert await answers() == [1, 2, 3, 4, 5, 6]
        assert (await client.post("/a/2", headers={"x-tenant": "one"})).status == 422


@asynccontextmanager
async def instances(
    url: str, declare: Declare, count: int, settings: IdempotencySettings | None = None
) -> AsyncIterator[list[TestClient]]:
    """Instances of one app, each with connections of its own."""
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(count):
            database = Database(url, schema="orders")
            stack.callback(database.close)
            app = app_with(database, settings)
            declare(app)
            clients.append(await stack.enter_async_context(TestClient(app)))
        yield clients


class Gate:
    """Where functions wait, in a thread or not, until a test lets them go on."""

    def __init__(self) -> None:
        self.inside = threading.Semaphore(0)
        self.open = threading.Event()

    def wait(self) -> None:
        self.inside.release()
        assert self.open.wait(20)

    async def entered(self) -> None:
        assert await asyncio.to_thread(self.inside.acquire, timeout=20)


def gated(kind: str, gate: Gate) -> Declare:
    def declare(app: App) -> None:
        if kind == "session":

            @app.post("/orders", status=201, idempotent="required")
            def book(new: Order, session: Session) -> Booked:
                number = insert(session, new)
                gate.wait()
                return Booked(new.id, number)

        elif kind == "async":

            @app.post("/orders", status=201, idempotent="required")
            async def book_soon(new: Order, database: Database) -> Booked:
                await asyncio.to_thread(gate.wait)
                return Booked(new.id, await database.write(insert, new))

        else:

            @app.post("/orders", status=201, idempotent="required")
            def book_here(new: Order, database: Database) -> Booked:
                gate.wait()
                with database.writing() as session:
                    return Booked(new.id, insert(session, new))

    return declare


@pytest.mark.parametrize("kind", ["session", "async", "thread"])
async def test_of_many_at_once_one_is_worked_on(database: Database, url: str, kind: str) -> None:
    gate = Gate()
    async with instances(url, gated(kind, gate), 3) as clients:
        first = asyncio.create_task(post(clients[0], "k1"))
        await gate.entered()
        for client in clients:
            busy = await post(client, "k1")
            assert busy.status == 409
            assert busy.json()["type"] == "urn:problem-type:idempotency-key-in-flight"
            assert busy.headers.get("retry-after") == "1"
            assert (await post(client, "k1", cents=7)).status == 422
        gate.open.set()
        done = await first
        assert done.status == 201
        for client in clients:
            assert seen(await post(client, "k1")) == seen(done)
    assert orders(database) == ["o1"]


@pytest.mark.parametrize("kind", ["session", "async", "thread"])
async def test_a_race_has_one_winner(database: Database, url: str, kind: str) -> None:
    gate = Gate()
    gate.open.set()
    async with instances(url, gated(kind, gate), 3) as clients:
        for round in range(5):
            answers = await asyncio.gather(
                *(post(client, f"k{round}", id=f"o{round}") for client in clients * 2)
            )
            kinds = {answer.status for answer in answers}
            assert 201 in kinds and kinds <= {201, 409}
            assert len({answer.content for answer in answers if answer.status == 201}) == 1
    assert orders(database) == [f"o{round}" for round in range(5)]


async def test_a_client_comes_back_for_what_is_in_flight(database: Database, url: str) -> None:
    """The key is made once for a call, and sent with each of its attempts."""
    gate = Gate()
    keys: list[str | None] = []
    async with instances(url, gated("session", gate), 2) as clients:

        async def network(request: Request) -> Response:
            keys.append(request.headers.get("idempotency-key"))
            app = clients[len(keys) % 2].app
            if request.method == "GET":
                keys.clear()
                return await app.service(request)
            answer = asyncio.create_task(app.service(request))
            if len(keys) == 1:
                await gate.entered()
                raise ConnectionLost("the cable")
            response = await answer
            if response.status == 409:
                gate.open.set()
            return response

        metrics = Metrics()
        retry = Retrier(RetrySettings(attempts=4), RetryBudget(BudgetSettings()), metrics)
        client = connect(lambda request: retry(request, network), "orders")
        booked = await client.book({"id": "o1", "cents": 1})
        assert booked.number == 1
        assert len(set(keys)) == 1 and None not in keys and len(keys) >= 3
        given = await client.book({"id": "o2", "cents": 1}, idempotency_key="mine")
        assert (given.number, keys[-1]) == (2, "mine")
        with pytest.raises(IdempotencyKeyReused):
            await client.book({"id": "o3", "cents": 1}, idempotency_key="mine")
    assert orders(database) == ["o1", "o2"]


@pytest.mark.parametrize("kind", ["session", "thread"])
async def test_who_leaves_finds_the_answer_when_coming_back(
    database: Database, url: str, kind: str
) -> None:
    gate = Gate()
    async with instances(url, gated(kind, gate), 1) as (client,):
        first = asyncio.create_task(post(client, "k1"))
        await gate.entered()
        first.cancel()
        await asyncio.wait([first])
        assert (await post(client, "k1")).status == 409
        gate.open.set()
        async with asyncio.timeout(10):
            while (answer := await post(client, "k1")).status == 409:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert answer.json() == {"id": "o1", "number": 1}
    assert orders(database) == ["o1"]


async def test_an_async_function_ends_with_its_caller_and_its_key_is_free(
    database: Database,
) -> None:
    app = app_with(database)
    started = asyncio.Event()
    calls = 0

    @app.post("/orders", idempotent="required")
    async def book() -> int:
        nonlocal calls
        calls += 1
        started.set()
        if calls == 1:
            await asyncio.sleep(60)
        return calls

    async with TestClient(app) as client:
        fields = {"idempotency-key": "k"}
        first = asyncio.create_task(client.post("/orders", headers=fields))
        await started.wait()
        first.cancel()
        await asyncio.wait([first])
        async with asyncio.timeout(5):
            while (answer := await client.post("/orders", headers=fields)).status == 409:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert answer.json() == 2


QUICK = IdempotencySettings(lease=0.3)


@pytest.mark.parametrize("kind", ["session", "async", "thread"])
async def test_work_that_takes_longer_than_its_lease_keeps_it(
    database: Database, url: str, kind: str
) -> None:
    gate = Gate()
    async with instances(url, gated(kind, gate), 2, QUICK) as clients:
        first = asyncio.create_task(post(clients[0], "k1"))
        await gate.entered()
        if kind == "session" and url.startswith("sqlite"):
            # Nobody can say so in between, for SQLite has one writer: who comes after the lease
            # waits for it, and finds the answer.
            await asyncio.sleep(0.6)
            late = asyncio.create_task(post(clients[1], "k1"))
            await asyncio.sleep(0.2)
            assert not late.done()
            gate.open.set()
            assert seen(await late) == seen(await first)
        else:
            for _ in range(6):
                await asyncio.sleep(0.1)
                assert (await post(clients[1], "k1")).status == 409
            gate.open.set()
            assert (await first).status == 201
    assert orders(database) == ["o1"]


async def test_whoever_was_taken_for_dead_can_neither_commit_nor_store(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is stopped for longer than its lease, before its transaction begins."""
    app = app_with(database, QUICK)
    with_session(app)

    @app.put("/elsewhere", idempotent="required")
    async def elsewhere(given: Idempotency) -> int:
        calls.append(given.derive())
        mine = len(calls)
        if mine == 1:
            await stopped.wait()
        return mine

    from skerry.data.idempotency import Answers

    calls: list[str] = []
    stopped = asyncio.Event()
    write, extend = Answers.write, Answers.extend
    first = True

    async def held_up(self: Answers, *args: Any) -> Response:
        nonlocal first
        if first:
            first = False
            await stopped.wait()
        return await write(self, *args)

    async def silent(self: Answers, *args: Any) -> None:
        if stopped.is_set():
            await extend(self, *args)

    monkeypatch.setattr(Answers, "write", held_up)
    monkeypatch.setattr(Answers, "extend", silent)
    async with TestClient(app) as client:
        fields = {"idempotency-key": "k"}
        zombies = [
            asyncio.create_task(post(client, "k")),
            asyncio.create_task(client.put("/elsewhere", headers=fields)),
        ]
        await asyncio.sleep(0.5)
        others = [await post(client, "k"), await client.put("/elsewhere", headers=fields)]
        assert [other.status for other in others] == [201, 200]
        stopped.set()
        assert [(await zombie).status for zombie in zombies] == [409, 409]
        again = [await post(client, "k"), await client.put("/elsewhere", headers=fields)]
        assert [seen(answer) for answer in again] == [seen(answer) for answer in others]
    assert orders(database) == ["o1"]
    assert len(calls) == 2 and len(set(calls)) == 1


async def test_a_key_is_new_again_when_its_time_is_over(database: Database) -> None:
    app = app_with(database, IdempotencySettings(kept=0.2))
    with_session(app)
    async with TestClient(app) as client:
        assert (await post(client, "k1")).json()["number"] == 1
        await asyncio.sleep(0.25)
        assert (await post(client, "k1", cents=3)).json()["number"] == 2
        assert (await post(client, "k1", cents=3)).json()["number"] == 2


async def test_events_leave_with_what_they_speak_of_once(database: Database) -> None:
    broker = Broker()
    app = app_with(database)
    app.publishes(OrderBooked)

    @app.post("/orders", status=202, idempotent="required", raises=[OutOfFunds])
    def book(new: Order, session: Session) -> None:
        insert(session, new)
        publish_with(session, OrderBooked(new.id))
        if new.cents > 100:
            raise OutOfFunds

    async with TestClient(app, overrides={Driver: Memory(broker)}) as client:
        for _ in range(2):
            assert (await post(client, "k1", cents=101)).status == 402
            assert (await post(client, "k2")).status == 202
        async with asyncio.timeout(10):
            while not broker.published:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
    assert len(broker.published) == 1
    assert orders(database) == ["o1"]


async def test_a_session_needs_no_key(database: Database) -> None:
    app = app_with(database)

    @app.post("/orders", status=201, raises=[OutOfFunds])
    def book(new: Order, session: Session) -> Any:
        number = insert(session, new)
        if new.cents > 100:
            raise OutOfFunds
        if new.cents == 0:
            return Response(503)
        return Booked(new.id, number if new.cents > 0 else 1 // 0)

    @app.get("/orders")
    def number(session: Session) -> int:
        return int(session.execute(text("SELECT count(*) FROM orders")).scalar_one())

    async with TestClient(app) as client:
        for cents, status in ((101, 402), (0, 503), (-1, 500)):
            assert (await post(client, None, cents=cents)).status == status
            assert (await client.get("/orders")).json() == 0
        assert (await post(client, None)).json() == {"id": "o1", "number": 1}
        assert (await client.get("/orders")).json() == 1


async def test_a_database_that_is_away_is_no_reason_to_work_twice(database: Database) -> None:
    app = app_with(database)
    asynchronous(app)
    async with TestClient(app) as client:
        assert (await post(client, "k1")).status == 201
        if database.engine.dialect.name == "sqlite":
            from sqlite3 import OperationalError as Refused
        else:
            from psycopg import OperationalError as Refused  # type: ignore[assignment]
        from sqlalchemy import event as hooks

        def refuse(*_: object) -> None:
            raise Refused("no such host")

        hooks.listen(database.engine, "do_connect", refuse)
        database.engine.dispose()
        answer = await post(client, "k1")
        assert (answer.status, answer.headers.get("grpc-retry-pushback-ms")) == (503, "1000")
        hooks.remove(database.engine, "do_connect", refuse)
        assert (await post(client, "k1")).status == 201
    assert orders(database) == ["o1"]


async def test_a_stream_is_no_answer_to_be_given_again(database: Database) -> None:
    app = app_with(database)

    @app.post("/orders", idempotent="required")
    async def book() -> Response:
        from skerry.core.wire import Stream

        async def chunks() -> AsyncIterator[bytes]:
            yield b"x"

        return Response(200, body=Stream(chunks()))

    async with TestClient(app) as client:
        answer = await client.post("/orders", headers={"idempotency-key": "k"})
        assert answer.status == 500


def test_the_contract_says_it(database: Database) -> None:
    app = app_with(database)
    with_session(app)

    @app.put("/names/{id}", idempotent="accepted")
    async def rename(id: str, key: Annotated[str, Header("idempotency-key")] = "") -> None: ...

    paths = document(app.contract())["paths"]
    (key,) = paths["/orders"]["post"]["parameters"]
    assert (key["name"], key["in"], key["required"]) == ("idempotency-key", "header", True)
    assert key["description"] and key["schema"]["pattern"]
    responses = paths["/orders"]["post"]["responses"]
    for status, problem in (("400", "Missing"), ("409", "InFlight"), ("422", "Reused")):
        assert f"IdempotencyKey{problem}" in str(responses[status])
    renaming = paths["/names/{id}"]["put"]
    (key,) = (p for p in renaming["parameters"] if p["in"] == "header")
    assert key["required"] is False
    assert "Missing" not in str(renaming["responses"])


def test_skerry_stack_shows_it(database: Database) -> None:
    app = app_with(database)
    with_session(app)
    (row,) = (row for row in app.describe("book") if row.role == "idempotency")
    assert row.filter == "Idempotent(key required, kept 24 h)"


def _streams() -> Any:
    async def book() -> AsyncIterator[int]:
        yield 1

    return book


def _reads_a_stream() -> Any:
    async def book(items: AsyncIterator[Order]) -> None: ...

    return book


def _asynchronous_session() -> Any:
    async def book(session: Session) -> None: ...

    return book


def _session_and_stream() -> Any:
    def book(session: Session) -> AsyncIterator[int]: ...  # type: ignore[empty-body]

    return book


def _asks_for_a_key() -> Any:
    async def book(given: Idempotency) -> None: ...

    return book


def _two_sessions() -> Any:
    def book(one: Session, two: Session) -> None: ...

    return book


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (_streams(), {"idempotent": "required"}, "does not stream"),
        (_reads_a_stream(), {"idempotent": "accepted"}, "does not stream"),
        (_session_and_stream(), {}, "does not stream"),
        (_asynchronous_session(), {}, "is a plain def"),
        (_asks_for_a_key(), {}, "idempotent= alone"),
        (_two_sessions(), {}, "are both the session"),
    ],
)
def test_what_cannot_be_is_refused_at_start(
    tmp_path: Any, function: Any, options: Any, message: str
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    app = app_with(database)
    app.post("/orders", **options)(function)
    with pytest.raises(ConfigError, match=message):
        app.endpoints()
    database.close()


def test_what_is_no_choice_is_refused_where_it_is_declared() -> None:
    app = App("orders")

    async def book() -> None: ...

    with pytest.raises(ConfigError, match="idempotent is 'required' or 'accepted', not True"):
        app.post("/orders", idempotent=True)(book)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="GET changes nothing"):
        app.get("/orders", idempotent="required")(book)


@pytest.mark.parametrize("declare", [with_session, asynchronous])
def test_without_a_database_there_is_nowhere_to_keep_it(declare: Declare) -> None:
    app = App("orders")

    @app.post("/orders", idempotent="required")
    async def book() -> None: ...

    with pytest.raises(ConfigError, match="register a Database as a resource"):
        app.endpoints()

    other = App("orders")

    @other.post("/orders")
    def write(session: Session) -> None: ...

    with pytest.raises(ConfigError, match="register a Database as a resource"):
        other.endpoints()


async def test_tables_of_the_version_before_are_brought_along(database: Database) -> None:
    dialect = database.engine.dialect.name
    before = schema.statements(dialect)
    for statement in before[: before.index("INSERT INTO skerry_schema (version) VALUES (1)") + 1]:
        with database.engine.begin() as connection:
            connection.exec_driver_sql(statement)
    app = app_with(database)
    with_session(app)
    async with TestClient(app) as client:
        assert (await post(client, "k1")).status == 201
    with database.reading() as session:
        assert schema.version(session.connection()) == schema.VERSION


def test_the_problem_in_flight_can_be_repeated() -> None:
    problem = IdempotencyKeyInFlight(retry_after=0.2)
    assert problem.headers() == {"retry-after": "1", "grpc-retry-pushback-ms": "200"}
