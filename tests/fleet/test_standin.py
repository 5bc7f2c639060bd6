"""Apps that record nothing are seen all the same: in one trace, with whose fault it was."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core import context
from skerry.core.context import Context, Trace, current_trace, extract
from skerry.core.service import Service
from skerry.core.wire import Headers, Request, Response
from skerry.fleet.edge import FRONT
from skerry.fleet.paths import route_of
from skerry.fleet.standin import PLACED, StandIn, StandIns, is_silent
from skerry.fleet.status import fleet_status
from skerry.spec import AppSpec
from skerry.stack.client import ClientSettings
from skerry.telemetry.spans import Span

from .conftest import Http, Running, Tree


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("/orders", "/orders"),
        ("/orders/17", "/orders/{id}"),
        ("/orders/17/lines/2/", "/orders/{id}/lines/{id}/"),
        ("/users/3fa85f64-5717-4562-b3fc-2c963f66afa6", "/users/{id}"),
        ("/users/jo@example.com", "/users/{id}"),
        ("/reports/2026-11-23", "/reports/{id}"),
        ("/things/64b7f0c2e1d3a5b7c9d1e3f5", "/things/{id}"),
        ("/api/v1/health", "/api/v1/health"),
        ("/static/app.3f9a2b.js", "/static/app.3f9a2b.js"),
        (f"/{'x' * 60}", "/{id}"),
        ("/search/a%20b", "/search/{id}"),
    ],
)
def test_what_varies_in_a_path_is_taken_out(path: str, route: str) -> None:
    assert route_of(path) == route


@given(st.text())
def test_any_path_has_a_route(path: str) -> None:
    assert route_of(path).count("/") == path.count("/")
    assert route_of(route_of(path)) == route_of(path)


@pytest.mark.parametrize(
    ("command", "env", "silent"),
    [
        ("flask run --port $PORT", {}, True),
        ("opentelemetry-instrument flask run", {}, False),
        ("flask run", {"OTEL_SERVICE_NAME": "shop"}, False),
    ],
)
def test_who_speaks_for_themselves(command: str, env: dict[str, str], silent: bool) -> None:
    app = AppSpec("shop", Path("."), command=command, env=env)
    assert is_silent(app) == silent


@pytest.fixture
def standin() -> StandIn:
    made = StandIn("shop")
    made.calls.tracer.on = True
    return made


async def ask(standin: StandIn, app: Service[Request, Response], path: str = "/x") -> Response:
    token = context.attach(extract(Headers(), 0.0))
    try:
        return await standin(Request("GET", path, route=route_of(path)), app)
    finally:
        context.detach(token)


def spans(standin: StandIn) -> list[Span]:
    return standin.calls.tracer.take(100)


async def test_what_an_app_is_asked_is_recorded(standin: StandIn) -> None:
    async def app(request: Request) -> Response:
        return Response(500, Headers(), b"")

    await ask(standin, app, "/orders/17")
    (span,) = spans(standin)
    assert (span.name, span.kind, span.status) == ("GET /orders/{id}", "server", 500)
    assert span.fixed["http.route"] == "/orders/{id}"
    assert span.failed
    assert standin.calls.snapshot()["series"] == []  # its callers have counted that


async def test_a_call_belongs_to_the_only_request_under_way(standin: StandIn) -> None:
    found: list[Context] = []

    async def app(request: Request) -> Response:
        found.append(standin.place(extract(Headers(), 0.0)))
        return Response(200, Headers(), b"")

    await ask(standin, app)
    (span,) = spans(standin)
    trace = found[0].trace
    assert trace is not None and not trace.fresh
    assert (trace.trace_id, trace.span_id) == (span.trace_id, span.span_id)


async def test_what_an_app_hands_on_itself_is_believed(standin: StandIn) -> None:
    told = Headers([(b"traceparent", b"00-%032x-%016x-01" % (7, 9))])
    found: list[Context] = []

    async def app(request: Request) -> Response:
        found.append(standin.place(extract(told, 0.0)))
        return Response(200, Headers(), b"")

    await ask(standin, app)
    assert found[0].trace == Trace(7, 9)


async def test_it_is_not_guessed_which_of_several(standin: StandIn) -> None:
    go = asyncio.Event()

    async def app(request: Request) -> Response:
        await go.wait()
        return Response(200, Headers(), b"")

    both = [asyncio.create_task(ask(standin, app)) for _ in range(2)]
    await asyncio.sleep(0)
    placed = standin.place(extract(Headers(), 0.0))
    assert placed.trace is not None and placed.trace.fresh
    go.set()
    await asyncio.gather(*both)
    after = standin.place(extract(Headers(), 0.0))
    assert after.trace is not None and after.trace.fresh  # nothing is under way


async def test_a_request_that_fails_is_under_way_no_longer(standin: StandIn) -> None:
    async def app(request: Request) -> Response:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await ask(standin, app)
    assert standin.place(Context()).trace is None
    assert [span.error for span in spans(standin)] == ["ConnectionResetError"]


async def test_there_are_not_more_names_than_somebody_can_read(standin: StandIn) -> None:
    async def app(request: Request) -> Response:
        assert current_trace() is not None
        return Response(200, Headers(), b"")

    for number in range(400):
        await ask(standin, app, f"/{chr(0x4E00 + number)}")
    names = {span.name for _ in range(4) for span in spans(standin)}
    assert len(names) == 301 and "GET" in names


def test_only_silent_apps_have_one() -> None:
    standins = StandIns(["shop"])
    assert standins.of("shop") is standins.of("shop") is not None
    assert standins.of("stock") is None
    assert standins.settings(ClientSettings()).keys() == {"shop"}


SHOP = """
    import http.server, os, urllib.error, urllib.request

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            try:
                if self.path == "/":
                    status = 200
                else:
                    status = urllib.request.urlopen(os.environ["STOCK_URL"] + "/items/13").status
            except urllib.error.HTTPError as error:
                status = error.code
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
FAILS = "status = 500"
STOCK = SHOP.replace(
    'status = urllib.request.urlopen(os.environ["STOCK_URL"] + "/items/13").status', FAILS
)


async def test_a_fleet_that_knows_nothing_of_us_is_one_trace(
    tree: Tree, running: Running, http: Http, until: Any
) -> None:
    tree.text = tree.text.replace("collector = false", "collector = true")
    for name, source, needs in (("shop", SHOP, '["stock"]'), ("stock", STOCK, "[]")):
        tree.add(name, f'command = "python3 main.py"\nneeds = {needs}', "")
        tree.write(f"{name}/main.py", source)
    async with running() as supervisor:
        collector = fleet_status(supervisor).collector
        front = supervisor.recipes.front_url()
        assert (await http(front, "/shop/orders/17")).status == 500

        async def traced() -> Any:
            found = (await http(collector, "/api/v2/traces?spanName=get+/orders/%7Bid%7D")).json()
            return found[0] if found and len(found[0]) == 4 else None

        trace = await until(traced)
        known = [
            (span["localEndpoint"]["serviceName"], span.get("kind"), span["name"]) for span in trace
        ]
        assert sorted(known, key=str) == [
            ("shop", "CLIENT", "get /items/{id}"),
            ("shop", "SERVER", "get /orders/{id}"),
            ("shop", None, "stock./items/{id}"),
            ("stock", "SERVER", "get /items/{id}"),
        ]
        (call,) = [span for span in trace if "kind" not in span]
        assert PLACED in call["tags"]
        assert FRONT not in (await http(collector, "/api/v2/services")).json()

        async def blamed() -> Any:
            return (await http(collector, "/api/skerry/incidents")).json()

        (incident,) = await until(blamed)
        assert (incident["service"], incident["operation"]) == ("stock", "get /items/{id}")
        assert incident["services"] == ["stock", "shop"]
