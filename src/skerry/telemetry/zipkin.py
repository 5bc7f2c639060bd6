"""Spans as Zipkin has them, version 2 in JSON, put into its words as OpenTelemetry's specification
says for exporters to Zipkin."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from .attributes import SCOPE, SCOPE_VERSION, attributes_of, message_of, scope_of, status_of
from .otlp import ERROR, nanos
from .spans import Span

MEDIA_TYPE = "application/json"

_PEERS = ("peer.service", "server.address", "network.peer.address", "db.namespace")
_OWN = frozenset({"service.name", "telemetry.sdk.language", "telemetry.sdk.name", "process.pid"})
_LOST = ("attributes", "events", "links")
_STATUSES = {1: "OK", 2: "ERROR"}
_encode = msgspec.json.Encoder().encode


def encode_zipkin(resource: Mapping[str, str], spans: Sequence[Span], offset: float) -> bytes:
    """A list of spans.

    Args:
        resource: attributes of the process; ``service.name`` is whose the spans are.
        offset: seconds between the spans' clock and 1970.
    """
    said = {name: _text(value) for name, value in resource.items() if name not in _OWN}
    local = {"serviceName": resource.get("service.name", "")}
    return _encode([_span(span, local, said, offset) for span in spans])


def _span(
    span: Span, local: Mapping[str, str], said: Mapping[str, str], offset: float
) -> dict[str, Any]:
    begin, end = nanos(span.started, offset) // 1000, nanos(span.ended, offset) // 1000
    tags = {**said, **_tags(span)}
    found: dict[str, Any] = {
        "traceId": f"{span.trace_id:032x}",
        "id": f"{span.span_id:016x}",
        "name": span.name,
        "timestamp": begin,
        "duration": max(1, end - begin),
        "localEndpoint": local,
        "tags": tags,
    }
    if span.parent_id:
        found["parentId"] = f"{span.parent_id:016x}"
    if span.kind != "internal":
        found["kind"] = span.kind.upper()
    if span.kind in ("client", "producer"):
        peer = next((tags[name] for name in _PEERS if tags.get(name)), "")
        if peer:
            found["remoteEndpoint"] = {"serviceName": peer}
    if span.events:
        found["annotations"] = [
            {"timestamp": nanos(at, offset) // 1000, "value": _annotation(name, attributes)}
            for at, name, attributes in span.events
        ]
    return found


def _tags(span: Span) -> dict[str, str]:
    shared = {k: v for k, v in span.fixed.items() if k not in (SCOPE, SCOPE_VERSION)}
    tags = {key: _text(value) for key, value in (shared | attributes_of(span)).items()}
    tags[SCOPE], version = scope_of(span)
    if version:
        tags[SCOPE_VERSION] = version
    for name, lost in zip(_LOST, span.lost or (), strict=False):
        if lost:
            tags[f"otel.dropped_{name}_count"] = str(lost)
    status = status_of(span)
    if status in _STATUSES:
        tags["otel.status_code"] = _STATUSES[status]
    if status == ERROR:
        tags["error"] = message_of(span) or "true"
    return tags


def _annotation(name: str, attributes: Mapping[str, Any]) -> str:
    if not attributes:
        return name
    return f"{json.dumps(name)}: {json.dumps(attributes, default=str)}"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, (bool, list, tuple)):
        return json.dumps(value, default=str)
    return str(value)
