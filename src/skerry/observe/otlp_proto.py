"""OTLP in protobuf, read: an ``ExportTraceServiceRequest`` of ``opentelemetry-proto``.

By hand, because the library would be another dependency of every collector. What makes it fast
enough is that attributes repeat: the same bytes are not taken apart twice.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any

import msgspec

from .limits import Limits
from .model import Link
from .otlp import Export, Gathering, Raw, Source
from .protobuf import double, fields, message, signed, text

MEDIA_TYPE = "application/x-protobuf"

_DEEPEST = 16
_json = msgspec.json.Encoder().encode


def read(body: bytes, now: int, limits: Limits) -> Export:
    """The spans of a request.

    Args:
        now: microseconds since 1970.

    Raises:
        Malformed: it is not one.
    """
    gathering = Gathering(now, limits)
    for key, _, raw in fields(body):
        if key == 0x0A:
            _resource_spans(raw, gathering)
    return gathering.export


def answer(rejected: int, reason: str) -> bytes:
    """An ``ExportTraceServiceResponse``."""
    if not rejected and not reason:
        return b""
    return message((1, message((1, rejected), (2, reason))))


def failure(code: int, reason: str) -> bytes:
    """A ``google.rpc.Status``, which is what OTLP answers when nothing was taken."""
    return message((1, code), (2, reason))


def _resource_spans(data: bytes, gathering: Gathering) -> None:
    resource: dict[str, str] = {}
    groups: list[bytes] = []
    for key, _, raw in fields(data):
        if key == 0x0A:
            resource = _attributes(raw, 0x0A)
        elif key == 0x12:
            groups.append(raw)
    for group in groups:
        source = Source(resource)
        spans: list[bytes] = []
        for key, _, raw in fields(group):
            if key == 0x0A:
                source = Source(resource, _scope(raw))
            elif key == 0x12:
                spans.append(raw)
        for span in spans:
            gathering.take(_span(span), source)


def _scope(data: bytes) -> tuple[str, str]:
    name = version = ""
    for key, _, raw in fields(data):
        if key == 0x0A:
            name = text(raw)
        elif key == 0x12:
            version = text(raw)
    return name, version


def _span(data: bytes) -> Raw:
    span = Raw()
    attributes: dict[str, str] = {}
    dropped = [0, 0, 0]
    for key, number, raw in fields(data):
        match key:
            case 0x4A:
                name, value = _pair(raw)
                attributes[name] = value
            case 0x0A:
                span.trace_id = raw.hex()
            case 0x12:
                span.span_id = raw.hex()
            case 0x1A:
                span.trace_state = text(raw)
            case 0x22:
                span.parent_id = raw.hex()
            case 0x2A:
                span.name = text(raw)
            case 0x30:
                span.kind = number
            case 0x39:
                span.start = number
            case 0x41:
                span.end = number
            case 0x50:
                dropped[0] = number
            case 0x5A:
                span.events.append(_event(raw))
            case 0x60:
                dropped[1] = number
            case 0x6A:
                span.links.append(_link(raw))
            case 0x70:
                dropped[2] = number
            case 0x7A:
                span.status, span.message = _status(raw)
    span.attributes = attributes
    span.dropped = (dropped[0], dropped[1], dropped[2])
    return span


def _event(data: bytes) -> tuple[int, str, dict[str, str]]:
    at, name = 0, ""
    for key, number, raw in fields(data):
        if key == 0x09:
            at = number
        elif key == 0x12:
            name = text(raw)
    return at, name, _attributes(data, 0x1A)


def _link(data: bytes) -> Link:
    trace = span = ""
    for key, _, raw in fields(data):
        if key == 0x0A:
            trace = raw.hex()
        elif key == 0x12:
            span = raw.hex()
    return Link(trace, span, _attributes(data, 0x22))


def _status(data: bytes) -> tuple[int, str]:
    code, said = 0, ""
    for key, number, raw in fields(data):
        if key == 0x12:
            said = text(raw)
        elif key == 0x18:
            code = number
    return code, said


def _attributes(data: bytes, field: int) -> dict[str, str]:
    return dict(_pair(raw) for key, _, raw in fields(data) if key == field)


@lru_cache(maxsize=20_000)
def _pair(data: bytes) -> tuple[str, str]:
    """A ``KeyValue``, its value as text."""
    name, value = _key_value(data, 0)
    return name, value if isinstance(value, str) else _text(value)


def _key_value(data: bytes, depth: int) -> tuple[str, Any]:
    name, value = "", None
    for key, _, raw in fields(data):
        if key == 0x0A:
            name = text(raw)
        elif key == 0x12:
            value = _value(raw, depth)
    return name, value


def _value(data: bytes, depth: int) -> Any:
    """An ``AnyValue``; what is nested too deeply is left out."""
    found: Any = None
    for key, number, raw in fields(data):
        match key:
            case 0x0A:
                found = text(raw)
            case 0x10:
                found = bool(number)
            case 0x18:
                found = signed(number)
            case 0x21:
                found = double(number.to_bytes(8, "little"))[0]
            case 0x2A if depth < _DEEPEST:
                found = [_value(one, depth + 1) for k, _, one in fields(raw) if k == 0x0A]
            case 0x32 if depth < _DEEPEST:
                pairs = (_key_value(one, depth + 1) for k, _, one in fields(raw) if k == 0x0A)
                found = dict(pairs)
            case 0x3A:
                found = base64.b64encode(raw).decode()
    return found


def _text(value: Any) -> str:
    """As OpenTelemetry writes what is not text: JSON."""
    return "" if value is None else str(_json(value), "utf-8")
