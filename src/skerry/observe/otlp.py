"""Spans of OpenTelemetry as spans of Zipkin, by OpenTelemetry's own rules for that.

Source: "OpenTelemetry to Zipkin Transformation" and "Mapping to non-OTLP formats" of the
OpenTelemetry specification. What they leave out is kept in ``Span.more``.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from .endpoints import made
from .ids import Malformed
from .limits import Limits
from .model import CLIENT, CONSUMER, PRODUCER, SERVER, Annotation, Endpoint, Event, Link, More, Span
from .zipkin import settle

_KINDS = {2: SERVER, 3: CLIENT, 4: PRODUCER, 5: CONSUMER}
_STATUS = {1: "OK", 2: "ERROR"}
_UNKNOWN = "unknown_service"

# What becomes the other side of a call, best first, and the port that goes with an address.
_REMOTES = (
    ("peer.service", ""),
    ("server.address", ""),
    ("net.peer.name", ""),
    ("network.peer.address", "network.peer.port"),
    ("server.socket.domain", ""),
    ("server.socket.address", "server.socket.port"),
    ("net.sock.peer.name", ""),
    ("net.sock.peer.addr", "net.sock.peer.port"),
    ("peer.hostname", ""),
    ("peer.address", ""),
    ("db.name", ""),
    ("db.namespace", ""),  # what became of db.name
)

# Of a process, what people look traces up by; the rest is kept beside the span.
_SEARCHED = (
    "service.namespace",
    "service.version",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
)

_json = msgspec.json.Encoder().encode


class Source(Struct):
    """What spans that were sent together have in common.

    Attributes:
        resource: attributes of the process.
        scope: the instrumentation's name and version.
    """

    resource: dict[str, str]
    scope: tuple[str, str] = ("", "")

    @property
    def service(self) -> str:
        return self.resource.get("service.name") or _UNKNOWN


class Raw(Struct):
    """A span as OTLP has it, whichever way it was encoded. Ids are hex, times nanoseconds."""

    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    trace_state: str = ""
    name: str = ""
    kind: int = 0
    start: int = 0
    end: int = 0
    attributes: dict[str, str] = {}
    events: list[tuple[int, str, dict[str, str]]] = []
    links: list[Link] = []
    status: int = 0
    message: str = ""
    dropped: tuple[int, int, int] = (0, 0, 0)


class Export(Struct):
    """What came of a request.

    Attributes:
        rejected: how many spans were not taken, and ``reason`` why the first was not.
    """

    spans: list[Span]
    rejected: int = 0
    reason: str = ""


class Gathering:
    """Spans of one request, on their way to the store.

    Args:
        now: microseconds since 1970.
    """

    def __init__(self, now: int, limits: Limits) -> None:
        self._now = now
        self._limits = limits
        self._known: dict[str, str] = {}
        self.export = Export([])

    def take(self, raw: Raw, source: Source) -> None:
        """Take a span, or count it as rejected: one bad span does not cost the others."""
        span = _span(raw, source)
        try:
            settle(span, self._known, self._now, self._limits)
        except Malformed as error:
            self.export.rejected += 1
            self.export.reason = self.export.reason or str(error)
        else:
            self.export.spans.append(span)


def _span(raw: Raw, source: Source) -> Span:
    kind = _KINDS.get(raw.kind)
    events = [Event(at // 1000, name, attributes) for at, name, attributes in raw.events]
    return Span(
        trace_id=raw.trace_id,
        parent_id=raw.parent_id or None,
        id=raw.span_id,
        kind=kind,
        name=raw.name,
        timestamp=raw.start // 1000,
        duration=_duration(raw.start, raw.end),
        local_endpoint=Endpoint(source.service),
        remote_endpoint=_remote(raw.attributes, kind),
        annotations=[Annotation(event.timestamp, _annotation(event)) for event in events],
        tags=_tags(raw, source),
        more=More(
            status=_STATUS.get(raw.status, ""),
            message=raw.message,
            start_ns=raw.start,
            end_ns=raw.end,
            trace_state=raw.trace_state,
            scope=source.scope,
            resource=source.resource,
            links=raw.links,
            events=[event for event in events if event.attributes],
        ),
    )


def _duration(start: int, end: int) -> int:
    """Whole microseconds; what took less took one, because 0 says that it is unknown."""
    return max((end - start) // 1000, 1) if start and end >= start else 0


def _tags(raw: Raw, source: Source) -> dict[str, str]:
    tags = {name: source.resource[name] for name in _SEARCHED if name in source.resource}
    tags.update(raw.attributes)
    status = _STATUS.get(raw.status)
    if status is not None:
        tags["otel.status_code"] = status
    if status == "ERROR":
        tags["error"] = raw.message
    elif "error" in tags and (status == "OK" or tags["error"].lower() == "false"):
        del tags["error"]  # Zipkin takes any for a failure
    scope, version = source.scope
    if scope:
        tags["otel.scope.name"] = scope
    if version:
        tags["otel.scope.version"] = version
    for name, count in zip(("attributes", "events", "links"), raw.dropped, strict=True):
        if count:
            tags[f"otel.dropped_{name}_count"] = str(count)
    return tags


def _annotation(event: Event) -> str:
    if not event.attributes:
        return event.name
    return f"{_json(event.name).decode()}: {_json(event.attributes).decode()}"


def _remote(attributes: Mapping[str, str], kind: str | None) -> Endpoint | None:
    for name, port in _REMOTES if kind not in (None, SERVER) else _REMOTES[:1]:
        value = attributes.get(name)
        if not value:
            continue
        if not port:
            return made(value, (value,), 0)
        number = attributes.get(port, "")
        found = made(None, (value,), int(number) if _is_port(number) else 0)
        if found is not None:
            return found
    return None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 0xFFFF
