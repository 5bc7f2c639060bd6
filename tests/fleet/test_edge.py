from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from skerry.core.instance import Address
from skerry.core.wire import Headers, Request, Stream
from skerry.fleet.status import fleet_status

ECHO = """
    import asyncio, json
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
    from starlette.routing import Route, WebSocketRoute

    async def show(request):
        body = await request.body()
        return JSONResponse({
            "path": request.scope["raw_path"].decode(), "query": request.url.query,
            "headers": [[k, v] for k, v in request.headers.items()], "body": body.decode(),
        }, headers={"connection": "x-private", "x-private": "1", "x-public": "1"})

    async def away(request):
        return RedirectResponse(str(request.url_for("there")))

    async def there(request):
        return PlainTextResponse("there")

    class Upper:
        # Without Starlette, whose streaming answers listen for a disconnect by reading the body.
        async def __call__(self, scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            more = True
            while more:
                message = await receive()
                more = message.get("more_body", False)
                body = message.get("body", b"").upper()
                await send({"type": "http.response.body", "body": body, "more_body": more})

    async def socket(websocket):
        await websocket.accept()
        text = await websocket.receive_text()
        forwarded = websocket.headers.get("x-forwarded-prefix", "")
        await websocket.send_text(f"{text} {forwarded} {websocket.url.path}")
        await websocket.close()

    app = Starlette(routes=[
        Route("/away", away), Route("/there", there, name="there"),
        Route("/upper", Upper(), methods=["POST"]),
        WebSocketRoute("/socket", socket), Route("/{rest:path}", show, methods=["GET", "POST"]),
    ])
"""

# A web app of the standard library alone, which knows of nothing but $PORT and $ECHO_URL.
FOREIGN = """
    import http.server, json, os, urllib.request

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_GET(self):
            try:
                if self.path == "/ask":
                    request = urllib.request.Request(os.environ["ECHO_URL"] + "/x?y=1")
                    body = urllib.request.urlopen(request).read()
                else:
                    body = b"foreign"
                status = 200
            except urllib.error.HTTPError as error:
                status, body = error.code, error.read()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def fleet(tree: Any) -> Any:
    tree.add("echo", source=ECHO)
    tree.add("foreign", 'command = "python3 main.py"\nneeds = ["echo"]', "")
    tree.write("foreign/main.py", FOREIGN)
    return tree


async def test_a_foreign_app_calls_through_its_edge_and_is_counted(
    fleet: Any, running: Any, http: Any, until: Any
) -> None:
    async with running() as supervisor:
        front = supervisor.recipes.front_url()
        answer = await http(front, "/foreign/ask")
        assert answer.status == 200
        assert (answer.json()["path"], answer.json()["query"]) == ("/x", "y=1")
        assert (await http(front, "/foreign/other")).body == b"foreign"

        def counted() -> Any:
            apps = {app.app: app.counts for app in fleet_status(supervisor).apps}
            return apps if apps["foreign"].requests == 2 and apps["echo"].requests else None

        apps = await until(counted)
        assert apps["foreign"].calls == 1
        assert apps["foreign"].p50_ms > 0
        assert apps["echo"].requests == 1

        edge = supervisor.recipes.addresses().edges["foreign", "echo"]
        assert (await http(edge, "/direct")).json()["path"] == "/direct"
        await supervisor.scale("echo", 0)
        late = await until(lambda: gone(http, edge))
        assert late.headers.get("content-type") == "application/problem+json"
        assert late.headers.get("grpc-retry-pushback-ms") == "-1"
        assert late.json()["detail"].startswith("echo: ")


async def gone(http: Any, edge: str) -> Any:
    """The edge's answer once it knows that there is nobody to call; a patient caller waits."""
    answer = await http(edge, "/direct", grpc_timeout="100m")
    return answer if answer.status == 504 else None


async def test_the_front_door(fleet: Any, running: Any, http: Any) -> None:
    async with running() as supervisor:
        front = supervisor.recipes.front_url()
        port = front.rpartition(":")[2]
        answer = await http(
            front,
            "/echo/a%2Fb/c?q=%20",
            "POST",
            b"body",
            x_kept="1",
            x_forwarded_for="10.0.0.1",
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        seen = answer.json()
        headers = dict(seen["headers"])
        assert (seen["path"], seen["query"], seen["body"]) == ("/a%2Fb/c", "q=%20", "body")
        assert headers["x-kept"] == "1"
        assert headers["x-forwarded-for"] == "10.0.0.1, 127.0.0.1"
        assert headers["x-forwarded-host"] == f"127.0.0.1:{port}"
        assert headers["x-forwarded-proto"] == "http"
        assert headers["x-forwarded-prefix"] == "/echo"
        assert headers["forwarded"] == f'for=127.0.0.1;proto=http;host="127.0.0.1:{port}"'
        assert headers["host"] != headers["x-forwarded-host"]
        assert headers["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")
        assert [name for name, _ in seen["headers"]].count("traceparent") == 1
        assert answer.headers.get("x-public") == "1"
        assert answer.headers.get("x-private") is None

        by_host = await http(front, "/x", host=f"echo.localhost:{port}")
        assert by_host.json()["path"] == "/x"
        away = await http(front, "/echo/away")
        assert away.headers.get("location") == "/echo/there"
        nowhere = await http(front, "/nowhere")
        assert nowhere.status == 404
        assert "/echo" in nowhere.json()["detail"]


async def test_bodies_stream_both_ways_through_the_front_door(
    fleet: Any, running: Any, http: Any
) -> None:
    async with running() as supervisor:
        front = supervisor.recipes.front_url()
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        async def pieces() -> AsyncIterator[bytes]:
            yield b"one "
            # The second piece is only sent once the first has come back.
            assert await heard.get() == b"ONE "
            yield b"two"

        request = Request("POST", "/echo/upper", "", Headers(), Stream(pieces()))
        response = await http.transport.connect(Address(front))(request)
        assert isinstance(response.body, Stream)
        rest = b""
        async for chunk in response.body:
            if not rest:
                heard.put_nowait(chunk)
            rest += chunk
        assert rest == b"ONE TWO"


async def test_a_websocket_goes_through_the_front_door(
    fleet: Any, running: Any, until: Any
) -> None:
    pytest.importorskip("wsproto", reason="the app's side of a WebSocket: pip install wsproto")
    async with running() as supervisor:
        port = int(supervisor.recipes.front_url().rpartition(":")[2])
        said = await websocket(port, "/echo/socket", b"hi")
        assert said == b"hi /echo /socket"
        assert (await upgrade(port, "/nowhere"))[0].startswith(b"HTTP/1.1 404")
        await supervisor.scale("echo", 0)

        async def refused() -> bool:
            head, _, writer = await upgrade(port, "/echo/socket")
            writer.close()
            return head.startswith(b"HTTP/1.1 503")

        await until(refused)


async def test_routes_of_ones_own(tree: Any, running: Any, http: Any) -> None:
    tree.text += '[front]\nroutes = { "/" = "one", "/api/two" = "two" }\n'
    tree.add("one")
    tree.add("two")
    async with running() as supervisor:
        front = supervisor.recipes.front_url()
        assert (await http(front, "/hello")).json()["from"] == "one"
        assert (await http(front, "/api/two/hello")).json()["from"] == "two"
        assert (await http(front, "/api/twofold/hello")).status == 404


async def upgrade(port: int, path: str) -> tuple[bytes, Any, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: Upgrade\r\n"
        f"upgrade: websocket\r\nsec-websocket-version: 13\r\n"
        f"sec-websocket-key: {key}\r\n\r\n".encode()
    )
    return await reader.readuntil(b"\r\n\r\n"), reader, writer


async def websocket(port: int, path: str, text: bytes) -> bytes:
    """Send one text frame and read one (RFC 6455, 5.2; frames of fewer than 126 bytes)."""
    head, reader, writer = await upgrade(port, path)
    assert head.startswith(b"HTTP/1.1 101")
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(text))
    writer.write(bytes([0x81, 0x80 | len(text)]) + mask + masked)
    first, length = await reader.readexactly(2)
    assert first == 0x81
    said = await reader.readexactly(length)
    writer.close()
    return bytes(said)
