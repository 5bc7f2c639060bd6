"""What was asked and answered is told where it is wanted, and never what is secret."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from skerry import App, Problem
from skerry.app.testclient import TestClient
from skerry.core.wire import Headers, Request, Response, Stream
from skerry.filters.payload import EventPayloads, Payloads
from skerry.stack.client import Parts, instance_stack
from skerry.telemetry.metrics import Metrics
from skerry.telemetry.payload import PayloadSettings, query, told
from skerry.telemetry.redaction import HIDDEN, is_secret
from skerry.telemetry.spans import Span, Tracer

ALL = PayloadSettings("all")


class Order(Struct):
    goods: str
    card: str = ""


class SoldOut(Problem, status=409):
    pass


def shop() -> App:
    app = App("shop")

    @app.post("/orders", raises=[SoldOut])
    async def order(new: Order) -> dict[str, str]:
        if new.goods == "salt":
            raise SoldOut
        if new.goods == "fire":
            raise RuntimeError("it burns")
        return {"goods": new.goods, "token": "t-secret"}

    @app.post("/raw")
    async def raw(request: Request) -> dict[str, int]:
        body = request.body
        assert isinstance(body, Stream)
        return {"length": len(await body.read())}

    return app


async def events(app: App, path: str, body: Any, **headers: str) -> dict[str, dict[str, Any]]:
    """By name, those of the span of one request."""
    async with TestClient(app) as client:
        app.metrics.tracer.on = True
        await client.post(path, json=body, headers=headers)
        spans = app.metrics.tracer.take(10)
        app.metrics.tracer.on = False
    (served,) = [span for span in spans if span.kind == "server"]
    return {name: attributes for _, name, attributes in served.events or ()}


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda when: monkeypatch.setenv("SKERRY_PAYLOADS", when)


async def test_nobody_hears_of_them_who_has_not_asked() -> None:
    app = shop()
    found = await events(app, "/orders", {"goods": "fire"})
    assert found.keys() == {"exception"}
    assert "payload" not in [row.role for row in app.describe("order")]


async def test_all_of_them(wanted: Any) -> None:
    wanted("all")
    sent = {"goods": "tea", "card": "4111"}
    found = await events(shop(), "/orders?api_key=k&page=2", sent, authorization="Bearer x")
    asked, answered = found["request"], found["response"]
    assert json.loads(asked["body"]) == {"goods": "tea", "card": HIDDEN}
    assert asked["header.authorization"] == HIDDEN
    assert asked["query"] == f"api_key={HIDDEN}&page=2"
    assert json.loads(answered["body"]) == {"goods": "tea", "token": HIDDEN}


@pytest.mark.parametrize(("goods", "told"), [("tea", False), ("salt", False), ("fire", True)])
async def test_or_of_what_failed(wanted: Any, goods: str, told: bool) -> None:
    wanted("errors")
    found = await events(shop(), "/orders", {"goods": goods})
    assert ("request" in found) == told
    if told:
        assert json.loads(found["request"]["body"])["goods"] == "fire"


async def test_what_is_read_in_pieces_is_told_as_well(wanted: Any) -> None:
    wanted("all")
    found = await events(shop(), "/raw", {"a": 1})
    assert found["request"]["body"] == '{"a":1}'


async def test_who_asks_tells_of_what_was_refused(wanted: Any) -> None:
    wanted("errors")
    metrics = Metrics()
    metrics.tracer.on = True

    async def service(request: Request) -> Response:
        return Response(404, Headers([(b"content-type", b"text/plain")]), b"not here")

    from skerry.core.instance import Address
    from skerry.filters.budget import RetryBudget
    from skerry.stack.client import ClientSettings

    parts = Parts("a", "b", ClientSettings(), metrics, RetryBudget(None))
    stack = instance_stack(parts, Address("http://b"))
    await stack.build(service)(Request("GET", "/x", "password=p"))
    (span,) = metrics.tracer.take(10)
    found = {name: attributes for _, name, attributes in span.events or ()}
    assert found["request"]["query"] == f"password={HIDDEN}"
    assert found["response"]["body"] == "not here"


async def test_an_answer_in_pieces_goes_by_untouched() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    async def service(request: Request) -> Response:
        return Response(200, Headers(), Stream(pieces()))

    tracer = Tracer()
    tracer.on = True
    span, mark = tracer.begin("x", "server", {}, 0.0)
    answer = await Payloads(ALL, 500)(Request("GET", "/"), service)
    tracer.end(span, mark, 0.0)
    assert isinstance(answer.body, Stream) and await answer.body.read() == b"ab"
    assert dict(one[1:] for one in span.events or ())["response"]["body"] == "[in pieces]"


async def test_events_too() -> None:
    class Given:
        class message:
            id, body = "e1", b'{"iban":"DE00","amount":3}'

    async def handle(_: Any) -> None:
        raise OSError

    tracer = Tracer()
    span, mark = tracer.begin("x", "consumer", {}, 0.0)
    with pytest.raises(OSError):
        await EventPayloads(PayloadSettings("errors"))(Given(), handle)  # type: ignore[arg-type]
    tracer.end(span, mark, 0.0)
    assert (span.events or [])[0][2] == {"id": "e1", "body": f'{{"iban":"{HIDDEN}","amount":3}}'}


@pytest.mark.parametrize(
    ("body", "kind", "shown"),
    [
        (b"{broken", b"application/json", "[7 bytes of application/json]"),
        (b"\x89PNG", b"image/png", "[4 bytes of image/png]"),
        (b"x", b"", "[1 bytes]"),
        (b"\xff", b"text/plain; charset=utf-8", "[1 bytes of text/plain]"),
        (b"{" * 300_000, b"application/json", "[300000 bytes of application/json]"),
        (b"[" * 100_000, b"application/json", "[100000 bytes of application/json]"),
        (b'{"a":1}\n{"token":2}', b"application/x-ndjson", f'{{"a":1}}\n{{"token":"{HIDDEN}"}}'),
        (b"a=1&pin=2", b"application/x-www-form-urlencoded", f"a=1&pin={HIDDEN}"),
        (b"see ftp://u:p@h/x", b"text/plain", f"see ftp://{HIDDEN}@h/x"),
        (b'"' + b"x" * 50 + b'"', b"application/json", '"' + "x" * 8 + "…"),
    ],
)
def test_bodies(body: bytes, kind: bytes, shown: str) -> None:
    assert told([(b"content-type", kind)], body, 10 if len(body) == 52 else 1000)["body"] == shown


SECRETS = st.sampled_from(["password", "apiKey", "x-auth-token", "IBAN", "card_number", "Cookie"])
VALUE = "s3cr3t-value"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        | st.dictionaries(
            SECRETS, st.just(VALUE) | st.lists(st.just(VALUE)), min_size=1, max_size=2
        )
    ),
    max_leaves=20,
)


@given(JSON, SECRETS, st.integers(0, 60))
def test_no_secret_is_ever_told(body: Any, name: str, length: int) -> None:
    headers = [(b"content-type", b"application/json"), (name.lower().encode(), VALUE.encode())]
    assert VALUE not in str(told(headers, json.dumps(body).encode(), length))
    assert VALUE not in query(urlencode({"a": "b", name: VALUE}))
    form = urlencode({name: VALUE, "x": "y"}).encode()
    said = told([(b"content-type", b"application/x-www-form-urlencoded")], form, 1000)
    assert VALUE not in said["body"]


def test_names_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    import re

    from skerry.telemetry import redaction

    monkeypatch.setattr(redaction, "_ALSO", re.compile("memo|birth", re.IGNORECASE))
    assert is_secret("Memo") and is_secret("date_of_birth") and not is_secret("goods")


def test_a_span_is_told_nothing_by_chance() -> None:
    assert PayloadSettings.from_environment({"SKERRY_PAYLOADS": "yes"}).when == "off"
    assert PayloadSettings.from_environment({"SKERRY_PAYLOADS_LENGTH": "x"}).length == 4096
    assert Span("x", "server", {}, 1, 1, 0, 0.0).events is None
