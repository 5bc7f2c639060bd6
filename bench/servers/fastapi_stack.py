"""What a FastAPI team puts together for the same protection: httpx for the call, tenacity for
retries, purgatory for the breaker, OpenTelemetry for both ends: FastAPI's own, and httpx's.

As their docs advise: one shared AsyncClient with a timeout, ``retry_if_exception_type`` with
exponential backoff, one circuit-breaker factory, the official instrumentation of httpx, and a
BatchSpanProcessor. FastAPI writes spans itself once there is a provider; its older
instrumentation package would cost it a sixth of its speed. Spans are thrown away, so that no
collector's cost is counted.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from purgatory import AsyncCircuitBreakerFactory
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from .fastapi_bare import NewQuote, Quote
from .fastapi_bare import app as app


class Nowhere(SpanExporter):
    def export(self, spans: object) -> SpanExportResult:
        return SpanExportResult.SUCCESS


provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Nowhere()))
trace.set_tracer_provider(provider)
HTTPXClientInstrumentor().instrument()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient(base_url=os.environ.get("BACK_URL", ""), timeout=10.0) as client:
        app.state.client = client
        yield


front = FastAPI(lifespan=lifespan)
breakers = AsyncCircuitBreakerFactory(default_threshold=5, default_ttl=30)


@retry(
    retry=retry_if_exception_type(httpx.TransportError),
    stop=stop_after_attempt(3),
    wait=wait_exponential_jitter(initial=0.1, max=2),
    reraise=True,
)
async def call(client: httpx.AsyncClient, body: str) -> Quote:
    async with await breakers.get_breaker("quotes"):
        headers = {"content-type": "application/json"}
        response = await client.post("/quotes", content=body, headers=headers)
        response.raise_for_status()
        return Quote.model_validate_json(response.content)


@front.post("/front", status_code=201)
async def ask(new: NewQuote, request: Request) -> Quote:
    return await call(request.app.state.client, new.model_dump_json())
