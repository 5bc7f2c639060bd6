"""What comes in is read, bounded or refused: Zipkin's JSON and protobuf, OTLP in both."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skerry.observe import ids, otlp_json, otlp_proto, zipkin, zipkin_proto
from skerry.observe.ids import Malformed
from skerry.observe.inflate import TooLarge, inflate
from skerry.observe.limits import Limits
from skerry.observe.model import NOTICE, Span, canonical, zipkin_json
from skerry.observe.otlp import Export
from skerry.observe.protobuf import message

from .spans import NOW, TODAY, plain, read, span, spans

LIMITS = Limits()
TRACE, ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


# -- ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("1", "0" * 15 + "1"),
        ("463ac35c9f6413ad48485a3953bb6124", "463ac35c9f6413ad48485a3953bb6124"),
        ("0" * 16 + "48485a3953bb6124", "48485a3953bb6124"),
        ("a" * 17, "0" * 15 + "a" * 17),
    ],
)
def test_ids_of_traces_are_of_one_of_two_lengths(sent: str, kept: str) -> None:
    assert ids.trace_id(sent) == kept


@pytest.mark.parametrize("sent", ["", "0", "0" * 32, "a" * 33, "ABC", "x", "a-b", " a", "a\n"])
def test_what_is_not_an_id_is_refused(sent: str) -> None:
    with pytest.raises(Malformed):
        ids.trace_id(sent)


# -- Zipkin's JSON -----------------------------------------------------------------------------


def test_numbers_as_text_and_text_as_numbers_are_read() -> None:
    (found,) = zipkin.read(
        b'[{"traceId": "1", "id": 2, "timestamp": "7", "tags": {"n": 3}, "shared": null}]',
        NOW,
        LIMITS,
    )
    assert (found.id, found.timestamp, found.tags) == ("2".zfill(16), 7, {"n": "3"})


def test_nobody_puts_into_a_span_what_only_the_store_may() -> None:
    body = b'[{"traceId": "1", "id": "2", "more": {"status": "ERROR"}}]'
    (found,) = zipkin.read(body, NOW, LIMITS)
    assert found.more is None


def test_what_is_huge_is_cut_and_says_so() -> None:
    (found,) = read(
        span(
            "a",
            name="n" * 5_000,
            tags={"big": "x" * 100_000, "k" * 5_000: "v", **{str(n): "" for n in range(1_000)}},
            annotations=[{"timestamp": n, "value": "y" * 50_000} for n in range(1_500)],
        )
    )
    assert found.name is not None and len(found.name) == LIMITS.key
    assert len(found.tags["big"]) == LIMITS.value
    assert len(found.tags) <= LIMITS.tags + 1
    assert len(found.annotations) == LIMITS.annotations
    assert max(len(a.value) for a in found.annotations) == LIMITS.value
    for said in ("name cut", "tags dropped", "tag big cut", "annotations dropped"):
        assert said in found.tags[NOTICE]


def test_times_that_cannot_be_are_corrected_and_say_so() -> None:
    nanoseconds = TODAY * 1_000_000
    (found,) = read(span("a", timestamp=nanoseconds, duration=10**17))
    assert found.timestamp == NOW
    assert found.duration == LIMITS.longest
    assert "in the future" in found.tags[NOTICE] and "over a year" in found.tags[NOTICE]


@settings(max_examples=200)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_anything_is_read_or_refused(body: bytes) -> None:
    readers: list[Any] = [zipkin.read, zipkin_proto.read, otlp_json.read, otlp_proto.read]
    for reader in readers:
        with contextlib.suppress(Malformed):
            reader(body, NOW, LIMITS)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
_fields = [
    "traceId",
    "id",
    "parentId",
    "kind",
    "name",
    "timestamp",
    "duration",
    "localEndpoint",
    "remoteEndpoint",
    "annotations",
    "tags",
    "debug",
    "shared",
]


@settings(max_examples=300)
@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(_fields, _json)), max_size=3))
def test_any_json_is_read_or_refused(value: Any) -> None:
    try:
        found = zipkin.read(json.dumps(value).encode(), NOW, LIMITS)
    except Malformed:
        return
    json.loads(zipkin_json([canonical(one) for one in found]))


# -- Zipkin's protobuf -------------------------------------------------------------------------

_KINDS = {"CLIENT": 1, "SERVER": 2, "PRODUCER": 3, "CONSUMER": 4}


def fixed64(field: int, value: int) -> bytes:
    return bytes([field << 3 | 1]) + struct.pack("<Q", value)


def encoded(one: dict[str, Any]) -> bytes:
    """A span in Zipkin's protobuf."""
    found = message((1, bytes.fromhex(one["traceId"])), (3, bytes.fromhex(one["id"])))
    if "parentId" in one:
        found += message((2, bytes.fromhex(one["parentId"])))
    if "kind" in one:
        found += message((4, _KINDS[one["kind"]]))
    if "name" in one:
        found += message((5, one["name"]))
    found += fixed64(6, one.get("timestamp", 0)) + message((7, one.get("duration", 0)))
    for field, side in ((8, "localEndpoint"), (9, "remoteEndpoint")):
        if side in one:
            found += message((field, message((1, one[side]["serviceName"]))))
    for note in one.get("annotations", []):
        found += message((10, fixed64(1, note["timestamp"]) + message((2, note["value"]))))
    for key, value in one.get("tags", {}).items():
        found += message((11, message((1, key), (2, value))))
    return found + message((13, int(one.get("shared", False))))


@settings(max_examples=100)
@given(st.lists(spans, max_size=5))
def test_protobuf_says_the_same_as_json(some: list[dict[str, Any]]) -> None:
    body = b"".join(message((1, encoded(one))) for one in some)
    assert plain(zipkin_proto.read(body, NOW, LIMITS)) == plain(read(*some))


@pytest.mark.parametrize(
    "body",
    [b"\x0a\x7f", b"\x0a\x02\x0a", b"\x0b", b"\x08" + b"\xff" * 11, b"\x0a\x00", b"\x0d\x00"],
)
def test_what_is_not_protobuf_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        zipkin_proto.read(body, NOW, LIMITS)


# -- OTLP --------------------------------------------------------------------------------------

START = TODAY * 1_000_000 + 1_234


def value_of(value: Any) -> dict[str, Any]:
    """An ``AnyValue`` in JSON."""
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode()}
        case list():
            return {"arrayValue": {"values": [value_of(one) for one in value]}}
        case dict():
            return {"kvlistValue": {"values": pairs(value)}}
    return {"stringValue": value}


def pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value_of(value)} for key, value in attributes.items()]


def request(resource: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """An ``ExportTraceServiceRequest`` of one span, in JSON."""
    one = {
        "traceId": TRACE,
        "spanId": ID,
        "name": "GET /a",
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 5_000_999),
        **fields,
    }
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": pairs(resource or {"service.name": "Web"})},
                "scopeSpans": [{"scope": {"name": "lib", "version": "1"}, "spans": [one]}],
            }
        ]
    }


def any_value(value: dict[str, Any]) -> bytes:
    ((kind, content),) = value.items()
    match kind:
        case "stringValue":
            return message((1, content))
        case "boolValue":
            return message((2, int(content)))
        case "intValue":
            return message((3, int(content) & (1 << 64) - 1))
        case "doubleValue":
            return bytes([0x21]) + struct.pack("<d", content)
        case "arrayValue":
            return message((5, b"".join(message((1, any_value(v))) for v in content["values"])))
        case "kvlistValue":
            return message((6, key_values(1, content["values"])))
    return message((7, base64.b64decode(content)))


def key_values(field: int, some: list[dict[str, Any]]) -> bytes:
    return b"".join(
        message((field, message((1, one["key"]), (2, any_value(one["value"]))))) for one in some
    )


def in_protobuf(document: dict[str, Any]) -> bytes:
    """The same request in protobuf."""
    found = b""
    for group in document["resourceSpans"]:
        part = message((1, key_values(1, group["resource"]["attributes"])))
        for some in group["scopeSpans"]:
            scope = message((1, some["scope"]["name"]), (2, some["scope"]["version"]))
            part += message((2, message((1, scope), *((2, otlp_span(s)) for s in some["spans"]))))
        found += message((1, part))
    return found


def otlp_span(one: dict[str, Any]) -> bytes:
    found = message((1, bytes.fromhex(one["traceId"])), (2, bytes.fromhex(one["spanId"])))
    found += message(
        (3, one.get("traceState", "")), (4, bytes.fromhex(one.get("parentSpanId", "")))
    )
    found += message((5, one["name"]), (6, one.get("kind", 0)))
    found += fixed64(7, int(one["startTimeUnixNano"])) + fixed64(8, int(one["endTimeUnixNano"]))
    found += key_values(9, one.get("attributes", []))
    found += message((10, one.get("droppedAttributesCount", 0)))
    for event in one.get("events", []):
        body = fixed64(1, int(event["timeUnixNano"])) + message((2, event["name"]))
        found += message((11, body + key_values(3, event.get("attributes", []))))
    for link in one.get("links", []):
        body = message((1, bytes.fromhex(link["traceId"])), (2, bytes.fromhex(link["spanId"])))
        found += message((13, body + key_values(4, link.get("attributes", []))))
    status = one.get("status", {})
    return found + message(
        (15, message((2, status.get("message", "")), (3, status.get("code", 0))))
    )


def export(document: dict[str, Any]) -> Export:
    """What is read of a request; the same from either encoding."""
    as_json = otlp_json.read(json.dumps(document).encode(), NOW, LIMITS)
    as_protobuf = otlp_proto.read(in_protobuf(document), NOW, LIMITS)
    assert as_json == as_protobuf
    return as_json


def one_of(document: dict[str, Any]) -> Span:
    found = export(document)
    assert (found.rejected, len(found.spans)) == (0, 1)
    return found.spans[0]


def test_a_span_of_opentelemetry_becomes_one_of_zipkin() -> None:
    found = one_of(
        request(
            {"service.name": "Web", "service.version": "2", "process.pid": 7},
            parentSpanId="00f067aa0ba902b7",
            kind=3,
            traceState="a=b",
            attributes=pairs(
                {
                    "peer.service": "App",
                    "n": 1,
                    "x": 1.5,
                    "ok": True,
                    "l": ["a", 2],
                    "m": {"k": "v"},
                }
            ),
            droppedAttributesCount=3,
            events=[
                {"timeUnixNano": str(START + 1_000), "name": "seen"},
                {
                    "timeUnixNano": str(START + 2_000),
                    "name": "exception",
                    "attributes": pairs({"exception.stacktrace": "Traceback …"}),
                },
            ],
            links=[{"traceId": "1" * 32, "spanId": "2" * 16, "attributes": pairs({"a": "b"})}],
            status={"code": 2, "message": "it broke"},
        )
    )
    assert plain([found])[0] == {
        "traceId": TRACE,
        "parentId": "00f067aa0ba902b7",
        "id": ID,
        "kind": "CLIENT",
        "name": "get /a",
        "timestamp": START // 1000,
        "duration": 5000,
        "localEndpoint": {"serviceName": "web"},
        "remoteEndpoint": {"serviceName": "app"},
        "annotations": [
            {
                "timestamp": START // 1000 + 1,
                "value": "seen",
            },
            {
                "timestamp": START // 1000 + 2,
                "value": '"exception": {"exception.stacktrace":"Traceback …"}',
            },
        ],
        "tags": {
            "error": "it broke",
            "l": '["a",2]',
            "m": '{"k":"v"}',
            "n": "1",
            "ok": "true",
            "otel.dropped_attributes_count": "3",
            "otel.scope.name": "lib",
            "otel.scope.version": "1",
            "otel.status_code": "ERROR",
            "peer.service": "App",
            "service.version": "2",
            "x": "1.5",
        },
    }
    assert found.more is not None
    assert found.more.resource["process.pid"] == "7"
    assert (found.more.status, found.more.message) == ("ERROR", "it broke")
    assert found.more.links[0].span_id == "2" * 16
    assert found.more.events[0].attributes == {"exception.stacktrace": "Traceback …"}
    assert found.more.start_ns == START


@pytest.mark.parametrize(
    ("kind", "expected"), [(0, None), (1, None), (2, "SERVER"), (3, "CLIENT"), (4, "PRODUCER")]
)
def test_kinds(kind: int, expected: str | None) -> None:
    assert one_of(request(kind=kind)).kind == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"server.address": "db.local", "db.name": "x"}, {"serviceName": "db.local"}),
        ({"network.peer.address": "10.0.0.1", "network.peer.port": 5432},
         {"ipv4": "10.0.0.1", "port": 5432}),
        ({"net.sock.peer.addr": "::1"}, {"ipv6": "::1"}),
        ({"db.name": "orders"}, {"serviceName": "orders"}),
        ({}, None),
    ],
)  # fmt: skip
def test_the_other_side_is_the_best_that_is_known(
    attributes: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    (found,) = plain([one_of(request(kind=3, attributes=pairs(attributes)))])
    assert found.get("remoteEndpoint") == expected


def test_a_server_is_not_its_own_caller() -> None:
    found = one_of(request(kind=2, attributes=pairs({"server.address": "web"})))
    assert found.remote_endpoint is None


@pytest.mark.parametrize("status", [{}, {"code": 1}])
def test_no_error_is_none_to_zipkin_either(status: dict[str, Any]) -> None:
    found = one_of(request(status=status, attributes=pairs({"error": False})))
    assert "error" not in found.tags


def test_a_process_without_a_name_has_one() -> None:
    assert one_of(request({"a": "b"})).service == "unknown_service"


def test_a_bad_span_does_not_cost_the_others() -> None:
    document = request()
    group = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    group += [group[0] | {"traceId": "0" * 32}, group[0] | {"spanId": ""}]
    found = export(document)
    assert (len(found.spans), found.rejected) == (1, 2)
    assert found.reason == "traceId is all zeros"


def test_opentelemetrys_own_names_of_enumerations_are_read() -> None:
    document = request(kind="SPAN_KIND_SERVER", status={"code": "STATUS_CODE_ERROR"})
    (found,) = otlp_json.read(json.dumps(document).encode(), NOW, LIMITS).spans
    assert (found.kind, found.tags["error"]) == ("SERVER", "")


def test_what_is_nested_without_end_is_left_out() -> None:
    value: Any = "x"
    for _ in range(100):
        value = [value]
    body = in_protobuf(request(attributes=pairs({"deep": value, "flat": "y"})))
    (found,) = otlp_proto.read(body, NOW, LIMITS).spans
    assert found.tags["flat"] == "y" and "x" not in found.tags["deep"]


def test_answers_say_what_was_rejected() -> None:
    assert otlp_proto.answer(0, "") == b""
    assert otlp_proto.answer(2, "bad") == b"\x0a\x07\x08\x02\x12\x03bad"
    assert json.loads(otlp_json.answer(2, "bad")) == {
        "partialSuccess": {"rejectedSpans": "2", "errorMessage": "bad"}
    }


# -- bodies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "GZIP "])
def test_bodies_are_unpacked(encoding: str) -> None:
    body = zlib.compress(b"[]") if encoding == "deflate" else gzip.compress(b"[]")
    assert inflate(body, encoding, 10) == b"[]"


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"0" * 10_000_000), "gzip", 1_000_000)
    assert len(inflate(gzip.compress(b"0" * 1_000), "gzip", 1_000)) == 1_000


@pytest.mark.parametrize(
    ("body", "encoding"), [(b"nonsense", "gzip"), (gzip.compress(b"[]")[:-9], "gzip"), (b"x", "br")]
)
def test_what_is_not_packed_as_it_says_is_refused(body: bytes, encoding: str) -> None:
    with pytest.raises(Malformed):
        inflate(body, encoding, 10)
