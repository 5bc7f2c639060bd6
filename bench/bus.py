"""What the bus carries: each driver's rows in a module of its own, by the same workers."""

from __future__ import annotations

from collections.abc import Callable

from . import bus_effects, bus_embedded, bus_rabbitmq
from .rows import Report


def run(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    bus_embedded.run(report, rounds, seconds, say)
    bus_effects.run(report, rounds, seconds, say)
    bus_rabbitmq.run(report, rounds, seconds, say)
