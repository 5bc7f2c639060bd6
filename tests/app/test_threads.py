from __future__ import annotations

import asyncio
import contextvars
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator

import pytest

from skerry.app import App
from skerry.app.testclient import TestClient
from skerry.app.threads import Threads
from skerry.core.wire import Request


class Session:
    def __init__(self) -> None:
        self.log: list[str] = []


def counted(threads: Threads) -> int:
    return len(threads._workers)


async def test_workers_are_lent_in_the_order_of_asking_and_never_to_two() -> None:
    threads = Threads(1, "a")
    worker = await threads.lend()
    order: list[int] = []

    async def borrow(number: int) -> None:
        mine = await threads.lend()
        order.append(number)
        threads.give_back(mine)

    first, second = asyncio.create_task(borrow(1)), asyncio.create_task(borrow(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    threads.give_back(worker)
    await second
    assert (order, counted(threads)) == ([2], 1)
    await threads.close()


async def test_a_worker_that_was_promised_to_one_who_left_goes_to_the_next() -> None:
    threads = Threads(1, "a")
    worker = await threads.lend()
    waiting = asyncio.create_task(threads.lend())
    await asyncio.sleep(0)
    threads.give_back(worker)  # promised; the task has not run yet
    waiting.cancel()
    await asyncio.wait([waiting])
    assert await asyncio.wait_for(threads.lend(), 1) is worker
    await threads.close()


async def test_what_a_plain_function_raises_arrives_whatever_it_is() -> None:
    threads = Threads(1, "a")
    worker = await threads.lend()

    def stop() -> None:
        raise StopIteration(3)

    with pytest.raises(RuntimeError, match="StopIteration"):
        await worker.run(stop)
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    assert await worker.run(lambda: 5) == 5
    await threads.close()


async def test_everything_plain_of_one_request_runs_in_one_thread() -> None:
    app = App("a")
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")
    seen: list[threading.Thread] = []

    @app.resource(scope="request")
    def connection(request: Request) -> Iterator[sqlite3.Connection]:
        seen.append(threading.current_thread())
        who.set(request.query)
        connection = sqlite3.connect(":memory:")  # which sqlite3 binds to this thread
        yield connection
        seen.append(threading.current_thread())
        connection.close()

    @app.get("/one")
    def one(connection: sqlite3.Connection) -> str:
        seen.append(threading.current_thread())
        (number,) = connection.execute("select 1").fetchone()
        return f"{who.get()}{number}"

    async with TestClient(app) as client:
        assert (await client.get("/one?x")).json() == "x1"
    assert len(seen) == 3
    assert set(seen) != {threading.current_thread()}
    assert len(set(seen)) == 1


async def test_a_resource_stays_open_under_a_function_that_outlives_its_caller() -> None:
    app = App("a", threads=1)
    session, go = Session(), threading.Event()

    @app.resource(scope="request")
    def opened() -> Iterator[Session]:
        try:
            yield session
        except BaseException as error:
            session.log.append(f"rollback {type(error).__name__}")
            raise
        session.log.append("commit")

    @app.post("/slow", timeout=0.05)
    def slow(session: Session) -> None:
        go.wait(5)
        session.log.append("worked")

    @app.post("/next")
    def following(session: Session) -> None:
        session.log.append("next")

    async with TestClient(app) as client:
        assert (await client.post("/slow")).status == 504
        assert session.log == []  # nothing was closed under the function
        waiting = asyncio.create_task(client.post("/next"))
        await asyncio.sleep(0.02)
        assert session.log == []  # its thread is not anybody else's yet
        go.set()
        assert (await waiting).status == 204
    assert session.log == ["worked", "rollback CancelledError", "next", "commit"]


async def test_a_resource_that_opens_after_its_caller_has_left_is_closed() -> None:
    app = App("a")
    go, closed, log = threading.Event(), threading.Event(), list[str]()

    @app.resource(scope="request")
    def opened() -> Iterator[Session]:
        go.wait(5)
        try:
            yield Session()
        finally:
            log.append("closed")
            closed.set()

    @app.post("/work", timeout=0.05)
    async def work(session: Session) -> None:
        log.append("worked")

    async with TestClient(app) as client:
        assert (await client.post("/work")).status == 504
        go.set()
        assert await asyncio.to_thread(closed.wait, 5)
    assert log == ["closed"]


async def test_stopping_waits_a_moment_for_what_was_left_behind_and_no_longer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = App("a")
    never = threading.Event()

    @app.resource(scope="request")
    def opened() -> Iterator[Session]:
        yield Session()

    @app.post("/stuck", timeout=0.05)
    def stuck(session: Session) -> None:
        never.wait(30)

    async with TestClient(app) as client:
        assert (await client.post("/stuck")).status == 504
        start = asyncio.get_running_loop().time()
    assert 0.5 < asyncio.get_running_loop().time() - start < 20
    assert "still run" in caplog.text
    never.set()


def test_a_stuck_function_does_not_keep_the_process_alive() -> None:
    program = textwrap.dedent(
        """
        import asyncio, threading
        from skerry.app import App
        from skerry.app.testclient import TestClient

        app = App("a")

        @app.get("/stuck", timeout=0.05)
        def stuck() -> None:
            threading.Event().wait()

        async def main():
            async with TestClient(app) as client:
                print((await client.get("/stuck")).status)

        asyncio.run(main())
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout) == (0, "504\n"), done.stderr
