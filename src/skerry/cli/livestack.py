"""``skerry stack APP --live``: breakers, budgets and calls under way, as the console shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .output import echo_json, note, table
from .place import control
from .running import app_in

_NUMBERS = ("IN FLIGHT", "EXPECTED MS", "RETRIES LEFT")
_FLOWS = ("PER SECOND", "FAILED", "IN FLIGHT", "P50 MS", "P99 MS")


def live(name: str, as_json: bool, file: str) -> int:
    """Show how the stacks of a running app are doing."""
    fleet = control(file)
    app_in(fleet.status(), name)
    found = fleet.stacks(name)
    if as_json:
        echo_json(found)
        return 0
    flows = list(_flows(found))
    if flows:
        table(("KIND", "NAME", *_FLOWS), flows, right=_FLOWS)
    else:
        note(f"{name} has done nothing yet")
    calls = list(_calls(found))
    if calls:
        print()
        table(("INSTANCE", "CALLS", "AT", "BREAKER", *_NUMBERS), calls, right=_NUMBERS)
    return 0


def _flows(found: dict[str, Any]) -> Iterator[list[str]]:
    for flow in found["flows"]:
        recent = flow["recent"] or {}
        yield [
            flow["kind"],
            flow["name"] or "-",
            _number(recent.get("per_second")),
            _number(recent.get("failed_per_second")),
            str(flow["in_flight"]),
            _number(recent.get("p50_ms")),
            _number(recent.get("p99_ms")),
        ]


def _calls(found: dict[str, Any]) -> Iterator[list[str]]:
    for instance in found["instances"]:
        for client in instance["clients"]:
            for target in client["instances"]:
                yield [
                    instance["id"],
                    client["peer"],
                    target["id"],
                    target["breaker"] or "-",
                    str(target["in_flight"]),
                    _number(target["latency_ms"]),
                    f"{client['retries_left']:.0f}",
                ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
