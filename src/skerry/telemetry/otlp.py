"""Spans as OTLP has them, in protobuf: what every back end that speaks OpenTelemetry takes.

Written by hand because it is a dozen fields, and a library for it would be larger than all of
Skerry's dependencies together. Field numbers are those of opentelemetry-proto's ``trace.proto``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .attributes import SCOPE, SCOPE_VERSION, attributes_of, message_of, scope_of, status_of
from .spans import Link, Span

MEDIA_TYPE = "application/x-protobuf"

KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
ERROR = 2
_ELSEWHERE = (SCOPE, SCOPE_VERSION)
MOST = 64  # values of a list
_fixed64 = struct.Struct("<Q").pack
_double = struct.Struct("<d").pack


def encode_protobuf(resource: Mapping[str, str], spans: Sequence[Span], offset: float) -> bytes:
    """An ``ExportTraceServiceRequest``.

    Args:
        resource: attributes of the process.
        offset: seconds between the spans' clock and 1970.
    """
    known: dict[int, bytes] = {}  # attributes that many spans share, by their mapping's identity
    scopes: dict[tuple[str, str], list[bytes]] = {}
    for span in spans:
        scopes.setdefault(scope_of(span), []).append(_bytes(2, _span(span, offset, known)))
    whole = _bytes(1, _attributes(1, resource.items()))
    for (name, version), encoded in scopes.items():
        scope = _text(1, name) + (_text(2, version) if version else b"")
        whole += _bytes(2, _bytes(1, scope) + b"".join(encoded))
    return _bytes(1, whole)


def _span(span: Span, offset: float, known: dict[int, bytes]) -> bytes:
    fixed = known.get(id(span.fixed))
    if fixed is None:
        shared = [pair for pair in span.fixed.items() if pair[0] not in _ELSEWHERE]
        fixed = known[id(span.fixed)] = _attributes(9, shared)
    parts = [
        b"\x0a\x10" + span.trace_id.to_bytes(16, "big"),
        b"\x12\x08" + span.span_id.to_bytes(8, "big"),
        _text(3, span.state) if span.state else b"",
        b"\x22\x08" + span.parent_id.to_bytes(8, "big") if span.parent_id else b"",
        _text(5, span.name),
        b"\x30" + _varint(KINDS[span.kind]),
        b"\x39" + _fixed64(nanos(span.started, offset)),
        b"\x41" + _fixed64(nanos(span.ended, offset)),
        fixed,
        _attributes(9, attributes_of(span).items()),
    ]
    for at, name, attributes in span.events or ():
        event = b"\x09" + _fixed64(nanos(at, offset)) + _text(2, name)
        parts.append(_bytes(11, event + _attributes(3, attributes.items())))
    parts += [_bytes(13, _link(link)) for link in span.links]
    for field, lost in zip((10, 12, 14), span.lost or (), strict=False):
        if lost:
            parts.append(_varint(field << 3) + _varint(lost))
    status = status_of(span)
    if status:
        said = _text(2, message_of(span)) if status == ERROR else b""
        parts.append(_bytes(15, said + b"\x18" + _varint(status)))
    return b"".join(parts)


def _link(link: Link) -> bytes:
    trace = link.trace
    ids = b"\x0a\x10" + trace.trace_id.to_bytes(16, "big")
    ids += b"\x12\x08" + trace.span_id.to_bytes(8, "big")
    if trace.state:
        ids += _text(3, trace.state)
    return ids + _attributes(4, link.attributes.items())


def nanos(moment: float, offset: float) -> int:
    """A moment on the spans' clock, since 1970."""
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
        return _bytes(5, b"".join(_bytes(1, _value(one)) for one in value[:MOST]))
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
