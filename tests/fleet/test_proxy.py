from __future__ import annotations

import pytest

from skerry.core.clock import system
from skerry.core.context import current
from skerry.core.errors import BreakerOpen, DeadlineExceeded
from skerry.core.wire import Headers, Request, Response, Stream
from skerry.fleet.proxy import SMALL, end_to_end, forwarded, localised, relay
from skerry.fleet.routes import Routes


def test_fields_for_the_next_hop_alone_stay_behind() -> None:
    raw = Headers.of(
        [
            ("connection", "close, X-Named"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "x"),
            ("x-named", "1"),
            ("x-kept", "1"),
            ("x-kept", "2"),
        ]
    ).raw
    assert end_to_end(raw) == [(b"x-kept", b"1"), (b"x-kept", b"2")]


def test_what_is_said_of_the_client() -> None:
    headers = Headers.of(
        {
            "host": 'a"b.example',
            "forwarded": "for=10.0.0.9",
            "x-forwarded-for": "10.0.0.9",
            "x-forwarded-proto": "https",
            "expect": "100-continue",
        }
    )
    found = Headers(forwarded(Request("GET", "/", headers=headers, peer="::1"), "/p"))
    assert dict(found) == {
        "forwarded": 'for=10.0.0.9, for="[::1]";proto=http;host="ab.example"',
        "x-forwarded-for": "10.0.0.9, ::1",
        "x-forwarded-host": 'a"b.example',
        "x-forwarded-proto": "http",
        "x-forwarded-prefix": "/p",
    }


async def test_the_callers_context_goes_on_and_its_headers_are_written_anew() -> None:
    seen: list[Request] = []

    async def service(request: Request) -> Response:
        seen.append(request)
        context = current()
        assert context.trace is not None
        assert f"{context.trace.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
        assert context.deadline is not None
        assert 0 < context.deadline - system.now() <= 0.5
        assert context.baggage == {"tenant": "x"}
        return Response(200, Headers.of({"connection": "close", "x": "1"}), b"")

    headers = Headers.of(
        {
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "grpc-timeout": "500m",
            "baggage": "tenant=x",
        }
    )
    before = current()
    response = await relay(Request("GET", "/p/a", "q=1", headers), service, "/a", "/p")
    assert current() is before
    assert dict(response.headers) == {"x": "1"}
    (sent,) = seen
    assert (sent.path, sent.query) == ("/a", "q=1")
    assert {"traceparent", "grpc-timeout", "baggage"}.isdisjoint(dict(sent.headers))


@pytest.mark.parametrize(
    ("error", "status"), [(BreakerOpen("closed", app="a"), 503), (DeadlineExceeded("late"), 504)]
)
async def test_a_call_without_an_answer_becomes_a_problem(error: Exception, status: int) -> None:
    async def service(request: Request) -> Response:
        raise error

    response = await relay(Request("GET", "/"), service, "/")
    assert response.status == status
    assert response.headers.get("content-type") == "application/problem+json"
    assert response.headers.get("grpc-retry-pushback-ms") == "-1"


@pytest.mark.parametrize(("length", "whole"), [(SMALL, True), (SMALL + 1, False), (None, False)])
async def test_a_small_body_is_read_so_that_it_can_be_sent_again(
    length: int | None, whole: bool
) -> None:
    async def pieces():  # type: ignore[no-untyped-def]
        yield b"x"

    async def service(request: Request) -> Response:
        assert isinstance(request.body, bytes) is whole
        return Response(200)

    headers = Headers.of({} if length is None else {"content-length": str(length)})
    request = Request("PUT", "/", headers=headers, body=Stream(pieces()))
    assert (await relay(request, service, "/")).status == 200


@pytest.mark.parametrize(
    ("location", "prefix", "seen"),
    [
        ("http://127.0.0.1:1/x?y", "/p", "/p/x?y"),
        ("http://127.0.0.1:1", "", "/"),
        ("http://127.0.0.1:10/x", "/p", "http://127.0.0.1:10/x"),
        ("/x", "/p", "/p/x"),
        ("//elsewhere/x", "/p", "//elsewhere/x"),
        ("x", "/p", "x"),
        ("https://elsewhere/x", "/p", "https://elsewhere/x"),
    ],
)
def test_redirects_lead_to_where_the_client_is(location: str, prefix: str, seen: str) -> None:
    response = Response(302, Headers.of({"location": location}))
    found = localised(response, frozenset({"http://127.0.0.1:1"}), prefix)
    assert found.headers.get("location") == seen


def test_routes() -> None:
    routes = Routes({"/": "portal", "/api/": "api", "/api/v2": "new"}, {"portal", "api", "new"})
    assert routes.find("x:80", "/") == ("portal", "", "/")
    assert routes.find("x", "/apix/1") == ("portal", "", "/apix/1")
    assert routes.find("x", "/api") == ("api", "/api", "/")
    assert routes.find("x", "/api/v1/%2F") == ("api", "/api", "/v1/%2F")
    assert routes.find("x", "/api/v2/a") == ("new", "/api/v2", "/a")
    assert routes.find("NEW.localhost:8080", "/api/v2/a") == ("new", "", "/api/v2/a")
    assert routes.find("other.localhost", "/x") == ("portal", "", "/x")
    assert routes.find("new.example", "/x") == ("portal", "", "/x")
    assert Routes({"/a": "a"}, {"a"}).find("localhost", "/") is None
