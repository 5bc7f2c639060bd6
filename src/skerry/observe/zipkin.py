"""Zipkin's v2 JSON, read: fast where it is as it should be, in Zipkin's words where it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from . import ids
from .endpoints import made, normal
from .ids import Malformed
from .limits import Limits, correct_times, cut, is_large
from .model import CLIENT, KINDS, Annotation, Endpoint, Span

_decode = msgspec.json.Decoder(list[Span]).decode
_MOST = (1 << 63) - 1


def read(body: bytes, now: int, limits: Limits) -> list[Span]:
    """The spans of a JSON list.

    Args:
        now: microseconds since 1970.

    Raises:
        Malformed: it is none, or one of the spans is not right; then none of them is taken.
    """
    try:
        spans = _decode(body)
    except msgspec.ValidationError:
        spans = _patiently(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("Malformed reading List<Span> from json") from None
    known: dict[str, str] = {}
    for span in spans:
        span.more = None
        settle(span, known, now, limits)
    return spans


def settle(span: Span, known: dict[str, str], now: int, limits: Limits) -> None:
    """Make of a span that was sent one that can be kept: what Zipkin's ``Span.Builder`` does.

    Args:
        known: ids of traces that were checked before, as they came and as they are kept.

    Raises:
        Malformed: an id, a kind or a port is not one.
    """
    sent = span.trace_id
    trace = known.get(sent)
    if trace is None:
        trace = known[sent] = ids.trace_id(sent)
    span.trace_id = trace
    if len(span.id) != 16 or not ids.is_plain(span.id):
        if not span.id:
            raise Malformed("Missing : id")
        span.id = ids.span_id(span.id)
    parent = span.parent_id
    if parent is not None:
        if len(parent) != 16 or not ids.is_plain(parent):
            parent = ids.parent_id(parent)
        span.parent_id = None if parent == span.id else parent
    kind = span.kind
    if kind is not None and kind not in KINDS:
        raise Malformed(f"No enum constant zipkin2.Span.Kind.{kind}")
    span.name = span.name.lower() if span.name else None
    if span.timestamp < 0:
        span.timestamp = 0
    if span.duration < 0:
        span.duration = 0
    if span.local_endpoint is not None:
        span.local_endpoint = normal(span.local_endpoint)
    if span.remote_endpoint is not None:
        span.remote_endpoint = normal(span.remote_endpoint)
    span.debug = span.debug or None
    span.shared = (span.shared or None) if kind != CLIENT else None
    if is_large(span, limits):
        cut(span, limits)
    if span.timestamp > now or span.duration > limits.longest:
        correct_times(span, now, limits)


def _patiently(body: bytes) -> list[Span]:
    """As Zipkin reads: numbers in quotes, text without them, null for what is absent.

    Raises:
        Malformed: naming the span, and what is wrong with it.
    """
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("Malformed reading List<Span> from json") from None
    if not isinstance(found, list):
        raise Malformed("Malformed reading List<Span> from json")
    return [_span(value, f"$[{index}]") for index, value in enumerate(found)]


def _span(value: Any, path: str) -> Span:
    if not isinstance(value, dict):
        raise Malformed("Malformed reading List<Span> from json")
    trace, id = (_text(value.get(name), f"{path}.{name}") for name in ("traceId", "id"))
    span = Span(trace_id=trace, id=id)
    for name, (field, take) in _FIELDS.items():
        given = value.get(name)
        if given is not None:
            setattr(span, field, take(given, f"{path}.{name}"))
    return span


def _text(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise Malformed(f"Expected a string at {path} reading List<Span> from json")


def _whole(value: Any, path: str) -> int:
    try:
        number = int(value) if not isinstance(value, (bool, float)) else None
        if isinstance(value, float) and value.is_integer():
            number = int(value)
    except (TypeError, ValueError):
        number = None
    if number is None or not -_MOST <= number <= _MOST:
        raise Malformed(f"Expected a long at {path} reading List<Span> from json")
    return number


def _truth(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise Malformed(f"Expected a boolean at {path} reading List<Span> from json")
    return value


def _endpoint(value: Any, path: str) -> Endpoint | None:
    if not isinstance(value, dict):
        raise Malformed("Malformed reading List<Span> from json")
    given = {name: one for name, one in value.items() if one is not None}
    service = given.get("serviceName")
    return made(
        None if service is None else _text(service, f"{path}.serviceName"),
        tuple(_text(given[f], f"{path}.{f}") if f in given else None for f in ("ipv4", "ipv6")),
        _whole(given.get("port", 0), f"{path}.port"),
    )


def _annotations(value: Any, path: str) -> list[Annotation]:
    if not isinstance(value, list):
        raise Malformed("Malformed reading List<Span> from json")
    found = []
    for index, one in enumerate(value):
        at = f"{path}[{index}]"
        if not isinstance(one, dict) or one.get("timestamp") is None or one.get("value") is None:
            raise Malformed(f"Incomplete annotation at {at} reading List<Span> from json")
        found.append(
            Annotation(
                _whole(one["timestamp"], f"{at}.timestamp"), _text(one["value"], f"{at}.value")
            )
        )
    return found


def _tags(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise Malformed("Malformed reading List<Span> from json")
    for key, one in value.items():
        if one is None:
            raise Malformed(f"No value at {path}.{key} reading List<Span> from json")
    return {key: _text(one, f"{path}.{key}") for key, one in value.items()}


_FIELDS: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "parentId": ("parent_id", _text),
    "kind": ("kind", _text),
    "name": ("name", _text),
    "timestamp": ("timestamp", _whole),
    "duration": ("duration", _whole),
    "localEndpoint": ("local_endpoint", _endpoint),
    "remoteEndpoint": ("remote_endpoint", _endpoint),
    "annotations": ("annotations", _annotations),
    "tags": ("tags", _tags),
    "debug": ("debug", _truth),
    "shared": ("shared", _truth),
}
