from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct, json

from skerry.app import App
from skerry.app.testclient import TestClient
from skerry.app.tolerance import UnknownFields
from skerry.contract.codec import Codec
from skerry.core.clock import ManualClock
from skerry.core.errors import Invalid
from skerry.telemetry.metrics import OVERFLOW, Metrics


class Line(Struct):
    sku: str = ""


class Order(Struct):
    lines: list[Line] = []


class Kit:
    def __init__(self) -> None:
        self.clock, self.metrics = ManualClock(), Metrics()
        self.fields = UnknownFields("shop", self.metrics, self.clock)
        self.read: Callable[[bytes], Any] = self.fields.decoder(Codec(Order), "order")

    def send(self, **body: Any) -> Any:
        return self.read(json.encode(body))

    @property
    def counted(self) -> dict[tuple[str, str], int]:
        return {
            (one["labels"]["route"], one["labels"]["field"]): one["value"]
            for one in self.metrics.snapshot()["counters"]
        }


@pytest.fixture
def kit() -> Kit:
    return Kit()


async def test_the_first_body_is_looked_at_and_then_one_a_second(kit: Kit) -> None:
    assert kit.send(note=1) == Order()
    assert kit.counted == {("order", "#/note"): 1}
    kit.send(note=1)
    await kit.clock.advance(0.9)
    kit.send(note=1)
    assert kit.counted == {("order", "#/note"): 1}
    await kit.clock.advance(0.2)
    kit.send(note=1, tip=2)
    assert kit.counted == {("order", "#/note"): 2, ("order", "#/tip"): 1}


def test_places_in_lists_are_one_field(kit: Kit) -> None:
    kit.send(lines=[{"sku": "a", "size": 1}, {"size": 2}])
    assert kit.counted == {("order", "#/lines/*/size"): 1}


async def test_a_field_is_logged_once(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "skerry.app")
    for _ in range(3):
        kit.send(note=1)
        await kit.clock.advance(2.0)
    assert caplog.messages == ["shop.order ignores '#/note': its type has no such field"]


async def test_callers_cannot_fill_the_memory(kit: Kit) -> None:
    for n in range(80):
        kit.send(**{f"field{n}" + "x" * 500: 1})
        await kit.clock.advance(2.0)
    assert len(kit.counted) == 51
    assert kit.counted[(OVERFLOW, OVERFLOW)] == 30
    assert max(len(field) for _, field in kit.counted) == 100


async def test_looking_has_a_budget(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    codec: Codec[Order] = Codec(Order)

    def slowly(body: bytes) -> list[str]:
        kit.clock._now += 0.01
        return ["#/note"]

    monkeypatch.setattr(codec, "unknown", slowly)
    read = kit.fields.decoder(codec, "order")
    read(b"{}")
    await kit.clock.advance(9.0)
    read(b"{}")
    assert kit.counted == {("order", "#/note"): 1}
    await kit.clock.advance(1.1)
    read(b"{}")
    assert kit.counted == {("order", "#/note"): 2}


def test_large_bodies_are_left_alone(kit: Kit) -> None:
    kit.send(note="x" * 20_000)
    assert kit.counted == {}
    kit.send(note=1)
    assert kit.counted == {("order", "#/note"): 1}


def test_what_does_not_fit_is_refused_as_ever(kit: Kit) -> None:
    with pytest.raises(Invalid):
        kit.send(lines=1, note=2)
    assert kit.counted == {}


def test_strict_endpoints_refuse_instead(kit: Kit) -> None:
    codec: Codec[Order] = Codec(Order, strict=True)
    assert kit.fields.decoder(codec, "order") == codec.decode


async def test_an_app_counts_what_it_ignores() -> None:
    app = App("a")

    @app.post("/orders")
    async def order(new: Order) -> int:
        return 1

    async with TestClient(app) as client:
        await client.post("/orders", json={"lines": [], "colour": "red"})
        assert 'skerry_unknown_fields_total{app="a"' in (await client.get("/metrics")).text
