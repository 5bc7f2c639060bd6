"""OTLP in JSON, read: protobuf's JSON mapping, with ids in hex and enumerations as numbers."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from .ids import Malformed
from .limits import Limits
from .model import Link
from .otlp import Export, Gathering, Raw, Source

MEDIA_TYPE = "application/json"

_KINDS = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(
        ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
    )
}
_STATUS = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_Number = int | float | str | None
_json = msgspec.json.Encoder().encode


class _Value(Struct, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: _Number = None
    double_value: _Number = None
    array_value: _Values | None = None
    kvlist_value: _Pairs | None = None
    bytes_value: str | None = None


class _Values(Struct):
    values: list[_Value] | None = None


class _Pair(Struct):
    key: str = ""
    value: _Value | None = None


class _Pairs(Struct):
    values: list[_Pair] | None = None


class _Event(Struct, rename="camel"):
    time_unix_nano: _Number = None
    name: str | None = None
    attributes: list[_Pair] | None = None


class _Link(Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    attributes: list[_Pair] | None = None


class _Status(Struct):
    code: int | str | None = None
    message: str | None = None


class _Span(Struct, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    name: str | None = None
    kind: int | str | None = None
    start_time_unix_nano: _Number = None
    end_time_unix_nano: _Number = None
    attributes: list[_Pair] | None = None
    events: list[_Event] | None = None
    links: list[_Link] | None = None
    status: _Status | None = None
    dropped_attributes_count: _Number = None
    dropped_events_count: _Number = None
    dropped_links_count: _Number = None


class _Scope(Struct):
    name: str | None = None
    version: str | None = None


class _ScopeSpans(Struct):
    scope: _Scope | None = None
    spans: list[_Span] | None = None


class _Resource(Struct):
    attributes: list[_Pair] | None = None


class _ResourceSpans(Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Request(Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


_decode = msgspec.json.Decoder(_Request).decode


def read(body: bytes, now: int, limits: Limits) -> Export:
    """The spans of a request.

    Args:
        now: microseconds since 1970.

    Raises:
        Malformed: it is not one.
    """
    try:
        request = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"Malformed OTLP in JSON: {error}") from None
    gathering = Gathering(now, limits)
    for group in request.resource_spans or ():
        resource = _attributes(group.resource.attributes) if group.resource else {}
        for some in group.scope_spans or ():
            scope = some.scope or _Scope()
            source = Source(resource, (scope.name or "", scope.version or ""))
            for span in some.spans or ():
                gathering.take(_raw(span), source)
    return gathering.export


def answer(rejected: int, reason: str) -> bytes:
    """An ``ExportTraceServiceResponse``."""
    if not rejected and not reason:
        return b"{}"
    return _json({"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": reason}})


def failure(code: int, reason: str) -> bytes:
    """A ``google.rpc.Status``, which is what OTLP answers when nothing was taken."""
    return _json({"code": code, "message": reason})


def _raw(span: _Span) -> Raw:
    status = span.status or _Status()
    return Raw(
        trace_id=(span.trace_id or "").lower(),
        span_id=(span.span_id or "").lower(),
        parent_id=(span.parent_span_id or "").lower(),
        trace_state=span.trace_state or "",
        name=span.name or "",
        kind=_enumerated(span.kind, _KINDS),
        start=_whole(span.start_time_unix_nano),
        end=_whole(span.end_time_unix_nano),
        attributes=_attributes(span.attributes),
        events=[
            (_whole(e.time_unix_nano), e.name or "", _attributes(e.attributes))
            for e in span.events or ()
        ],
        links=[
            Link((e.trace_id or "").lower(), (e.span_id or "").lower(), _attributes(e.attributes))
            for e in span.links or ()
        ],
        status=_enumerated(status.code, _STATUS),
        message=status.message or "",
        dropped=(
            _whole(span.dropped_attributes_count),
            _whole(span.dropped_events_count),
            _whole(span.dropped_links_count),
        ),
    )


def _enumerated(value: int | str | None, names: dict[str, int]) -> int:
    return names.get(value, 0) if isinstance(value, str) else value or 0


def _whole(value: _Number) -> int:
    """A 64-bit number, which protobuf's JSON writes as text; 0 if it is none."""
    try:
        number = int(value or 0)
    except (ValueError, OverflowError):
        return 0
    return number if 0 <= number < 1 << 64 else 0


def _attributes(pairs: list[_Pair] | None) -> dict[str, str]:
    return {pair.key: _text(pair.value) for pair in pairs or ()}


def _text(value: _Value | None) -> str:
    if value is None:
        return ""
    if value.string_value is not None:
        return value.string_value
    plain = _plain(value)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else str(_json(plain), "utf-8")


def _plain(value: _Value | None) -> Any:
    if value is None:
        return None
    if value.array_value is not None:
        return [_plain(one) for one in value.array_value.values or ()]
    if value.kvlist_value is not None:
        return {pair.key: _plain(pair.value) for pair in value.kvlist_value.values or ()}
    for plain in (value.string_value, value.bool_value, value.bytes_value):
        if plain is not None:
            return plain
    if value.int_value is not None:
        try:
            return int(value.int_value)
        except (ValueError, OverflowError):
            return str(value.int_value)
    try:
        return None if value.double_value is None else float(value.double_value)
    except ValueError:
        return str(value.double_value)
