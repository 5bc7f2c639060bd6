"""Instrumentation that other people wrote joins our traces, with our recorder and the SDK's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import httpx
import pytest
from opentelemetry import trace as api
from opentelemetry.sdk.trace import TracerProvider as Sdk
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from skerry.app.app import App
from skerry.telemetry.attributes import scope_of
from skerry.telemetry.export import Left

pytestmark = pytest.mark.usefixtures("no_provider")

GET = "pip install opentelemetry-instrumentation-{}"


class Told(NamedTuple):
    """A span, whoever recorded it."""

    trace: int
    id: int
    above: int
    name: str
    scope: str


Collect: TypeAlias = Callable[[], list[Told]]


@pytest.fixture(params=["ours", "theirs"])
def recorded(request: pytest.FixtureRequest) -> tuple[list[App], Collect]:
    """Apps that are to be listened to, and what they and others have recorded."""
    apps: list[App] = []
    kept = InMemorySpanExporter()
    if request.param == "theirs":
        provider = Sdk()
        provider.add_span_processor(SimpleSpanProcessor(kept))
        api.set_tracer_provider(provider)

    def collect() -> list[Told]:
        ours = [span for app in apps for span in app.metrics.tracer.take(100)]
        assert not ours or not kept.get_finished_spans()  # each of them once
        return [
            Told(span.trace_id, span.span_id, span.parent_id, span.name, scope_of(span)[0])
            for span in ours
        ] + [
            Told(
                span.context.trace_id,
                span.context.span_id,
                span.parent.span_id if span.parent else 0,
                span.name,
                span.instrumentation_scope.name if span.instrumentation_scope else "",
            )
            for span in kept.get_finished_spans()
        ]

    return apps, collect


async def started(apps: list[App], *more: App) -> None:
    for app in more:
        await app.start()
        Left(app.metrics.tracer).start()
        apps.append(app)


def tree(found: list[Told]) -> set[tuple[str, str]]:
    """Each span, and the one above it."""
    names = {span.id: f"{_short(span.scope)} {span.name}" for span in found}
    return {(f"{_short(span.scope)} {span.name}", names.get(span.above, "")) for span in found}


def _short(scope: str) -> str:
    return scope.removeprefix("opentelemetry.instrumentation.")


async def asked(app: Any, path: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        assert (await client.get(f"http://app{path}")).status_code == 200


async def test_of_asgi_around_an_app(recorded: tuple[list[App], Collect]) -> None:
    asgi = pytest.importorskip("opentelemetry.instrumentation.asgi", reason=GET.format("asgi"))
    app = App("pay")

    @app.get("/one")
    async def one() -> str:
        return "1"

    apps, collect = recorded
    await started(apps, app)
    await asked(asgi.OpenTelemetryMiddleware(app), "/one")
    await app.stop()
    found = collect()
    assert tree(found) == {
        ("asgi GET /one", ""),
        ("skerry GET /one", "asgi GET /one"),
        ("asgi GET /one http send", "asgi GET /one"),
    } | {pair for pair in tree(found) if pair[0].endswith("receive")}
    assert len({span.trace for span in found}) == 1


async def test_of_a_client_between_two_apps(recorded: tuple[list[App], Collect]) -> None:
    theirs = pytest.importorskip("opentelemetry.instrumentation.httpx", reason=GET.format("httpx"))
    pay, ledger = App("pay"), App("ledger")

    @ledger.get("/events")
    async def events() -> str:
        return "none"

    @pay.get("/one")
    async def one() -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(ledger)) as client:
            theirs.HTTPXClientInstrumentor.instrument_client(client)
            return (await client.get("http://ledger/events")).text

    apps, collect = recorded
    await started(apps, pay, ledger)
    await asked(pay, "/one")
    for app in apps:
        await app.stop()
    found = collect()
    assert tree(found) == {
        ("skerry GET /one", ""),
        ("httpx GET", "skerry GET /one"),
        ("skerry GET /events", "httpx GET"),
    }
    assert len({span.trace for span in found}) == 1


async def test_of_a_database(recorded: tuple[list[App], Collect]) -> None:
    theirs = pytest.importorskip(
        "opentelemetry.instrumentation.sqlalchemy", reason=GET.format("sqlalchemy")
    )
    from sqlalchemy import NullPool, create_engine, text

    engine = create_engine("sqlite://", poolclass=NullPool)
    theirs.SQLAlchemyInstrumentor().instrument(engine=engine, skip_dep_check=True)
    app = App("pay")

    def work() -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    @app.get("/one")
    async def one() -> str:
        await asyncio.to_thread(work)
        return ""

    @app.get("/two")
    def two() -> str:  # in a thread of the app's
        work()
        return ""

    apps, collect = recorded
    await started(apps, app)
    try:
        await asked(app, "/one")
        await asked(app, "/two")
    finally:
        theirs.SQLAlchemyInstrumentor().uninstrument()
        await app.stop()
    found = collect()
    assert {("sqlalchemy SELECT", f"skerry GET {path}") for path in ("/one", "/two")} <= tree(found)
    assert len({span.trace for span in found}) == 2
