"""What may come over a connection, in whatever pieces."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skerry.core.errors import ConnectionLost
from skerry.core.wire import Headers, Request, Response, Stream, read_all
from skerry.transport.head import write_head
from skerry.transport.http1 import Connection


class Owner:
    authority = "server"

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.released = self.lost = 0

    def release(self, connection: Connection) -> None:
        self.released += 1

    def gone(self, connection: Connection) -> None:
        self.lost += 1


class Wire(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: Any) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a != b]


async def exchange(chunks: list[bytes], eof: bool) -> tuple[Owner, Response | BaseException]:
    owner, request = Owner(), Request("GET", "/")
    connection = Connection(owner)
    wire = Wire()
    connection.connection_made(wire)
    answer = connection.start(request, *write_head(request, owner.authority))
    for chunk in chunks:
        if not connection.closed and not owner.released:
            connection.data_received(chunk)
    if eof:
        connection.eof_received()
    connection.abort()
    try:
        response = await answer
        response.body = await read_all(response.body)
    except ConnectionLost as error:
        return owner, error
    return owner, response


texts = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f"))
cuts = st.lists(st.integers(0, 10_000), max_size=8)


@settings(deadline=None)
@given(
    status=st.integers(200, 599).filter(lambda status: status not in (204, 304)),
    values=st.lists(texts, max_size=4),
    body=st.lists(st.binary(min_size=1, max_size=200), max_size=4),
    framing=st.sampled_from(["length", "chunked", "eof"]),
    cuts=cuts,
)
def test_the_answer_is_the_same_however_it_is_cut(
    status: int, values: list[str], body: list[bytes], framing: str, cuts: list[int]
) -> None:
    headers = [(b"x-value", value.encode("latin-1")) for value in values]
    content = b"".join(body)
    if framing == "length":
        headers.append((b"content-length", b"%d" % len(content)))
    elif framing == "chunked":
        headers.append((b"transfer-encoding", b"chunked"))
        content = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in body) + b"0\r\n\r\n"
    head = b"HTTP/1.1 %d X\r\n" % status + b"".join(b"%b: %b\r\n" % pair for pair in headers)
    data = head + b"\r\n" + content

    owner, response = asyncio.run(exchange(pieces(data, cuts), eof=framing == "eof"))
    assert isinstance(response, Response), response
    assert (response.status, response.body) == (status, b"".join(body))
    assert response.headers == Headers(headers)
    assert owner.released == (framing != "eof")
    assert owner.lost == 1


@settings(deadline=None)
@given(data=st.binary(max_size=300), prefix=st.sampled_from([b"", b"HTTP/1.1 200 "]), cuts=cuts)
def test_whatever_comes_is_an_answer_or_a_lost_connection(
    data: bytes, prefix: bytes, cuts: list[int]
) -> None:
    owner, result = asyncio.run(exchange(pieces(prefix + data, cuts), eof=True))
    assert isinstance(result, Response | ConnectionLost)
    assert owner.lost == 1


@settings(deadline=None)
@given(data=st.integers(0, 56), how=st.booleans())
def test_half_an_answer_is_never_taken_for_a_whole_one(data: int, how: bool) -> None:
    whole = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-type: a/b\r\n\r\nhello"
    assert len(whole) > 56
    owner, result = asyncio.run(exchange([whole[:data]], eof=how))
    assert isinstance(result, ConnectionLost)
    assert owner.released == 0


def test_what_is_written() -> None:
    def written(request: Request) -> tuple[bytes, int | None]:
        return write_head(request, "schools:80")

    fields = Headers([(b"x-a", b"1"), (b"x-a", b"2"), (b"connection", b"close")])
    assert written(Request("GET", "/a%20b", "q=1", fields)) == (
        b"GET /a%20b?q=1 HTTP/1.1\r\nx-a: 1\r\nx-a: 2\r\nhost: schools:80\r\n\r\n",
        None,
    )
    assert written(Request("POST", "/", headers=Headers.of({"content-length": "7"}))) == (
        b"POST / HTTP/1.1\r\nhost: schools:80\r\ncontent-length: 0\r\n\r\n",
        None,
    )


async def test_what_is_written_of_a_stream() -> None:
    async def chunks() -> Any:
        yield b"x"

    known = Request("PUT", "/", headers=Headers.of({"content-length": "1"}), body=Stream(chunks()))
    assert write_head(known, "a")[1] == 1
    head, length = write_head(Request("PUT", "/", body=Stream(chunks())), "a")
    assert b"transfer-encoding: chunked" in head
    assert length is None


async def test_a_length_that_is_none() -> None:
    async def chunks() -> Any:
        yield b"x"

    fields = Headers.of({"content-length": "-1"})
    with pytest.raises(ValueError, match="content-length"):
        write_head(Request("PUT", "/", headers=fields, body=Stream(chunks())), "a")
