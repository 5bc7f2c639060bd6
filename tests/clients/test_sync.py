from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from types import ModuleType

import pytest

from skerry.clients import sync
from skerry.core import context
from skerry.core.errors import UnexpectedResponse
from skerry.core.wire import Headers, Request, Response

from .support import FakeApp

CAT = {"petType": "cat", "id": "12345678-1234-5678-1234-567812345678", "lives": 7}


def test_the_same_methods_without_await(torture: ModuleType) -> None:
    events = b'data: {"value":1}\n\ndata: {"value":2}\n\n'
    app = FakeApp().answer(CAT).answer(events, media_type="text/event-stream").answer(b"<", 200)
    client = torture.Torture(app).sync
    assert client.get_pet("x", x_tenant="t").lives == 7
    with client.watch_pets() as items:
        assert [item.value for item in items] == [1, 2]
    with pytest.raises(UnexpectedResponse):
        client.get_pet("x", x_tenant="t")
    assert "One pet." in client.get_pet.__doc__
    assert client.get_pet.__name__ == "get_pet"


def test_a_stream_can_be_left_early(torture: ModuleType) -> None:
    app = FakeApp().answer(b'data: {"value":1}\n\n', media_type="text/event-stream")
    items = torture.Torture(app).sync.watch_pets()
    items.close()
    with pytest.raises(StopIteration):
        next(items)


async def test_inside_a_running_loop_it_raises(torture: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="await the asynchronous client"):
        torture.Torture(FakeApp()).sync.get_pet("x", x_tenant="t")


def test_the_context_goes_along_and_nothing_comes_back() -> None:
    seen: list[context.Context] = []
    mine: contextvars.ContextVar[int] = contextvars.ContextVar("mine", default=0)

    async def look() -> int:
        seen.append(context.current())
        mine.set(2)
        return mine.get()

    token = context.attach(context.Context(deadline=5.0))
    try:
        assert sync.run(look()) == 2
    finally:
        context.detach(token)
    assert seen[0].deadline == 5.0
    assert mine.get() == 0


def test_all_threads_share_one_loop() -> None:
    loops: set[int] = set()

    async def which() -> int:
        return id(asyncio.get_running_loop())

    threads = [threading.Thread(target=lambda: loops.add(sync.run(which()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loops) == 1


def test_a_call_that_is_given_up_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled = threading.Event()
    started = threading.Event()

    async def forever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def interrupt(self: object, timeout: float | None = None) -> None:
        started.wait(5)
        raise KeyboardInterrupt

    monkeypatch.setattr("concurrent.futures.Future.result", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sync.run(forever())
    assert cancelled.wait(5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_fork_starts_a_loop_of_its_own() -> None:
    async def answer() -> int:
        return 7

    assert sync.run(answer()) == 7
    child = os.fork()
    if child == 0:
        try:
            os._exit(sync.run(answer()))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert sync.run(answer()) == 7


def test_close(torture: ModuleType) -> None:
    closed: list[bool] = []

    async def close() -> None:
        closed.append(True)

    async def service(request: Request, /) -> Response:
        return Response(200, Headers())

    with torture.Torture(service, close=close).sync as client:
        assert not closed
        assert repr(client).endswith(".sync")
    assert closed
