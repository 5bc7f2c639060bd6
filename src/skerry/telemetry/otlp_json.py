"""Spans as OTLP has them in JSON: for back ends that take no protobuf, and for people who look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from .attributes import SCOPE, SCOPE_VERSION, attributes_of, message_of, scope_of, status_of
from .otlp import ERROR, KINDS, MOST, nanos
from .spans import Link, Span

MEDIA_TYPE = "application/json"

_LOST = ("droppedAttributesCount", "droppedEventsCount", "droppedLinksCount")
_encode = msgspec.json.Encoder().encode


def encode_json(resource: Mapping[str, str], spans: Sequence[Span], offset: float) -> bytes:
    """An ``ExportTraceServiceRequest``.

    Args:
        resource: attributes of the process.
        offset: seconds between the spans' clock and 1970.
    """
    scopes: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for span in spans:
        scopes.setdefault(scope_of(span), []).append(_span(span, offset))
    found = [
        {"scope": {"name": name, **({"version": version} if version else {})}, "spans": some}
        for (name, version), some in scopes.items()
    ]
    whole = {"resource": {"attributes": _attributes(resource.items())}, "scopeSpans": found}
    return _encode({"resourceSpans": [whole]})


def _span(span: Span, offset: float) -> dict[str, Any]:
    shared = [pair for pair in span.fixed.items() if pair[0] not in (SCOPE, SCOPE_VERSION)]
    found: dict[str, Any] = {
        "traceId": f"{span.trace_id:032x}",
        "spanId": f"{span.span_id:016x}",
        "name": span.name,
        "kind": KINDS[span.kind],
        "startTimeUnixNano": str(nanos(span.started, offset)),
        "endTimeUnixNano": str(nanos(span.ended, offset)),
        "attributes": _attributes([*shared, *attributes_of(span).items()]),
    }
    if span.parent_id:
        found["parentSpanId"] = f"{span.parent_id:016x}"
    if span.state:
        found["traceState"] = span.state
    if span.events:
        found["events"] = [
            {
                "timeUnixNano": str(nanos(at, offset)),
                "name": name,
                "attributes": _attributes(attributes.items()),
            }
            for at, name, attributes in span.events
        ]
    if span.links:
        found["links"] = [_link(link) for link in span.links]
    found |= {name: lost for name, lost in zip(_LOST, span.lost or (), strict=False) if lost}
    status = status_of(span)
    if status:
        found["status"] = {"code": status}
        if status == ERROR:
            found["status"]["message"] = message_of(span)
    return found


def _link(link: Link) -> dict[str, Any]:
    trace = link.trace
    return {
        "traceId": f"{trace.trace_id:032x}",
        "spanId": f"{trace.span_id:016x}",
        "attributes": _attributes(link.attributes.items()),
        **({"traceState": trace.state} if trace.state else {}),
    }


def _attributes(pairs: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in pairs]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": _text(value)}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return {"intValue": str(value)}  # 64 bits are more than JSON's numbers are sure to keep
    if isinstance(value, float):
        return {"doubleValue": value if value - value == 0 else str(value)}
    if isinstance(value, (list, tuple)):
        return {"arrayValue": {"values": [_value(one) for one in value[:MOST]]}}
    return {"stringValue": _text(str(value))}


def _text(value: str) -> str:
    """Without what is no text, which no JSON can hold."""
    return value.encode("utf-8", "replace").decode()
