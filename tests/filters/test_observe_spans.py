"""What of a call becomes a span."""

from __future__ import annotations

import asyncio
import importlib
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from skerry.app.app import App
from skerry.core.context import EMPTY, Context, Trace, attach, current, extract
from skerry.core.errors import (
    BreakerOpen,
    CallError,
    ConnectError,
    NoInstance,
    NotFound,
    Problem,
)
from skerry.core.service import apply
from skerry.core.wire import Headers, Request, Response, Stream
from skerry.filters.budget import BudgetSettings, RetryBudget
from skerry.filters.observe import Observe
from skerry.filters.retry import Retrier, RetrySettings
from skerry.telemetry import spans
from skerry.telemetry.metrics import Metrics
from skerry.telemetry.spans import Span, resends


@pytest.fixture
def metrics() -> Metrics:
    found = Metrics()
    found.tracer.on = True
    return found


def taken(metrics: Metrics) -> list[Span]:
    return metrics.tracer.take(100)


async def good(request: Request) -> Response:
    return Response(200, Headers(), b"fine")


def server(metrics: Metrics) -> Observe:
    return Observe(metrics, "server", "pay", route="create", operation="POST /payments")


async def test_a_request_is_a_span_below_its_callers(metrics: Metrics) -> None:
    attach(Context(Trace(7, 9, 1, "a=b")))
    await server(metrics)(Request("POST", "/payments"), good)
    (span,) = taken(metrics)
    assert (span.name, span.kind) == ("POST /payments", "server")
    assert (span.trace_id, span.parent_id) == (7, 9) and span.span_id not in (0, 9)
    assert (span.status, span.failed, span.error) == (200, False, "")
    assert span.fixed["http.route"] == "/payments" and span.ended >= span.started
    assert current().trace == Trace(7, 9, 1, "a=b")


async def test_the_first_of_a_trace_has_no_parent(metrics: Metrics) -> None:
    attach(extract(Headers(), 0.0))
    trace = current().trace
    assert trace is not None
    await server(metrics)(Request("POST", "/payments"), good)
    (span,) = taken(metrics)
    assert (span.trace_id, span.span_id, span.parent_id) == (trace.trace_id, trace.span_id, 0)


async def test_calls_are_below_the_request_and_attempts_below_calls(metrics: Metrics) -> None:
    call = Observe(metrics, "client", "pay", "ledger")
    attempt = Observe(metrics, "attempt", "pay", "ledger")
    seen: list[int] = []

    async def network(request: Request) -> Response:
        trace = current().trace
        assert trace is not None
        seen.append(trace.span_id)
        return await good(request)

    async def function(request: Request) -> Response:
        asked = Request("PUT", "/events", route="record")
        return await call(asked, lambda r: attempt(r, network))

    attach(extract(Headers(), 0.0))
    await server(metrics)(Request("POST", "/payments"), function)
    inner, middle, outer = taken(metrics)
    assert [one.kind for one in (outer, middle, inner)] == ["server", "internal", "client"]
    assert (middle.name, inner.name) == ("ledger.record", "PUT record")
    assert inner.parent_id == middle.span_id and middle.parent_id == outer.span_id
    assert seen == [inner.span_id]
    assert inner.fixed["peer.service"] == "ledger"


async def test_how_it_ended(metrics: Metrics) -> None:
    attach(EMPTY)
    serving, calling = server(metrics), Observe(metrics, "attempt", "pay", "ledger")

    async def missing(request: Request) -> Response:
        return Response(404, Headers(), b"")

    async def broken(request: Request) -> Response:
        return Response(500, Headers(), b"")

    async def unreachable(request: Request) -> Response:
        raise ConnectError("refused", app="ledger")

    async def left(request: Request) -> Response:
        raise asyncio.CancelledError

    for observe, service in [
        (serving, missing),
        (calling, missing),
        (serving, broken),
        (calling, unreachable),
        (serving, left),
    ]:
        try:
            await observe(Request("GET", "/"), service)
        except (ConnectError, asyncio.CancelledError):
            pass
    found = [(span.status, span.error, span.failed) for span in taken(metrics)]
    assert found == [
        (404, "404", False),
        (404, "404", True),
        (500, "500", True),
        (0, "ConnectError", True),
        (0, "cancelled", False),
    ]


@pytest.mark.parametrize("nobody", [NoInstance, BreakerOpen])
async def test_a_call_that_finds_nobody_to_ask_says_whom_it_was_for(
    metrics: Metrics, nobody: type[CallError]
) -> None:
    async def refuses(request: Request) -> Response:
        raise nobody("nobody is there", app="quotes")

    call = Observe(metrics, "client", "portal", "quotes")
    with pytest.raises(nobody):
        await call(Request("GET", "/rates", route="list_rates"), refuses)
    (span,) = taken(metrics)
    assert span.attributes == {"skerry.unanswered": "quotes"}


async def test_a_stream_is_over_when_its_body_is(metrics: Metrics) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"

    async def streams(request: Request) -> Response:
        return Response(200, Headers(), Stream(chunks()))

    attach(EMPTY)
    response = await server(metrics)(Request("GET", "/"), streams)
    assert taken(metrics) == [] and current().trace is None
    assert isinstance(response.body, Stream)
    async for _ in response.body:
        pass
    await response.body.aclose()
    (span,) = taken(metrics)
    assert span.status == 200


async def test_nothing_is_recorded_while_nobody_takes_it() -> None:
    metrics = Metrics()
    await server(metrics)(Request("POST", "/payments"), good)
    assert metrics.tracer.waiting == 0


async def test_the_buffer_has_an_end(metrics: Metrics) -> None:
    metrics.tracer.room = 3
    for _ in range(5):
        await server(metrics)(Request("POST", "/payments"), good)
    assert (metrics.tracer.waiting, metrics.tracer.dropped) == (3, 2)


class Unknown(Problem, status=422):
    """No such currency."""

    currency: str


async def test_an_app_tells_what_it_raised() -> None:
    app = App("pay")
    password = "hunter2"

    @app.get("/fails/{card_number}")
    async def fails(card_number: str) -> None:
        amount = 42
        api_key = password
        raise OSError(f"no disk for {amount}" + api_key[:0])

    @app.get("/refuses", raises=[Unknown, NotFound])
    async def refuses() -> None:
        raise Unknown(detail="no rate", currency="XXX")

    await app.start()
    app.metrics.tracer.on = True
    try:
        assert (await app.service(Request("GET", "/fails/4111"))).status == 500
        assert (await app.service(Request("GET", "/refuses"))).status == 422
    finally:
        await app.stop()
    failed, refused = taken(app.metrics)
    assert (failed.name, failed.error, failed.failed) == (
        "GET /fails/{card_number}",
        "OSError",
        True,
    )
    assert failed.events is not None
    _, name, said = failed.events[0]
    assert (name, said["exception.message"]) == ("exception", "no disk for 42")
    assert "amount = 42" in said["skerry.locals"]
    assert "hunter2" not in said["skerry.locals"] and "4111" not in said["skerry.locals"]
    assert "raise OSError" in said["exception.stacktrace"]
    assert (refused.error, refused.failed, refused.status) == ("Unknown", False, 422)
    assert refused.attributes == {"skerry.problem": "no rate"}


async def test_attempts_after_the_first_say_which_they_are(metrics: Metrics) -> None:
    answers = [503, 503, 200]

    async def busy(request: Request) -> Response:
        return Response(answers.pop(0), Headers(), b"")

    retrier = Retrier(RetrySettings(backoff=0.001), RetryBudget(BudgetSettings()), metrics)
    attempt = Observe(metrics, "attempt", "shop", "stock")
    stack = apply(retrier, apply(attempt, busy))
    assert (await stack(Request("GET", "/"))).status == 200
    counts = [(span.attributes or {}).get("http.request.resend_count") for span in taken(metrics)]
    assert counts == [None, 1, 2]
    assert resends.get() == 0  # for whoever calls next


def test_the_provider_can_be_chosen_by_its_name() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    group = tomllib.loads(text)["project"]["entry-points"]["opentelemetry_tracer_provider"]
    module, _, name = group["skerry"].partition(":")
    provider = getattr(importlib.import_module(module), name)()
    assert provider.get_tracer("x").start_span("y") is not None


def exemplars(metrics: Metrics) -> list[tuple[str, str]]:
    """Trace and span of what stands for the calls of a kind."""
    return [
        (one.trace_id, one.span_id)
        for series in metrics
        for histogram in series.histograms
        for one in histogram.exemplars()
    ]


def ids(span: Span) -> tuple[str, str]:
    return f"{span.trace_id:032x}", f"{span.span_id:016x}"


async def test_what_is_counted_can_be_looked_up(metrics: Metrics) -> None:
    async def streamed(request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"some"

        return Response(200, Headers(), Stream(body()))

    async def bad(request: Request) -> Response:
        raise ConnectError

    await server(metrics)(Request("POST", "/payments"), good)
    assert exemplars(metrics) == [ids(taken(metrics)[0])]
    other = Metrics()
    other.tracer.on = True
    response = await server(other)(Request("POST", "/payments"), streamed)
    assert exemplars(other) == []
    assert isinstance(response.body, Stream)
    assert [piece async for piece in response.body] == [b"some"]
    assert exemplars(other) == [ids(taken(other)[0])]
    failing = Metrics()
    failing.tracer.on = True
    with pytest.raises(ConnectError):
        await server(failing)(Request("POST", "/payments"), bad)
    assert exemplars(failing) == [ids(taken(failing)[0])]


async def test_what_nobody_records_is_no_exemplar(metrics: Metrics) -> None:
    metrics.tracer.on = False
    await server(metrics)(Request("POST", "/payments"), good)
    assert exemplars(metrics) == []


@pytest.mark.parametrize("low", [2, 3])
async def test_of_traces_that_are_not_sent_there_is_no_exemplar(low: int) -> None:
    async def streamed(request: Request) -> Response:
        return Response(200, Headers(), Stream(nothing()))

    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    attach(Context(Trace((7 << 64) + low, 9)))
    for service in (good, streamed):
        metrics = Metrics()
        metrics.tracer.on, metrics.tracer.below = True, 3
        response = await server(metrics)(Request("POST", "/payments"), service)
        if isinstance(response.body, Stream):
            await response.body.aclose()
        assert len(exemplars(metrics)) == (low == 2)


@pytest.mark.parametrize("sampled", [True, False])
async def test_what_somebody_elses_sdk_does_not_record_is_no_exemplar(
    sampled: bool, metrics: Metrics
) -> None:
    api = pytest.importorskip("opentelemetry.trace", reason="pip install opentelemetry-api")

    class Theirs:
        """A recorder that makes spans of somebody else's."""

        def begin(self, tracer: Any, *names: Any) -> tuple[Span, Any]:
            span, _ = tracer.start(*names, None)
            context = api.SpanContext(1, 2, False, api.TraceFlags(int(sampled)))
            span.twin = api.NonRecordingSpan(context)
            return span, lambda: None

        def end(self, span: Span) -> None:
            pass

    spans.use(Theirs())
    try:
        await server(metrics)(Request("POST", "/payments"), good)
    finally:
        spans.use(None)
    assert len(exemplars(metrics)) == sampled
