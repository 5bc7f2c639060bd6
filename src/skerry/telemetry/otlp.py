"""Spans as OTLP has them, in protobuf: what every back end that speaks OpenTelemetry takes.

Written by hand because it is a dozen fields, and a library for it would be larger than all of
Skerry's dependencies together. Field numbers are those of opentelemetry-proto's ``trace.proto``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from skerry.core.context import Trace

from .spans import Span

MEDIA_TYPE = "application/x-protobuf"

_KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_ERROR = 2
_MOST = 64  # values of a list
_fixed64 = struct.Struct("<Q").pack
_double = struct.Struct("<d").pack


def encode_protobuf(resource: Mapping[str, str], spans: Sequence[Span], offset: float) -> bytes:
    """An ``ExportTraceServiceRequest``.

    Args:
        resource: attributes of the process.
        offset: seconds between the spans' clock and 1970.
    """
    known: dict[int, bytes] = {}  # attributes that many spans share, by their mapping's identity
    scope = _text(1, "skerry")
    encoded = [_bytes(2, _span(span, offset, known)) for span in spans]
    scoped = _bytes(1, scope) + b"".join(encoded)
    whole = _bytes(1, _attributes(1, resource.items())) + _bytes(2, scoped)
    return _bytes(1, whole)


def _span(span: Span, offset: float, known: dict[int, bytes]) -> bytes:
    fixed = known.get(id(span.fixed))
    if fixed is None:
        fixed = known[id(span.fixed)] = _attributes(9, span.fixed.items())
    own: list[tuple[str, Any]] = [] if span.attributes is None else list(span.attributes.items())
    if span.path:
        own.append(("url.path", span.path))
    if span.status:
        own.append(("http.response.status_code", span.status))
    if span.error:
        own.append(("error.type", span.error))
    parts = [
        b"\x0a\x10" + span.trace_id.to_bytes(16, "big"),
        b"\x12\x08" + span.span_id.to_bytes(8, "big"),
        _text(3, span.state) if span.state else b"",
        b"\x22\x08" + span.parent_id.to_bytes(8, "big") if span.parent_id else b"",
        _text(5, span.name),
        b"\x30" + _varint(_KINDS[span.kind]),
        b"\x39" + _fixed64(_nanos(span.started, offset)),
        b"\x41" + _fixed64(_nanos(span.ended, offset)),
        fixed,
        _attributes(9, own),
    ]
    for at, name, attributes in span.events or ():
        event = b"\x09" + _fixed64(_nanos(at, offset)) + _text(2, name)
        parts.append(_bytes(11, event + _attributes(3, attributes.items())))
    parts += [_bytes(13, _link(link)) for link in span.links]
    if span.failed:
        parts.append(_bytes(15, _text(2, _message(span)) + b"\x18" + _varint(_ERROR)))
    return b"".join(parts)


def _link(trace: Trace) -> bytes:
    ids = b"\x0a\x10" + trace.trace_id.to_bytes(16, "big")
    return ids + b"\x12\x08" + trace.span_id.to_bytes(8, "big")


def _message(span: Span) -> str:
    for _, name, attributes in reversed(span.events or ()):
        if name == "exception":
            return str(attributes.get("exception.message") or span.error)
    said = (span.attributes or {}).get("skerry.problem")
    return str(said or span.error)


def _nanos(moment: float, offset: float) -> int:
    return max(0, int((moment + offset) * 1e9))


def _attributes(field: int, pairs: Iterable[tuple[str, Any]]) -> bytes:
    return b"".join([_bytes(field, _text(1, key) + _bytes(2, _value(v))) for key, v in pairs])


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return _text(1, value)
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return b"\x18" + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)
    if isinstance(value, float):
        return b"\x21" + _double(value)
    if isinstance(value, (list, tuple)):
        return _bytes(5, b"".join(_bytes(1, _value(one)) for one in value[:_MOST]))
    return _text(1, str(value))


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode("utf-8", "replace"))


def _bytes(field: int, value: bytes) -> bytes:
    size = len(value)
    if size < 128 and field < 16:
        return bytes((field << 3 | 2, size)) + value
    return _varint(field << 3 | 2) + _varint(size) + value


def _varint(value: int) -> bytes:
    if value < 128:
        return bytes((value,))
    found = bytearray()
    while value >= 128:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)
