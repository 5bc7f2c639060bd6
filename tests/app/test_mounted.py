"""What surrounds the requests of mounted apps: counts, context, deadline, state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient as StarletteClient
from starlette.websockets import WebSocket

from skerry.app import App
from skerry.app.asgi import ASGIApp, Message, Receive, Scope, Send
from skerry.app.testclient import TestClient
from skerry.core.clock import system
from skerry.core.context import Context, current
from skerry.core.wire import Request
from skerry.telemetry.outcome import CANCELLED

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "grpc-timeout": "5S"}


def told() -> dict[str, Any]:
    context = current()
    left = None if context.deadline is None else context.deadline - system.now()
    return {"trace": context.trace and f"{context.trace.trace_id:032x}", "left": left}


def series(app: App, route: str) -> Any:
    return app.metrics.series("server", app.name, route)


def counts(app: App, route: str) -> dict[int, int]:
    histograms = series(app, route).histograms
    return {number: h.count for number, h in enumerate(histograms) if h.count}


def site() -> FastAPI:
    site = FastAPI()

    @site.get("/told")
    async def _told() -> dict[str, Any]:
        return told()

    @site.get("/in-a-thread")
    def _in_a_thread() -> dict[str, Any]:
        return told()

    @site.get("/fails")
    async def _fails() -> None:
        raise RuntimeError("a bug")

    @site.get("/sleeps")
    async def _sleeps() -> None:
        await asyncio.sleep(60)

    return site


@pytest.mark.parametrize("path", ["/site/told", "/site/in-a-thread"])
async def test_trace_and_deadline_reach_a_mounted_app(path: str) -> None:
    app = App("a")
    app.mount("/site", site())
    async with TestClient(app) as client:
        said = (await client.get(path, headers=CALLER)).json()
        assert said["trace"] == TRACE and 4 < said["left"] <= 5
        alone = (await client.get(path)).json()
        assert alone["trace"] not in (None, TRACE) and 29 < alone["left"] <= 30


async def test_trace_and_deadline_reach_a_wsgi_app() -> None:
    def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield str(told()["trace"]).encode()

    app = App("a")
    app.mount("/legacy", wsgi)
    async with TestClient(app) as client:
        assert (await client.get("/legacy/x", headers=CALLER)).text == TRACE
    assert counts(app, "/legacy") == {2: 1}


async def test_the_same_by_the_loopback() -> None:
    app = App("a")
    app.mount("/site", site())
    async with TestClient(app):
        answer = await app.service(Request("GET", "/s%69te/told"))
        assert answer.status == 200
    assert counts(app, "/site") == {2: 1}


async def test_requests_are_counted_under_the_prefix() -> None:
    app = App("a")

    @app.get("/site/own")
    async def own() -> None: ...

    app.mount("/site", site())
    async with TestClient(app) as client:
        for path in ("told", "told", "none", "own", "fails"):
            await client.get(f"/site/{path}")
        metrics = (await client.get("/metrics")).text
    assert counts(app, "/site") == {2: 2, 4: 1, 5: 1}
    assert counts(app, "own") == {2: 1}
    assert 'route="/site"' in metrics


async def test_an_app_at_the_root_has_a_name_as_well() -> None:
    app = App("a")
    app.mount("/", site())
    async with TestClient(app) as client:
        assert (await client.get("/told")).status == 200
        assert (await client.get("/readyz")).status == 200
    assert counts(app, "/") == {2: 1}


async def test_a_mounted_app_that_takes_too_long() -> None:
    app = App("a")
    app.mount("/site", site(), timeout=0.02)
    async with TestClient(app) as client:
        answer = await client.get("/site/sleeps")
    assert answer.status == 504
    assert answer.headers.get("content-type") == "application/problem+json"
    assert counts(app, "/site") == {5: 1}


async def test_a_caller_that_has_left_is_not_worked_for() -> None:
    app = App("a")
    app.mount("/site", site())
    async with TestClient(app) as client:
        late = await client.get("/site/told", headers={"grpc-timeout": "0n"})
    assert late.status == 504


class Server:
    """The server's end of one ASGI request: what it was sent, and when."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.gone = asyncio.Event()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def ask(self, app: ASGIApp, path: str, **more: Any) -> asyncio.Task[None]:
        scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [],
            **more,
        }
        return asyncio.ensure_future(app(scope, self.receive, self.send))


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_stream_goes_by_as_it_comes() -> None:
    more = asyncio.Event()
    streaming = FastAPI()

    @streaming.get("/s")
    async def s() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x"
            await more.wait()
            yield b"end"

        return StreamingResponse(chunks())

    app = App("a")
    app.mount("/site", streaming, timeout=0.05)
    await app.start()
    server = Server()
    task = server.ask(app, "/site/s")
    await asyncio.sleep(0.1)  # longer than the deadline, which is that of the head
    assert [m["type"] for m in server.sent[:2]] == ["http.response.start", "http.response.body"]
    assert len(server.sent) == 101
    assert series(app, "/site").in_flight == 1
    more.set()
    await task
    assert server.sent[-1].get("more_body", False) is False
    assert series(app, "/site").in_flight == 0 and counts(app, "/site") == {2: 1}
    await app.stop()


async def test_a_caller_that_leaves_is_noticed() -> None:
    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert (await receive())["type"] == "http.disconnect"
        raise OSError("as Starlette does")

    app = App("a")
    app.mount("/site", waits)
    await app.start()
    server = Server()
    task = server.ask(app, "/site")
    await settle()
    assert series(app, "/site").in_flight == 1
    server.gone.set()
    with pytest.raises(OSError, match="as Starlette does"):
        await task
    assert series(app, "/site").in_flight == 0
    await app.stop()


async def test_a_cancelled_request_ends_the_app() -> None:
    ended: list[str] = []

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        try:
            if scope["path"] == "/site/begun":
                await send({"type": "http.response.start", "status": 200, "headers": []})
            await asyncio.sleep(60)
        finally:
            ended.append(scope["path"])
            with pytest.raises(OSError):
                await send({"type": "http.response.body", "body": b"late"})

    app = App("a")
    app.mount("/site", endless)
    await app.start()
    for path in ("/site/waiting", "/site/begun"):
        server = Server()
        task = server.ask(app, path)
        await settle()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await settle()
        assert ended.pop() == path
        assert [m["type"] for m in server.sent] == ["http.response.start"] * (path[6] == "b")
    assert counts(app, "/site") == {CANCELLED: 2}
    await app.stop()


async def test_what_is_sent_too_late_is_not_sent() -> None:
    outcome: list[type[BaseException]] = []

    async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            try:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            except OSError as error:
                outcome.append(type(error))

    app = App("a")
    app.mount("/site", stubborn, timeout=0.02)
    async with TestClient(app) as client:
        assert (await client.get("/site")).status == 504
        await settle()
    assert outcome == [OSError]


async def test_an_app_that_does_not_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None: ...

    app = App("a")
    app.mount("/site", silent)
    async with TestClient(app) as client:
        assert (await client.get("/site")).status == 500
    assert "did not answer" in caplog.text


async def test_what_an_app_does_after_its_answer_is_not_part_of_it() -> None:
    more = asyncio.Event()
    site = FastAPI()

    @site.get("/")
    async def later(tasks: BackgroundTasks) -> None:
        tasks.add_task(more.wait)

    app = App("a")
    app.mount("/site", site)
    await app.start()
    server = Server()
    task = server.ask(app, "/site/")
    await settle()
    assert not task.done()
    assert counts(app, "/site") == {2: 1}
    more.set()
    await task
    await app.stop()


async def test_the_head_keeps_what_the_app_says() -> None:
    async def trailing(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        start = {"type": "http.response.start", "status": 200, "headers": [], "trailers": True}
        for message in (
            {"type": "http.response.early_hint", "links": []},
            start,
            {"type": "http.response.body", "body": b"x", "more_body": False},
            {"type": "http.response.trailers", "headers": [], "more_trailers": False},
        ):
            await send(message)

    app = App("a")
    app.mount("/site", trailing)
    await app.start()
    server = Server()
    await server.ask(app, "/site")
    assert [m["type"].rpartition(".")[2] for m in server.sent] == [
        "early_hint",
        "start",
        "body",
        "trailers",
    ]
    assert server.sent[1]["trailers"] is True
    await app.stop()


def test_a_websocket_has_a_trace_and_no_end() -> None:
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_json({"text": text, **told()})

    app = App("a")
    app.mount("/site", Starlette(routes=[WebSocketRoute("/chat", chat)]))
    with StarletteClient(app) as client:
        with client.websocket_connect(
            "/site/chat", headers={"traceparent": CALLER["traceparent"]}
        ) as s:
            s.send_text("one")
            assert s.receive_json() == {"text": "one", "trace": TRACE, "left": None}
            s.send_text("two")
            assert s.receive_json()["text"] == "two"


def stateful(name: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        yield {"name": name}

    async def state(request: StarletteRequest) -> JSONResponse:
        return JSONResponse(request.state._state)

    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json(socket.state._state)

    routes = [Route("/", state), WebSocketRoute("/chat", chat)]
    return Starlette(routes=routes, lifespan=lifespan)


def test_each_mounted_app_has_the_state_of_its_lifespan() -> None:
    app = App("a")
    app.mount("/one", stateful("one"))
    app.mount("/two", stateful("two"))
    with StarletteClient(app) as client:
        assert client.get("/one/").json() == {"name": "one"}
        assert client.get("/two/").json() == {"name": "two"}
        with client.websocket_connect("/two/chat") as socket:
            assert socket.receive_json() == {"name": "two"}


def test_state_of_the_server_and_of_middleware_goes_down_to_what_is_mounted() -> None:
    app = App("a")
    app.mount("/one", stateful("one"))

    def mark(inner: ASGIApp) -> ASGIApp:
        async def marked(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("state", {})["mark"] = 1
            await inner(scope, receive, send)

        return marked

    app.middleware(mark)

    @asynccontextmanager
    async def lifespan(outer: Starlette) -> AsyncIterator[dict[str, Any]]:
        yield {"outer": True}

    with StarletteClient(Starlette(routes=[Mount("/a", app)], lifespan=lifespan)) as client:
        assert client.get("/a/one/").json() == {"outer": True, "mark": 1, "name": "one"}


async def test_nothing_of_it_is_there_for_an_app_without_mounts() -> None:
    app = App("a")
    assert app._asgi is None
    assert current() == Context()
