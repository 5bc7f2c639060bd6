from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient as StarletteClient
from starlette.websockets import WebSocket

from skerry.app import App, Routes
from skerry.app.testclient import TestClient
from skerry.core.errors import ConfigError
from skerry.core.wire import Request


def make_site(log: list[str]) -> Starlette:
    async def home(request: StarletteRequest) -> PlainTextResponse:
        return PlainTextResponse(f"home at {request.scope['root_path']} {request.url.path}")

    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("echo " + await socket.receive_text())
        await socket.close()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        log.append("site starts")
        yield
        log.append("site stops")

    routes = [Route("/home", home), WebSocketRoute("/chat", chat)]
    return Starlette(routes=routes, lifespan=lifespan)


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    size = len(environ["wsgi.input"].read())
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield f"{environ['SCRIPT_NAME']} {environ['PATH_INFO']} {size}".encode()


def make(log: list[str]) -> App:
    app = App("a")

    @app.get("/site/own")
    async def own() -> str:
        return "own"

    app.mount("/site", make_site(log))
    app.mount("/legacy", wsgi)
    return app


async def test_asgi_and_wsgi_apps_answer_below_their_mount() -> None:
    log: list[str] = []
    async with TestClient(make(log)) as client:
        assert (await client.get("/site/home")).text == "home at /site /site/home"
        assert (await client.get("/site/own")).json() == "own"
        assert (await client.get("/site/none")).status == 404
        assert (await client.post("/legacy/x", content=b"123")).text == "/legacy /x 3"
        assert (await client.get("/sites/home")).headers.get("content-type") == (
            "application/problem+json"
        )
    assert log == ["site starts", "site stops"]


def test_websockets_reach_a_mounted_app() -> None:
    with StarletteClient(make([])) as client:
        with client.websocket_connect("/site/chat") as socket:
            socket.send_text("hi")
            assert socket.receive_text() == "echo hi"


def test_an_app_can_be_mounted() -> None:
    inner = App("inner")

    @inner.get("/things/{n}")
    async def thing(n: int) -> int:
        return n

    site = Starlette(routes=[Mount("/api", app=inner)])
    with StarletteClient(site) as client:
        assert client.get("/api/things/5").json() == 5
        assert client.get("/api/things/x").status_code == 422
        moved = client.get("/api/things/5/", follow_redirects=False)
        assert moved.status_code == 307
        assert client.get("/api/things/5/").json() == 5
        assert client.get("/api/readyz").status_code == 200


async def test_what_is_mounted_is_reached_by_the_service_as_well() -> None:
    app = make([])
    await app.start()
    response = await app.service(Request("GET", "/site/home"))
    assert response.status == 200
    await app.stop()


async def test_groups_are_included_under_their_prefix() -> None:
    inner = Routes("/b", tags=["inner"])

    @inner.get("/c/{n}")
    async def c(n: int) -> int:
        return n

    outer = Routes("/a", tags=["outer"])
    outer.include(inner, "/x")
    app = App("app")
    app.include(outer, "/v1")
    (operation,) = app.contract().operations
    assert (operation.path, operation.tags) == ("/v1/a/x/b/c/{n}", ("outer", "inner"))
    async with TestClient(app) as client:
        assert (await client.get("/v1/a/x/b/c/3")).json() == 3


async def test_middleware_is_plain_asgi_the_last_outermost() -> None:
    seen: list[str] = []

    def mark(app: Any, name: str) -> Any:
        async def marked(scope: Any, receive: Any, send: Any) -> None:
            seen.append(name)
            await app(scope, receive, send)

        return marked

    app = make([])
    app.middleware(mark, "inner")
    app.middleware(mark, "outer")
    async with TestClient(app) as client:
        assert (await client.get("/site/own")).json() == "own"
        assert (await client.get("/site/home")).status == 200
    assert seen == ["outer", "inner"] * 2


async def test_cors() -> None:
    app = make([])
    app.cors(origins=["https://ok.example"], headers=["X-Tenant"], credentials=True)
    async with TestClient(app) as client:
        answer = await client.get("/site/own", headers={"origin": "https://ok.example"})
        assert answer.headers.get("access-control-allow-origin") == "https://ok.example"
        assert answer.headers.get("access-control-allow-credentials") == "true"
        assert answer.headers.get("vary") == "Origin"
        other = await client.get("/site/own", headers={"origin": "https://no.example"})
        assert other.status == 200 and "access-control-allow-origin" not in other.headers
        ask = {
            "origin": "https://ok.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "x-tenant, content-type",
        }
        preflight = await client.request("OPTIONS", "/site/own", headers=ask)
        assert preflight.status == 204
        assert preflight.headers.get("access-control-allow-headers") == "x-tenant, content-type"
        refused = {**ask, "access-control-request-headers": "x-other"}
        assert (await client.request("OPTIONS", "/site/own", headers=refused)).status == 403
    with pytest.raises(ConfigError, match="name the origins"):
        App("b").cors(origins=["*"], credentials=True)


async def test_what_cannot_be_mounted() -> None:
    app = App("a")
    with pytest.raises(ConfigError, match="only an ASGI or WSGI app"):
        app.mount("/x", "not an app")
    with pytest.raises(ConfigError, match="begins with '/'"):
        app.mount("x", wsgi)
    app.mount("/x", wsgi)
    with pytest.raises(ConfigError, match="two apps are mounted"):
        app.mount("/x/", wsgi)


def test_the_sync_client() -> None:
    with TestClient(make([])).sync as client:
        assert client.get("/site/own").json() == "own"


async def test_middleware_is_not_skipped_by_apps_of_the_same_process() -> None:
    def closed(app: Any) -> Any:
        async def refuse(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        return refuse

    app = make([])
    assert (await app.inside(Request("GET", "/site/own"))).status == 200
    await app.stop()
    app.middleware(closed)
    assert (await app.inside(Request("GET", "/site/own"))).status == 401


async def test_a_catch_all_does_not_answer_for_the_apps_health() -> None:
    app = App("a")

    @app.get("/{slug}")
    async def page(slug: str) -> str:
        return slug

    @app.get("/docs")
    async def docs() -> str:
        return "our own"

    async with TestClient(app) as client:
        assert (await client.get("/readyz")).json()["status"] == "ready"
        assert (await client.get("/other")).json() == "other"
        assert (await client.get("/docs")).json() == "our own"


async def test_the_rest_of_a_path_is_a_plain_parameter_in_the_contract() -> None:
    app = App("a")

    @app.get("/files/{rest:path}")
    async def file(rest: str) -> str:
        return rest

    (operation,) = app.contract().operations
    assert operation.path == "/files/{rest}"


async def test_a_status_without_a_body_has_none() -> None:
    app = App("a")

    @app.get("/x", status=204)
    async def x() -> str:
        return "x"

    with pytest.raises(ConfigError, match="has no body"):
        await app.start()


async def test_metrics_come_in_the_format_that_the_scraper_asks_for() -> None:
    async with TestClient(make([])) as client:
        plain = await client.get("/metrics")
        asked = await client.get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert (plain.headers.get("content-type") or "").startswith("text/plain")
    assert (asked.headers.get("content-type") or "").startswith("application/openmetrics-text")
    assert asked.text.endswith("# EOF\n")
