"""Zipkin's protobuf, read: a ``ListOfSpans`` of its ``zipkin.proto``."""

from __future__ import annotations

from .endpoints import address, made
from .ids import Malformed
from .limits import Limits
from .model import CLIENT, CONSUMER, PRODUCER, SERVER, Annotation, Endpoint, Span
from .protobuf import fields, signed, text
from .zipkin import settle

_KINDS = (None, CLIENT, SERVER, PRODUCER, CONSUMER)


def read(body: bytes, now: int, limits: Limits) -> list[Span]:
    """The spans of a list; see ``zipkin.read``."""
    known: dict[str, str] = {}
    spans = []
    for key, _, raw in fields(body):
        if key == 0x0A:
            span = _span(raw)
            settle(span, known, now, limits)
            spans.append(span)
    return spans


def _span(data: bytes) -> Span:
    span = Span(trace_id="")
    annotations: list[Annotation] = []
    tags: dict[str, str] = {}
    for key, number, raw in fields(data):
        match key:
            case 0x0A:
                span.trace_id = raw.hex()
            case 0x12:
                span.parent_id = raw.hex() or None
            case 0x1A:
                span.id = raw.hex()
            case 0x20:
                span.kind = _KINDS[number] if number < len(_KINDS) else None
            case 0x2A:
                span.name = text(raw)
            case 0x31:
                span.timestamp = number
            case 0x38:
                span.duration = max(signed(number), 0)
            case 0x42:
                span.local_endpoint = _endpoint(raw)
            case 0x4A:
                span.remote_endpoint = _endpoint(raw)
            case 0x52:
                annotations += _annotation(raw)
            case 0x5A:
                tag, value = _tag(raw)
                if tag is not None:
                    tags[tag] = value
            case 0x60:
                span.debug = bool(number)
            case 0x68:
                span.shared = bool(number)
    if not span.trace_id:
        raise Malformed("traceId is empty")
    span.annotations, span.tags = annotations, tags
    return span


def _endpoint(data: bytes) -> Endpoint | None:
    service, port = "", 0
    addresses: list[str | None] = []
    for key, number, raw in fields(data):
        if key == 0x0A:
            service = text(raw)
        elif key in (0x12, 0x1A):
            addresses.append(address(raw))
        elif key == 0x20:
            port = max(signed(number), 0)
    return made(service, tuple(addresses), port)


def _annotation(data: bytes) -> list[Annotation]:
    timestamp, value = 0, None
    for key, number, raw in fields(data):
        if key == 0x09:
            timestamp = number
        elif key == 0x12:
            value = text(raw)
    return [Annotation(timestamp, value)] if timestamp and value is not None else []


def _tag(data: bytes) -> tuple[str | None, str]:
    name, value = None, ""
    for key, _, raw in fields(data):
        if key == 0x0A:
            name = text(raw)
        elif key == 0x12:
            value = text(raw)
    return name, value
