"""The collector as an app like any other: ``skerry run skerry.collector.app:app``.

It takes Zipkin v2 and OTLP/HTTP from any process in any language, and answers Zipkin's query
API. Its settings are environment variables; see ``CollectorSettings``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from skerry.app.app import App

from .collector import Collector
from .endpoints import endpoints
from .finding import finding
from .intake import intake
from .looking import looking
from .settings import PREFIX, CollectorSettings
from .troubles import troubles
from .zipkin_api import zipkin_api

app = App("collector", description="Takes spans, keeps them for a while, and finds them again.")
app.settings(CollectorSettings, prefix=PREFIX)
app.include(intake)
app.include(zipkin_api)
app.include(finding)
app.include(looking)
app.include(endpoints)
app.include(troubles)


@app.resource(health=Collector.health)
async def collector(settings: CollectorSettings) -> AsyncIterator[Collector]:
    """The store and its thread."""
    made = await asyncio.to_thread(Collector, settings, app.metrics)
    try:
        yield made
    finally:
        await asyncio.to_thread(made.close)
