"""Our protocol beside uvicorn's own: the same bytes in, the same bytes out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from skerry.app import App
from skerry.app.protocol import HttpProtocol
from skerry.core.wire import Request, Response, Stream, read_all
from skerry.telemetry.metrics import count

BOTH = (HttpToolsProtocol, HttpProtocol)
Answer = Callable[[Any, Any, Any], Awaitable[None]]


def start(status: int = 200, *fields: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(fields)}


def chunk(body: bytes = b"", more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


def length(n: int) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % n


CHUNKED = (b"transfer-encoding", b"chunked")

# What an app may send, by the path that asks for it.
MESSAGES: dict[str, list[dict[str, Any]]] = {
    "/plain": [start(200, (b"content-type", b"text/plain"), length(5)), chunk(b"plain")],
    "/upper": [start(200, (b"Content-Length", b"2"), (b"X-One", b"a"), (b"x-one", b"b")), chunk()],
    "/empty": [start(200, length(0)), chunk()],
    "/unknown-length": [start(), chunk(b"no length")],
    "/no-headers": [{"type": "http.response.start", "status": 200}, chunk(b"none")],
    "/no-body": [start(204), chunk()],
    "/not-modified": [start(304, (b"etag", b'"1"')), chunk()],
    "/odd-status": [start(299, length(1)), chunk(b"x")],
    "/bad-status": [start(999, length(1)), chunk(b"x")],
    "/stream": [start(), chunk(b"one", True), chunk(b"", True), chunk(b"two", True), chunk()],
    "/pieces": [start(200, length(6)), chunk(b"one", True), chunk(b"two")],
    "/said-chunked": [start(200, CHUNKED), chunk(b"one", True), chunk(b"two")],
    "/both-lengths": [start(200, length(3), CHUNKED), chunk(b"one")],
    "/two-lengths": [start(200, length(3), length(4)), chunk(b"one")],
    "/closing": [start(200, length(1), (b"connection", b"Close")), chunk(b"x")],
    "/keeping": [start(200, length(1), (b"connection", b"keep-alive")), chunk(b"x")],
    "/too-long": [start(200, length(1)), chunk(b"xyz")],
    "/too-short": [start(200, length(9)), chunk(b"xyz")],
    "/only-head": [start(200, length(9))],
    "/half": [start(200, length(9)), chunk(b"half", True)],
    "/nothing": [],
    "/body-first": [chunk(b"x")],
    "/two-heads": [start(200, length(1)), start(201, length(1))],
    "/line-break": [start(200, length(1), (b"x", b"a\r\nb: c")), chunk(b"x")],
    "/null": [start(200, length(1), (b"x", b"a\0b")), chunk(b"x")],
    "/latin": [start(200, length(1), (b"x", "ü\ttab".encode("latin-1"))), chunk(b"x")],
    "/bad-name": [start(200, length(1), (b"x y", b"1")), chunk(b"x")],
    "/big": [start(200, length(300_000)), chunk(b"x" * 300_000)],
    "/big-chunk": [start(), chunk(b"x" * 300_000)],
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Sends ``MESSAGES``, or what the path says."""
    path = scope["path"]
    if path in MESSAGES:
        for message in MESSAGES[path]:
            await send(message)
    elif path == "/read":
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        await reply(send, body)
    elif path == "/slowly":
        await send(start())
        for piece in (b"a", b"b"):
            await asyncio.sleep(0.01)
            await send(chunk(piece, True))
        await send(chunk())
    elif path == "/before":
        raise RuntimeError("before the head")
    elif path == "/after":
        await send(start(200, length(5)))
        raise RuntimeError("after the head")
    elif path == "/between":
        await send(start())
        await send(chunk(b"some", True))
        raise RuntimeError("between two chunks")
    else:
        shown = {key: value for key, value in scope.items() if key not in ("client", "server")}
        await reply(send, json.dumps(shown, default=repr, sort_keys=True).encode())


async def reply(send: Any, body: bytes) -> None:
    await send(start(200, length(len(body))))
    await send(chunk(body))


@contextlib.asynccontextmanager
async def serving(protocol: Any, app: Any, **options: Any) -> AsyncIterator[tuple[int, Any]]:
    options = {"log_config": None, "access_log": False, "proxy_headers": False, **options}
    config = uvicorn.Config(app, interface="asgi3", lifespan="off", **options)
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: protocol(config=config, server_state=state, app_state={"kept": 1}), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1], state
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()


async def ask(port: int, *pieces: bytes) -> bytes:
    """What comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.005 if len(pieces) > 1 else 0)
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


def get(path: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: x", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


LAST = "Connection: close"
REQUESTS: dict[str, list[bytes]] = {
    **{path: [get(path, LAST)] for path in MESSAGES},
    **{f"{path}, then another": [get(path) + get("/plain", LAST)] for path in MESSAGES},
    **{
        f"HEAD {path}": [get(path, method="HEAD") + get("/plain", LAST)]
        for path in ("/plain", "/stream", "/unknown-length", "/no-body", "/pieces")
    },
    **{path: [get(path, LAST)] for path in ("/slowly", "/before", "/after", "/between")},
    "failed, then another": [get("/before") + get("/plain", LAST)],
    "three at once": [get("/slowly") + get("/plain") + get("/stream", LAST)],
    "one after the other": [get("/slowly"), get("/plain"), get("/stream", LAST)],
    "in small pieces": [b"GET /pl", b"ain HTTP/1.1\r\nHo", b"st: x\r\nConnection: close\r\n\r\n"],
    "body": [get("/read", "Content-Length: 3", LAST, method="POST") + b"abc"],
    "body in pieces": [get("/read", "Content-Length: 6", LAST, method="POST"), b"abc", b"def"],
    "chunked body": [
        get("/read", "Transfer-Encoding: chunked", LAST, method="POST") + b"3\r\nabc\r\n0\r\n\r\n"
    ],
    "large body": [
        get("/read", "Content-Length: 500000", LAST, method="POST") + b"x" * 250_000,
        b"x" * 250_000,
    ],
    "body that nobody reads": [
        get("/plain", "Content-Length: 3", method="POST") + b"abc" + get("/plain", LAST)
    ],
    "body that comes after its answer": [
        get("/plain", "Content-Length: 3", method="POST"),
        b"abc" + get("/plain", LAST),
    ],
    "expect": [get("/read", "Expect: 100-Continue", "Content-Length: 3", LAST), b"abc"],
    "expect, and no wish to read": [
        get("/plain", "Expect: 100-continue", "Content-Length: 3", LAST),
        b"abc",
    ],
    "http/1.0": [get("/plain", version="1.0")],
    "http/1.0, keep-alive": [get("/plain", "Connection: keep-alive", version="1.0")],
    "http/1.0, a stream": [get("/stream", version="1.0")],
    "scope": [get("/a%20b/%C3%A9?c=d%20e&f", "X-Mixed: Case", "x-mixed: 2", LAST)],
    "scope of a whole url": [get("http://there:80/path?query#fragment", LAST)],
    "scope of two slashes": [get("//path", LAST)],
    "no path": [get("*", LAST, method="OPTIONS")],
    "connect": [get("there:80", LAST, method="CONNECT")],
    "other upgrade": [get("/plain", "Connection: Upgrade, close", "Upgrade: h2c")],
    "not http": [b"what is this\r\n\r\n"],
    "not http after a request": [get("/slowly"), b"what is this\r\n\r\n"],
    "two lengths": [get("/read", "Content-Length: 3", "Content-Length: 4") + b"abcd"],
    "length and chunked": [get("/read", "Content-Length: 3", "Transfer-Encoding: chunked")],
}


WITH_THIS_UVICORN = pytest.mark.skipif(
    tuple(map(int, uvicorn.__version__.split(".")[:2])) < (0, 54),
    reason="older ones differ in HTTP/1.0, in capitals and in closing: pip install -U uvicorn",
)


@WITH_THIS_UVICORN
@pytest.mark.parametrize("name", REQUESTS)
async def test_the_same_as_uvicorn(name: str) -> None:
    found = []
    for protocol in BOTH:
        async with serving(protocol, app) as (port, _):
            found.append(await ask(port, *REQUESTS[name]))
    assert found[1] == found[0]


@pytest.mark.parametrize("root", ["", "/root"])
async def test_the_scope_is_uvicorns(root: str) -> None:
    found = []
    for protocol in BOTH:
        async with serving(protocol, app, root_path=root) as (port, _):
            answer = await ask(port, get("/a%2Fb?q", LAST))
            found.append(json.loads(answer.partition(b"\r\n\r\n")[2]))
    assert found[1] == found[0]
    assert found[1]["path"] == root + "/a/b"
    assert found[1]["state"] == {"kept": 1}


SCRIPT = (
    get("/plain")
    + get("/read", "Content-Length: 5", method="POST")
    + b"hello"
    + get("/stream")
    + get("/read", "Transfer-Encoding: chunked", method="POST")
    + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    + get("/plain", method="HEAD")
    + get("/plain", LAST)
)


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False
        self.reading = True

    def write(self, data: Any) -> None:
        if data and not self.closed:
            self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 5), "sockname": ("127.0.0.1", 80)}.get(name, default)


def connected(app: Any, kind: Any = HttpProtocol, **options: Any) -> tuple[Any, Wire]:
    options = {"log_config": None, "access_log": False, "proxy_headers": False, **options}
    config = uvicorn.Config(app, interface="asgi3", **options)
    protocol = kind(config=config, server_state=ServerState(), app_state={})
    wire = Wire()
    protocol.connection_made(wire)
    return protocol, wire


async def settle(turns: int = 30) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def converse(protocol: Any, pieces: list[bytes]) -> tuple[bytes, bool]:
    """What comes back for these pieces, and whether the connection was closed."""
    connection, wire = connected(app, protocol)
    for piece in pieces:
        if not wire.closed:
            connection.data_received(piece)
            await settle(20)
    await settle()
    # That one is left out where the body came with its head.
    written = b"".join(wire.written).replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    closed = wire.closed
    connection.connection_lost(None)
    await settle(5)
    return written, closed


def cut(text: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % len(text) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(edges) if a < b]


@given(st.lists(st.integers(0, len(SCRIPT)), max_size=12))
@settings(max_examples=40, deadline=None)
def test_however_the_bytes_are_cut(places: list[int]) -> None:
    whole = asyncio.run(converse(HttpProtocol, [SCRIPT]))
    assert whole[0].count(b"HTTP/1.1 200 OK") == 6
    assert asyncio.run(converse(HttpProtocol, cut(SCRIPT, places))) == whole


FIELDS = (
    "Content-Length: 3",
    "Content-Length: 0",
    "Transfer-Encoding: chunked",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: upgrade",
    "Upgrade: h2c",
    "Expect: 100-continue",
)
PATHS = (*(path for path in MESSAGES if "big" not in path), "/read", "/before", "/after", "/scope")
ASKED = st.tuples(
    st.builds(
        lambda path, fields, method, version: get(path, *fields, method=method, version=version),
        st.sampled_from(PATHS),
        st.lists(st.sampled_from(FIELDS), max_size=3),
        st.sampled_from(("GET", "POST", "HEAD", "OPTIONS")),
        st.sampled_from(("1.1", "1.0")),
    ),
    st.sampled_from((b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n")),
).map(b"".join)


@WITH_THIS_UVICORN
@given(
    st.lists(ASKED, min_size=1, max_size=4).map(b"".join),
    st.lists(st.integers(0, 1000), max_size=4),
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 255)), max_size=3),
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_asked(asked: bytes, places: list[int], wrong: list[tuple[int, int]]) -> None:
    """Sense and nonsense: requests one after the other, some of their bytes wrong."""
    text = bytearray(asked)
    for place, byte in wrong:
        text[place % len(text)] = byte
    pieces = cut(bytes(text), places)
    theirs, ours = (asyncio.run(converse(protocol, pieces)) for protocol in BOTH)
    assert ours == theirs


async def test_an_answer_is_one_write() -> None:
    protocol, wire = connected(app)
    protocol.data_received(get("/plain") + get("/stream") + get("/big"))
    await settle()
    plain, first, *rest, head, big = wire.written
    assert plain.endswith(b"\r\n\r\nplain")
    assert first.endswith(b"\r\n\r\n3\r\none\r\n")
    assert rest == [b"3\r\ntwo\r\n", b"0\r\n\r\n"]
    assert head.endswith(b"\r\n\r\n") and big == b"x" * 300_000  # not worth copying


async def test_a_head_does_not_wait_for_a_body_that_takes_its_time() -> None:
    go_on = asyncio.Event()

    async def later(scope: Any, receive: Any, send: Any) -> None:
        await send(start(200, length(2)))
        await go_on.wait()
        await send(chunk(b"ok"))

    protocol, wire = connected(later)
    protocol.data_received(get("/"))
    await settle()
    assert wire.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"]
    go_on.set()
    await settle()
    assert wire.written[1:] == [b"ok"]


async def test_continue_is_not_said_when_the_body_is_already_there() -> None:
    protocol, wire = connected(app)
    ask = get("/read", "Expect: 100-continue", "Content-Length: 2", method="POST")
    protocol.data_received(ask + b"ab")
    await settle()
    assert b"100 Continue" not in b"".join(wire.written)
    protocol.data_received(ask)
    await settle()
    assert wire.written[-1] == b"HTTP/1.1 100 Continue\r\n\r\n"
    protocol.data_received(b"ab")
    await settle()
    assert wire.written[-1].endswith(b"\r\n\r\nab")


async def test_trailers_are_not_headers() -> None:
    protocol, wire = connected(app)
    ask = get("/scope", "Transfer-Encoding: chunked", method="POST")
    protocol.data_received(ask + b"1\r\na\r\n0\r\nX-User: root\r\n\r\n")
    await settle()
    assert b"x-user" not in wire.written[0]
    assert b"x-trailing" not in wire.written[0]


async def test_the_app_learns_that_the_client_went_away() -> None:
    got: list[str] = []

    async def waiting(scope: Any, receive: Any, send: Any) -> None:
        while not got or got[-1] != "http.disconnect":
            got.append((await receive())["type"])
        await send(start())  # into the void
        await send(chunk(b"x"))

    protocol, wire = connected(waiting)
    protocol.data_received(get("/"))
    await settle()
    protocol.connection_lost(None)
    await settle()
    assert got == ["http.request", "http.disconnect"]
    assert not wire.written
    assert not protocol.state.tasks and not protocol.state.connections


async def test_receive_ends_with_the_answer() -> None:
    got: list[str] = []

    async def both(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        others = [asyncio.ensure_future(receive()) for _ in range(2)]
        await asyncio.sleep(0)
        await reply(send, b"x")
        got.extend([(await other)["type"] for other in others])

    protocol, _ = connected(both)
    protocol.data_received(get("/"))
    await settle()
    assert got == ["http.disconnect"] * 2


async def test_nothing_more_is_read_than_is_asked_for() -> None:
    ask_now = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await ask_now.wait()
        message = await receive()
        await reply(send, b"%d" % len(message["body"]))

    protocol, wire = connected(slow)
    protocol.data_received(get("/", "Content-Length: 200000", method="POST") + b"x" * 70_000)
    await settle()
    assert not wire.reading
    ask_now.set()
    await settle()
    assert wire.reading
    assert wire.written[0].endswith(b"\r\n\r\n70000")


async def test_an_app_waits_for_a_client_that_does_not_read() -> None:
    sent = 0

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send(start())
        for _ in range(10):
            await send(chunk(b"x", True))
            sent += 1
        await send(chunk())

    protocol, wire = connected(endless)
    protocol.pause_writing()
    protocol.data_received(get("/"))
    await settle()
    assert not wire.written
    protocol.resume_writing()
    await settle()
    assert sent == 10

    sent = 0
    protocol.data_received(get("/"))
    protocol.pause_writing()
    await settle()
    assert sent == 0
    protocol.connection_lost(None)
    await settle()
    assert sent == 10  # it is told by `receive`, not by `send`


async def test_an_idle_connection_is_closed_and_a_used_one_is_not() -> None:
    protocol, wire = connected(app, timeout_keep_alive=0.06)  # type: ignore[arg-type]
    for _ in range(4):
        protocol.data_received(get("/plain"))
        await asyncio.sleep(0.03)
        assert not wire.closed
    await asyncio.sleep(0.1)
    assert wire.closed


async def test_a_long_answer_is_not_idleness() -> None:
    async def long(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/long":
            await asyncio.sleep(0.1)
        await reply(send, b"x")

    protocol, wire = connected(long, timeout_keep_alive=0.03)  # type: ignore[arg-type]
    protocol.data_received(get("/short"))
    await settle()
    protocol.data_received(get("/long"))
    await asyncio.sleep(0.08)
    assert len(wire.written) == 1 and not wire.closed
    await asyncio.sleep(0.1)
    assert len(wire.written) == 2 and wire.closed


async def test_shutting_down_lets_what_has_begun_end() -> None:
    protocol, wire = connected(app)
    protocol.data_received(get("/slowly") + get("/plain"))
    await settle(1)
    protocol.shutdown()
    assert not wire.closed
    await asyncio.sleep(0.1)
    assert wire.closed
    assert wire.written[-1].endswith(b"connection: close\r\n\r\nplain")
    idle, wire = connected(app)
    idle.shutdown()
    assert wire.closed


async def test_too_many_at_once() -> None:
    for protocol in BOTH:
        async with serving(protocol, app, limit_concurrency=1) as (port, _):
            answer = await ask(port, get("/plain"))
        assert answer == (
            b"HTTP/1.1 503 Service Unavailable\r\ndate: today\r\n"
            b"content-type: text/plain; charset=utf-8\r\ncontent-length: 19\r\n"
            b"connection: close\r\n\r\nService Unavailable"
        )


async def test_the_access_log_is_uvicorns(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "uvicorn.access")
    lines = []
    access = logging.getLogger("uvicorn.access")
    propagate, access.propagate = access.propagate, True
    try:
        for protocol in BOTH:
            async with serving(protocol, app, access_log=True) as (port, _):
                await ask(port, get("/a%20b?c=d", LAST))
            [line] = {r.getMessage() for r in caplog.records if r.name == "uvicorn.access"}
            client, _, rest = line.partition(" - ")
            assert client.startswith("127.0.0.1:")
            lines.append(rest)
            caplog.clear()
    finally:
        access.propagate = propagate
    assert lines == ['"GET /a%20b?c=d HTTP/1.1" 200'] * 2


async def test_websockets_are_handed_on() -> None:
    websockets = pytest.importorskip("websockets", reason="pip install websockets")

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "text": scope["path"] + message["text"]})
        await send({"type": "websocket.close", "code": 1000})

    async with serving(HttpProtocol, echo) as (port, _):
        async with websockets.connect(f"ws://127.0.0.1:{port}/path") as connection:
            await connection.send("text")
            assert await connection.recv() == "/pathtext"


# -- apps of ours, called without ASGI ------------------------------------------------------------


class Seen(list[Any]):
    """What the app below got."""


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def ours(seen: Seen) -> AsyncIterator[App]:
    ours = App("ours")

    @ours.post("/echo/{name}")
    async def echo(request: Request, name: str) -> Response:
        seen.append((request.path, request.params["name"], request.query, request.peer))
        seen.append(type(request.body))
        body = await read_all(request.body)
        return Response(200, body=body)

    @ours.get("/stream")
    async def stream() -> AsyncIterator[bytes]:
        try:
            for n in range(1000):
                yield b"%d" % n
                await asyncio.sleep(0)
        finally:
            seen.append("closed")

    @ours.get("/broken")
    async def broken() -> Response:
        return Response(200, body=b"x", headers=bad)

    bad = Response(200).headers
    bad.add("x", "a\nb")
    await ours.start()
    yield ours
    await ours.stop()


async def test_a_service_gets_its_request_without_a_scope(ours: App, seen: Seen) -> None:
    protocol, wire = connected(ours)
    assert protocol.service is not None
    ask = get("/echo/a%20b?q=%20", "Content-Length: 3", method="POST")
    protocol.data_received(ask + b"abc")
    await settle()
    assert seen == [("/echo/a%20b", "a b", "q=%20", "127.0.0.1"), bytes]
    assert wire.written == [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    ]
    protocol.data_received(ask)
    await settle()
    assert issubclass(seen[-1], Stream)
    protocol.data_received(b"abc")
    await settle()
    assert wire.written[1:] == wire.written[:1]


async def test_a_services_stream_is_closed_when_the_client_goes(ours: App, seen: Seen) -> None:
    protocol, wire = connected(ours)
    protocol.data_received(get("/stream"))
    await settle(10)
    assert len(wire.written) > 2 and not seen
    protocol.connection_lost(None)
    await settle()
    assert seen == ["closed"]


async def test_a_service_that_waits_for_a_body_hears_of_the_end(ours: App, seen: Seen) -> None:
    protocol, wire = connected(ours)
    protocol.data_received(get("/echo/a", "Content-Length: 3", method="POST") + b"a")
    await settle()
    protocol.connection_lost(None)
    await settle()
    assert not wire.written and not protocol.state.tasks
    assert count(ours.metrics.snapshot(), "client_error", kind="server", route="echo") == 1


async def test_a_head_that_cannot_be_written(ours: App) -> None:
    protocol, wire = connected(ours)
    protocol.data_received(get("/broken"))
    await settle()
    assert wire.closed and not wire.written


async def test_what_is_around_an_app_is_not_left_out(ours: App, seen: Seen) -> None:
    def mark(app: Any) -> Any:
        async def marked(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["path"])
            await app(scope, receive, send)

        return marked

    class Other(App):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append("other")

    assert connected(Other("other"))[0].service is None
    around = App("around")
    around.mount("/ours", ours)
    around.middleware(mark)
    protocol, wire = connected(around)
    protocol.data_received(get("/ours/echo/a", "Content-Length: 1", method="POST") + b"a")
    await settle()
    assert seen[0] == "/ours/echo/a"
    assert wire.written[0].startswith(b"HTTP/1.1 200 OK")
    await around.stop()
