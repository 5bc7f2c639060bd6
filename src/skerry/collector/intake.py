"""Where spans come in: Zipkin's v2 API, and OTLP over HTTP."""

from __future__ import annotations

from typing import Annotated

from skerry.app.declare import Routes
from skerry.app.markers import Body, Header
from skerry.app.responses import text
from skerry.core.errors import BodyTooLarge, Overloaded, UnsupportedMediaType
from skerry.core.wire import Headers, Response
from skerry.observe import otlp_json, otlp_proto, zipkin, zipkin_proto
from skerry.observe.ids import Malformed
from skerry.observe.inflate import TooLarge
from skerry.observe.store import Store

from .collector import Collector

MOST = 32 << 20
"""Bytes of a request's body, as it comes."""

_PROTOBUF = "application/x-protobuf"
_INVALID_ARGUMENT = 3  # of google.rpc.Code

intake = Routes(tags=["spans"])


@intake.post("/api/v2/spans", status=202, raises=[BodyTooLarge, Overloaded], timeout=30.0)
async def post_spans(
    collector: Collector,
    body: Annotated[bytes, Body(limit=MOST)] = b"",
    content_type: Annotated[str, Header()] = "",
    content_encoding: Annotated[str, Header()] = "",
) -> Response:
    """Take a list of spans, in Zipkin's v2 JSON or in its protobuf.

    All are taken, or, where one of them is not right, none: 400 then says what is wrong.
    """
    proto = _media_type(content_type) == _PROTOBUF

    def take(store: Store, content: bytes, now: int) -> int:
        if not content or content == b"[]":
            return 0
        limits = store.settings.limits
        if proto:
            spans = zipkin_proto.read(content, now, limits)
        else:
            _check_json(content)
            spans = zipkin.read(content, now, limits)
        collector.dropped(collector.add(store, spans), "trace too large")
        return len(spans)

    try:
        await collector.take(body, content_encoding, "zipkin proto" if proto else "zipkin", take)
    except TooLarge as error:
        raise BodyTooLarge(limit=collector.settings.unpacked, detail=str(error)) from None
    except Malformed as error:
        return text(str(error), 400)
    return Response(202, Headers([(b"content-length", b"0")]))


def _check_json(content: bytes) -> None:
    if not content.lstrip()[:1] == b"[":
        raise Malformed("Expected a JSON_V2 encoded list\n")
    if b'yAnnotations"' in content:
        raise Malformed("Expected a JSON_V2 encoded list, but received: JSON_V1\n")


@intake.post("/v1/traces", raises=[BodyTooLarge, Overloaded, UnsupportedMediaType], timeout=30.0)
async def export_traces(
    collector: Collector,
    body: Annotated[bytes, Body(limit=MOST)] = b"",
    content_type: Annotated[str, Header()] = "",
    content_encoding: Annotated[str, Header()] = "",
) -> Response:
    """Take an OTLP ``ExportTraceServiceRequest``, in protobuf or in JSON.

    Spans that are not right are left out, and counted in the answer's ``partialSuccess``.
    """
    format = _FORMATS.get(_media_type(content_type))
    if format is None:
        raise UnsupportedMediaType(
            supported=tuple(_FORMATS), detail="Send OTLP as application/x-protobuf or as JSON."
        )
    done: list[tuple[int, str]] = []

    def take(store: Store, content: bytes, now: int) -> int:
        export = format.read(content, now, store.settings.limits)
        over = collector.add(store, export.spans)
        collector.dropped(export.rejected, "invalid")
        collector.dropped(over, "trace too large")
        reason = export.reason or ("a trace has more spans than are kept" if over else "")
        done.append((export.rejected + over, reason))
        return len(export.spans)

    name = "otlp json" if format is otlp_json else "otlp proto"
    try:
        await collector.take(body, content_encoding, name, take)
    except TooLarge as error:
        raise BodyTooLarge(limit=collector.settings.unpacked, detail=str(error)) from None
    except Malformed as error:
        return _answer(400, format.failure(_INVALID_ARGUMENT, str(error)), format.MEDIA_TYPE)
    return _answer(200, format.answer(*done[0]), format.MEDIA_TYPE)


_FORMATS = {otlp_proto.MEDIA_TYPE: otlp_proto, otlp_json.MEDIA_TYPE: otlp_json}


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _answer(status: int, body: bytes, media_type: str) -> Response:
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", b"%d" % len(body)),
    ]
    return Response(status, Headers(headers), body)
