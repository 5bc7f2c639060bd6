"""Skerry: build, run, test, ship and operate a fleet of Python services.

Public names are listed here and imported when first used, so that ``import skerry`` is cheap
and a command pays only for what it runs. ``__init__.pyi`` is the same list for type checkers.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_NAMES = {
    # declare and serve
    "App": "skerry.app.app",
    "Body": "skerry.app.markers",
    "Cookie": "skerry.app.markers",
    "Idempotency": "skerry.filters.idempotency",
    "Header": "skerry.app.markers",
    "Path": "skerry.app.markers",
    "Query": "skerry.app.markers",
    "Reply": "skerry.app.responses",
    "Routes": "skerry.app.declare",
    "Secret": "skerry.app.settings",
    "ServerSentEvent": "skerry.app.responses",
    "html": "skerry.app.responses",
    "redirect": "skerry.app.responses",
    "text": "skerry.app.responses",
    "run": "skerry.app.serve",
    "TestClient": "skerry.app.testclient",
    "TestResponse": "skerry.app.testclient",
    # call
    "DynamicClient": "skerry.clients.dynamic",
    "received": "skerry.clients.received",
    # the bus
    "event": "skerry.bus.event",
    "publish_with": "skerry.bus.publish",
    "once_with": "skerry.bus.once",
    "Attempt": "skerry.bus.attempt",
    "Bus": "skerry.app.bus",
    "LeaseLost": "skerry.bus.driver",
    "Permanent": "skerry.bus.attempt",
    "RelaySettings": "skerry.bus.relaying",
    "Retries": "skerry.bus.consumer",
    "Tick": "skerry.bus.schedule",
    # acceptance across apps
    "Http": "skerry.journeys.http",
    "Run": "skerry.journeys.run",
    "eventually": "skerry.journeys.polling",
    "journey": "skerry.journeys.declare",
    "step": "skerry.journeys.steps",
    # set what surrounds a call
    "AttemptSettings": "skerry.filters.attempt",
    "BalanceSettings": "skerry.filters.balance",
    "BreakerSettings": "skerry.filters.breaker",
    "BudgetSettings": "skerry.filters.budget",
    "ClientSettings": "skerry.stack.client",
    "DeadlineSettings": "skerry.filters.deadline",
    "IdempotencySettings": "skerry.filters.idempotency",
    "RetrySettings": "skerry.filters.retry",
    "ServerSettings": "skerry.stack.server",
    # what goes wrong: the tree at the head of its module
    "Error": "skerry.core.errors",
    "ConfigError": "skerry.core.errors",
    "Problem": "skerry.core.errors",
    "BadRequest": "skerry.core.errors",
    "Unauthorized": "skerry.core.errors",
    "Forbidden": "skerry.core.errors",
    "NotFound": "skerry.core.errors",
    "MethodNotAllowed": "skerry.core.errors",
    "Conflict": "skerry.core.errors",
    "BodyTooLarge": "skerry.core.errors",
    "UnsupportedMediaType": "skerry.core.errors",
    "Invalid": "skerry.core.errors",
    "Fault": "skerry.core.errors",
    "IdempotencyKeyMissing": "skerry.core.errors",
    "IdempotencyKeyInFlight": "skerry.core.errors",
    "IdempotencyKeyReused": "skerry.core.errors",
    "Internal": "skerry.core.errors",
    "Overloaded": "skerry.core.errors",
    "CallError": "skerry.core.errors",
    "ConnectError": "skerry.core.errors",
    "NoInstance": "skerry.core.errors",
    "BreakerOpen": "skerry.core.errors",
    "ConnectionLost": "skerry.core.errors",
    "AttemptTimeout": "skerry.core.errors",
    "DeadlineExceeded": "skerry.core.errors",
    "BusUnavailable": "skerry.core.errors",
    "Unconfirmed": "skerry.core.errors",
    "UnexpectedResponse": "skerry.core.errors",
    "Retry": "skerry.core.errors",
    # the idea
    "Clock": "skerry.core.clock",
    "ManualClock": "skerry.core.clock",
    "SystemClock": "skerry.core.clock",
    "Context": "skerry.core.context",
    "amend": "skerry.core.context",
    "current": "skerry.core.context",
    "Filter": "skerry.core.service",
    "Service": "skerry.core.service",
    "Slot": "skerry.core.stack",
    "Stack": "skerry.core.stack",
    "Headers": "skerry.core.wire",
    "Request": "skerry.core.wire",
    "Response": "skerry.core.wire",
    "Stream": "skerry.core.wire",
}

__all__ = ["__version__", *sorted(_NAMES)]


def __getattr__(name: str) -> Any:
    module = _NAMES.get(name)
    if module is None:
        raise AttributeError(f"module 'skerry' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
