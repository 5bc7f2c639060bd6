"""Addresses, and which bodies come whole."""

from __future__ import annotations

import pytest

from skerry.core.errors import ConfigError
from skerry.core.instance import Address
from skerry.core.wire import Headers
from skerry.transport.base import WHOLE, Endpoint, comes_whole, content_length


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8001", Endpoint(False, "127.0.0.1", 8001, "127.0.0.1:8001")),
        ("http://schools/", Endpoint(False, "schools", 80, "schools")),
        ("https://api.example", Endpoint(True, "api.example", 443, "api.example")),
        ("http://[::1]:80", Endpoint(False, "::1", 80, "[::1]:80")),
    ],
)
def test_endpoints(url: str, expected: Endpoint) -> None:
    assert Endpoint.of(Address(url)) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:80",
        "ftp://a",
        "http://",
        "http://a:x",
        "http://a:99999",
        "http://[::1",
        "http://a/path",
        "http://a?q",
        "http://a#f",
        "http://user:secret@a",
    ],
)
def test_what_is_not_an_endpoint(url: str) -> None:
    with pytest.raises(ConfigError, match="is not an address"):
        Endpoint.of(Address(url))


@pytest.mark.parametrize(
    ("length", "kind", "whole"),
    [
        (0, None, True),
        (WHOLE, b"application/json", True),
        (WHOLE + 1, b"application/json", False),
        (None, b"application/json", False),
        (10, b"text/event-stream", False),
        (10, b"Application/X-NDJSON; charset=utf-8", False),
    ],
)
def test_which_bodies_come_whole(length: int | None, kind: bytes | None, whole: bool) -> None:
    assert comes_whole(length, kind) is whole


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ({"content-length": "12"}, 12),
        ({}, None),
        ({"content-length": "x"}, None),
        ({"content-length": "12", "transfer-encoding": "chunked"}, None),
    ],
)
def test_content_length(fields: dict[str, str], length: int | None) -> None:
    assert content_length(Headers.of(fields)) == length
