from __future__ import annotations

from collections.abc import Iterator

import pytest

from skerry.core.context import EMPTY, attach
from skerry.telemetry import spans


@pytest.fixture
def no_provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process has one provider, set once; each test is a process of its own."""
    api = pytest.importorskip("opentelemetry.trace", reason="pip install opentelemetry-sdk")
    once = pytest.importorskip("opentelemetry.util._once")
    monkeypatch.setattr(api, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(api, "_TRACER_PROVIDER_SET_ONCE", once.Once())
    monkeypatch.setattr(spans, "_api", None)
    monkeypatch.setattr(spans, "_tracers", set())
    attach(EMPTY)
    yield
    attach(EMPTY)
