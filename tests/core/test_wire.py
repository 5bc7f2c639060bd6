from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.wire import Headers, Request, Stream, format_timeout, parse_timeout, read_all


def test_headers_keep_order_and_repeats_and_forget_case() -> None:
    headers = Headers.of([("Set-Cookie", "a=1"), ("X", "1"), ("set-cookie", "b=2")])
    assert headers.get("SET-COOKIE") == "a=1"
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert "x" in headers and "y" not in headers
    headers.set("Set-Cookie", "c=3")
    assert list(headers) == [("x", "1"), ("set-cookie", "c=3")]
    assert headers.without(frozenset({b"x"})) == Headers.of({"set-cookie": "c=3"})


@given(st.floats(0, 1e7))
def test_a_timeout_on_the_wire_is_never_longer(seconds: float) -> None:
    found = parse_timeout(format_timeout(seconds))
    assert found is not None
    assert found <= seconds + 1e-9
    assert found >= seconds * 0.999 - 1e-5


@given(st.binary(max_size=12))
def test_what_is_not_a_timeout_is_none(value: bytes) -> None:
    found = parse_timeout(value)
    assert found is None or found >= 0


@pytest.mark.parametrize(
    "value", [b"", b"S", b"1", b"-1S", b"1.5S", b"123456789S", b"1s", b"\xb2S"]
)
def test_these_are_not_timeouts(value: bytes) -> None:
    assert parse_timeout(value) is None


async def chunks(*parts: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if error is not None:
        raise error


async def test_a_stream_tells_of_its_end_once_newest_first() -> None:
    told: list[object] = []
    stream = Stream(chunks(b"a", b"b"))
    stream.on_end(lambda error: told.append(("first", error)))
    stream.on_end(lambda error: told.append(("second", error)))
    assert await read_all(stream) == b"ab"
    await stream.aclose()
    assert told == [("second", None), ("first", None)]


async def test_a_stream_tells_of_a_failure() -> None:
    told: list[BaseException | None] = []
    stream = Stream(chunks(b"a", error=OSError("cut")))
    stream.on_end(told.append)
    with pytest.raises(OSError, match="cut"):
        await read_all(stream)
    assert isinstance(told[0], OSError) and len(told) == 1


async def test_closing_early_closes_the_source() -> None:
    closed: list[bool] = []

    async def source() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    stream = Stream(source())
    assert await anext(stream) == b"a"
    await stream.aclose()
    assert closed == [True]


def test_what_may_be_repeated() -> None:
    assert Request("GET", "/").repeatable
    assert not Request("POST", "/").repeatable
    assert Request("POST", "/", headers=Headers.of({"Idempotency-Key": "k"})).repeatable
    assert Request("GET", "/a", "b=1").target == "/a?b=1"
