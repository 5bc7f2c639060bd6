"""What an app declares of events, as its contract says it and as it is served."""

from __future__ import annotations

from msgspec import Struct

from skerry.app import App
from skerry.app.testclient import TestClient
from skerry.bus.driver import Driver
from skerry.bus.event import event
from skerry.bus.memory import Broker, Memory
from skerry.bus.schedule import Tick


@event("payments.settled", key="id")
class Settled(Struct):
    id: str


@event("payments.refused")
class Refused(Struct):
    id: str


def payments() -> App:
    app = App("payments")
    app.publishes(Settled, Refused)
    app.publishes(Settled)
    return app


def ledger() -> App:
    app = App("ledger")

    @app.on(Settled, name="book")
    async def hear(settled: Settled) -> None:
        """Books a payment.

        Once.
        """

    @app.every("10m")
    async def balance(tick: Tick) -> None:
        """Compares both sides."""

    return app


async def test_what_is_sent_is_served_beside_openapi() -> None:
    async with TestClient(payments(), overrides={Driver: Memory(Broker())}) as client:
        found = await client.get("/asyncapi.json")
        assert found.status == 200
        document = found.json()
        assert document["info"]["title"] == "payments"
        assert list(document["operations"]) == ["send.payments.refused", "send.payments.settled"]
        assert (await client.get("/openapi.json")).json()["x-asyncapi"] == "asyncapi.json"
        assert 'href="asyncapi.json"' in (await client.get("/docs")).text


async def test_handlers_are_received_and_ticks_are_nobodys_business() -> None:
    async with TestClient(ledger(), overrides={Driver: Memory(Broker())}) as client:
        document = (await client.get("/asyncapi.json")).json()
    assert list(document["channels"]) == ["payments.settled"]
    operation = document["operations"]["receive.book.payments.settled"]
    assert (operation["summary"], operation["description"]) == ("Books a payment.", "Once.")


async def test_an_app_without_events_has_no_such_document() -> None:
    ticking = App("ticking")

    @ticking.every("10m")
    async def tick() -> None:
        """Of its own."""

    for app in (App("plain"), ticking):
        async with TestClient(
            app, overrides={Driver: Memory(Broker())} if app.handlers else {}
        ) as client:
            assert (await client.get("/asyncapi.json")).status == 404
            assert "x-asyncapi" not in (await client.get("/openapi.json")).json()


async def test_the_path_is_free_for_what_an_app_without_events_mounts() -> None:
    async def inner(scope, receive, send):  # type: ignore[no-untyped-def]
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"mine"})

    app = App("outer")
    app.mount("/", inner)
    async with TestClient(app) as client:
        assert (await client.get("/asyncapi.json")).text == "mine"
