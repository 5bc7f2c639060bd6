"""Events through an app, as spans: in traces of their own, linked to where they came from."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from skerry.app.app import App
from skerry.app.bus import Bus
from skerry.app.testclient import TestClient
from skerry.bus.driver import Driver
from skerry.bus.event import event
from skerry.bus.memory import Broker, Memory
from skerry.telemetry.spans import Span


@event("payments.settled", key="id")
class Settled(Struct):
    id: str


async def test_a_handled_event_is_a_trace_of_its_own_linked_to_its_publishers() -> None:
    app = App("ledger")
    app.publishes(Settled)

    @app.post("/settle", status=202)
    async def settle(bus: Bus) -> None:
        await bus.publish(Settled("p1"), Settled("bad"))

    @app.on(Settled)
    async def book(settled: Settled) -> None:
        if settled.id == "bad":
            raise LookupError("no such account")

    async with TestClient(app, overrides={Driver: Memory(Broker())}) as client:
        app.metrics.tracer.on = True
        assert (await client.post("/settle")).status == 202
        found: list[Span] = []
        async with asyncio.timeout(20):
            while len(found) < 3:
                found += app.metrics.tracer.take(10)
                await asyncio.sleep(0.01)
    request = next(span for span in found if span.kind == "server")
    good, bad = (span for span in found[:3] if span.kind == "consumer")
    if good.failed:
        good, bad = bad, good
    for span in (good, bad):
        assert span.name == "process payments.settled"
        assert span.trace_id != request.trace_id and span.parent_id == 0
        (link,) = span.links
        assert (link.trace.trace_id, link.trace.span_id) == (request.trace_id, request.span_id)
        assert span.attributes is not None
        assert span.attributes["messaging.destination.name"] == "payments.settled"
    assert (good.failed, bad.failed, bad.error) == (False, True, "LookupError")
    assert bad.events is not None and bad.events[0][2]["exception.message"] == "no such account"
