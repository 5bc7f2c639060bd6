"""Sends spans to a collector: in a thread, in batches, and never at the app's expense.

A collector that is slow or away costs nothing but spans: they wait in a buffer that has an end,
and what does not fit, or could not be sent, is counted.
"""

from __future__ import annotations

import gzip
import http.client
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote, urlsplit

from skerry.core.clock import system

from .metrics import Metrics
from .otlp import MEDIA_TYPE, encode_protobuf
from .spans import Span, Tracer

log = logging.getLogger("skerry.telemetry")

_AGAIN = frozenset({429, 502, 503, 504})
_TRIES = 3
_WORTH = 1024  # bytes from which a body is compressed


class Recording(Protocol):
    """Spans are recorded between the two."""

    def start(self) -> None: ...
    def stop(self, patience: float = 2.0) -> None: ...


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """Where spans go.

    Attributes:
        url: that they are posted to.
        headers: sent with them.
        resource: attributes of the process.
        timeout, every: seconds until an answer, and between two batches.
        batch: spans at once.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 5.0
    every: float = 0.5
    batch: int = 512


def settings_from(
    environment: Mapping[str, str], service: str, version: str = ""
) -> ExportSettings | None:
    """What OpenTelemetry's own variables say; None where spans go nowhere.

    Args:
        service: the app's name, if ``OTEL_SERVICE_NAME`` gives no other.
        version: the app's.
    """
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if environment.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return None
    url = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    base = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").rstrip("/")
    if not url and base:
        url = f"{base}/v1/traces"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        if url:
            log.warning("spans go nowhere: %r is not the URL of an OTLP back end", url)
        return None
    resource = {"service.name": service, "telemetry.sdk.language": "python"}
    if version:
        resource["service.version"] = version
    resource |= _pairs(environment.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    named = environment.get("OTEL_SERVICE_NAME", "")
    return ExportSettings(
        url,
        _pairs(
            environment.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS")
            or environment.get("OTEL_EXPORTER_OTLP_HEADERS", "")
        ),
        {
            **resource,
            **({"service.name": named} if named else {}),
            "telemetry.sdk.name": "skerry",
            "process.pid": str(os.getpid()),
        },
        timeout=_seconds(environment.get("OTEL_EXPORTER_OTLP_TIMEOUT", ""), 5.0),
        every=_seconds(environment.get("OTEL_BSP_SCHEDULE_DELAY", ""), 0.5),
    )


class Exporter:
    """Takes the spans of one registry's tracer away, from ``start`` to ``stop``.

    What was sent and what was lost is counted in the same registry.
    """

    def __init__(
        self,
        metrics: Metrics,
        settings: ExportSettings,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tracer = metrics.tracer
        self._sent = metrics.counter("skerry_spans_sent", "Spans that were sent to a collector.")
        lost = "Spans that were not sent to a collector."
        self._lost = metrics.counter("skerry_spans_lost", lost, reason="not taken")
        self._full = metrics.counter("skerry_spans_lost", lost, reason="no room")
        self._settings = settings
        self._sleep = sleep
        self._wake = threading.Event()
        self._stopping = False
        self._trouble = ""
        self._connection: http.client.HTTPConnection | None = None
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)

    def start(self) -> None:
        self._tracer.on = True
        self._thread.start()

    def stop(self, patience: float = 2.0) -> None:
        """Send what there is, if that takes no longer than so many seconds. Blocks."""
        self._tracer.on = False
        self._stopping = True
        self._wake.set()
        self._thread.join(patience)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._settings.every)
            while spans := self._tracer.take(self._settings.batch):
                self._deliver(spans)
            self._full.add(self._tracer.missed())
        while spans := self._tracer.take(self._settings.batch):
            if not self._deliver(spans):
                return

    def _deliver(self, spans: list[Span]) -> bool:
        offset = system.wall() - system.now()
        try:
            body = encode_protobuf(self._settings.resource, spans, offset)
        except Exception:  # an attribute that somebody has set
            log.exception("spans could not be encoded")
            self._lost.add(len(spans))
            return False
        tries = 1 if self._stopping or self._trouble else _TRIES
        for number in range(tries):
            wait = self._post(body)
            if wait is None:
                self._sent.add(len(spans))
                return True
            if wait < 0:
                break
            if number + 1 < tries:
                self._sleep(max(wait, 0.1 * 2**number))
        self._lost.add(len(spans))
        return False

    def _post(self, body: bytes) -> float | None:
        """None when it was taken; else seconds after which to try again, below 0 for never."""
        headers = {"content-type": MEDIA_TYPE, **self._settings.headers}
        if len(body) >= _WORTH:
            body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
        try:
            connection = self._connection or self._connect()
            connection.request("POST", self._target, body, headers)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._close()
            self._say(str(error) or type(error).__name__)
            return 0.0
        if answer.will_close:
            self._close()
        if answer.status < 300:
            if self._trouble:
                log.info("spans are sent to %s again", self._settings.url)
                self._trouble = ""
            return None
        self._say(f"{answer.status} {said[:200].decode('utf-8', 'replace')}")
        return _after(answer.getheader("retry-after")) if answer.status in _AGAIN else -1.0

    @property
    def _target(self) -> str:
        parts = urlsplit(self._settings.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._settings.url)
        https = parts.scheme == "https"
        kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=self._settings.timeout)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _say(self, trouble: str) -> None:
        if not self._trouble:
            log.warning("spans cannot be sent to %s: %s", self._settings.url, trouble)
        self._trouble = trouble


class Left:
    """Spans that are left to a provider of OpenTelemetry's that somebody has set up."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def start(self) -> None:
        self._tracer.on = True

    def stop(self, patience: float = 2.0) -> None:
        self._tracer.on = False


def recording_from(
    environment: Mapping[str, str], metrics: Metrics, service: str, version: str = ""
) -> Recording | None:
    """What becomes of spans here; None where nobody wants them.

    A provider that has been set up is left to send them; otherwise the environment says where.
    """
    otel = sys.modules.get("opentelemetry.trace")  # looked up, and never imported
    if hasattr(otel, "use_span") and environment.get("OTEL_SDK_DISABLED", "").lower() != "true":
        from .otel import is_set_up

        if is_set_up():
            return Left(metrics.tracer)
    return exporter_from(environment, metrics, service, version)


def exporter_from(
    environment: Mapping[str, str], metrics: Metrics, service: str, version: str = ""
) -> Exporter | None:
    """The exporter that the environment asks for; None if it asks for none."""
    settings = settings_from(environment, service, version)
    return None if settings is None else Exporter(metrics, settings)


def _after(text: str | None) -> float:
    try:
        return min(max(0.0, float(text or "0")), 30.0)
    except ValueError:  # a date
        return 1.0


def _pairs(text: str) -> dict[str, str]:
    """``a=b,c=d``, its values URL-encoded, as the W3C's baggage has it."""
    found = {}
    for pair in text.split(","):
        key, sign, value = pair.partition("=")
        if sign and key.strip():
            found[key.strip()] = unquote(value.strip())
    return found


def _seconds(text: str, otherwise: float) -> float:
    """A number of milliseconds, in seconds."""
    try:
        return max(0.01, int(text) / 1000)
    except ValueError:
        return otherwise
