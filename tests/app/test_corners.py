"""The corners of HTTP serving, the same as Starlette's: both answer, and are compared.

Over real sockets, through every server that is installed, because half of these corners are
where server and app meet.
"""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVERS = {
    "skerry": ["skerry.cli.main", "run", "{app}", "--port", "{port}"],
    "uvicorn": ["uvicorn", "{app}", "--port", "{port}", "--log-level", "warning"],
    "hypercorn": ["hypercorn", "{app}", "--bind", "127.0.0.1:{port}", "--log-level", "warning"],
    "granian": ["granian", "{app}", "--interface", "asgi", "--port", "{port}", "--no-log"],
}

APPS = """
from collections.abc import AsyncIterator
from skerry.app import App
from skerry.core.wire import Headers, Request, Response
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response as StarletteResponse, StreamingResponse
from starlette.routing import Route

ours = App("corners")

def reply(content, **more):
    raw = Headers.of({"content-type": "text/plain; charset=utf-8",
                      "content-length": str(len(content.encode()))}).raw
    return Response(200, Headers(raw + Headers.of(more.get("headers", [])).raw), content.encode())

@ours.get("/plain")
async def plain() -> Response:
    return reply("plain")

@ours.get("/item/{name}")
async def item(name: str) -> Response:
    return reply(name)

@ours.get("/tree/{rest:path}")
async def tree(rest: str) -> Response:
    return reply(rest)

@ours.get("/slash/")
async def slash() -> Response:
    return reply("slash")

@ours.post("/echo")
async def echo(request: Request, body: bytes) -> Response:
    many = ",".join(request.headers.get_all("x-many"))
    return reply(f"{len(body)} {many} {request.query}",
                 headers=[("set-cookie", "a=1"), ("set-cookie", "b=2")])

@ours.get("/chunks")
async def chunks() -> AsyncIterator[bytes]:
    for n in range(3):
        yield b"chunk%d" % n

async def t_plain(r): return PlainTextResponse("plain")
async def t_item(r): return PlainTextResponse(r.path_params["name"])
async def t_tree(r): return PlainTextResponse(r.path_params["rest"])
async def t_slash(r): return PlainTextResponse("slash")
async def t_echo(r):
    body = await r.body()
    many = ",".join(r.headers.getlist("x-many"))
    answer = PlainTextResponse(f"{len(body)} {many} {r.url.query}")
    answer.headers.append("set-cookie", "a=1")
    answer.headers.append("set-cookie", "b=2")
    return answer
async def t_chunks(r):
    async def produce():
        for n in range(3):
            yield b"chunk%d" % n
    return StreamingResponse(produce(), media_type="application/octet-stream")

theirs = Starlette(routes=[
    Route("/plain", t_plain), Route("/item/{name}", t_item), Route("/tree/{rest:path}", t_tree),
    Route("/slash/", t_slash), Route("/echo", t_echo, methods=["POST"]), Route("/chunks", t_chunks),
])
"""

REQUESTS = {
    "get": b"GET /plain HTTP/1.1\r\n",
    "head": b"HEAD /plain HTTP/1.1\r\n",
    "head of a stream": b"HEAD /chunks HTTP/1.1\r\n",
    "options": b"OPTIONS /plain HTTP/1.1\r\n",
    "wrong method": b"DELETE /plain HTTP/1.1\r\n",
    "post where only post": b"GET /echo HTTP/1.1\r\n",
    "unknown": b"GET /nothing HTTP/1.1\r\n",
    "root": b"GET / HTTP/1.1\r\n",
    "slash too many": b"GET /plain/ HTTP/1.1\r\n",
    "slash missing": b"GET /slash HTTP/1.1\r\n",
    "slash missing, query kept": b"GET /slash?a=1&b=%20 HTTP/1.1\r\n",
    "double slash": b"GET //plain HTTP/1.1\r\n",
    "encoded": b"GET /item/a%20b%C3%A9 HTTP/1.1\r\n",
    "encoded slash": b"GET /item/a%2Fb HTTP/1.1\r\n",
    "encoded slash in a tree": b"GET /tree/a%2Fb/c HTTP/1.1\r\n",
    "encoded text": b"GET /pl%61in HTTP/1.1\r\n",
    "plus stays": b"GET /item/a+b HTTP/1.1\r\n",
    "percent twice": b"GET /item/%2541 HTTP/1.1\r\n",
    "empty parameter": b"GET /item/ HTTP/1.1\r\n",
    "empty tree": b"GET /tree/ HTTP/1.1\r\n",
    "dots stay": b"GET /tree/a/../b HTTP/1.1\r\n",
    "semicolon": b"GET /item/a;b=c HTTP/1.1\r\n",
    "post": b"POST /echo?q=1 HTTP/1.1\r\nX-Many: 1\r\nX-Many: 2\r\nContent-Length: 3\r\n\r\nabc",
    "empty post": b"POST /echo HTTP/1.1\r\nContent-Length: 0\r\n",
    "chunked post": b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    "expect": b"POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
    "stream": b"GET /chunks HTTP/1.1\r\n",
    "http/1.0": b"GET /plain HTTP/1.0\r\n",
}

COMPARED = {"content-type", "content-length", "set-cookie", "allow", "location"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corners")
    (path / "corner_apps.py").write_text(APPS)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(server: str, app: str, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    command = [part.format(app=f"corner_apps:{app}", port=port) for part in SERVERS[server]]
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=folder)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"{server} did not start")


@pytest.fixture(scope="module", params=sorted(SERVERS))
def ports(request: pytest.FixtureRequest, folder: Path) -> Iterator[dict[str, int]]:
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed: pip install {request.param}")
    running = {app: launch(request.param, app, folder) for app in ("ours", "theirs")}
    yield {app: port for app, (_, port) in running.items()}
    for process, _ in running.values():
        process.terminate()
    for process, _ in running.values():
        process.wait(10)


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head, separator, body = request.partition(b"\r\n\r\n")
    head = head.rstrip(b"\r\n") + b"\r\nHost: x\r\nConnection: close\r\n\r\n"
    writer.write(head + (body if separator else b""))
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


def parse(answer: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    if answer.startswith(b"HTTP/1.1 100"):
        answer = answer.partition(b"\r\n\r\n")[2]
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    fields = [(n.lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines)]
    if ("transfer-encoding", "chunked") in fields:
        joined, rest = b"", body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            joined, rest = joined + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        body = joined
    return int(status.split()[1]), fields, body


@pytest.mark.parametrize("name", REQUESTS)
async def test_the_same_as_starlette(ports: dict[str, int], name: str) -> None:
    ours = parse(await ask(ports["ours"], REQUESTS[name]))
    theirs = parse(await ask(ports["theirs"], REQUESTS[name]))
    assert ours[0] == theirs[0], (ours, theirs)
    if ours[0] >= 400:
        assert ("content-type", "application/problem+json") in ours[1]
        allow = {n: set(v.split(", ")) for n, v in theirs[1] if n == "allow"}
        assert {n: set(v.split(", ")) for n, v in ours[1] if n == "allow"} == allow
        return
    if ours[0] == 307:  # ours is relative; both lead to the same place
        place = dict(theirs[1])["location"].removeprefix("http://x")
        path, _, query = REQUESTS[name].split()[1].decode().partition("?")
        other = path[:-1] if path.endswith("/") else path + "/"
        assert place == other + (f"?{query}" if query else "")
        relative = {"./slash/": "/slash/", "../plain": "/plain"}
        found, _, kept = dict(ours[1])["location"].partition("?")
        assert (relative[found], kept) == (other, query)
        return
    assert ours[2] == theirs[2]
    wanted = sorted(field for field in theirs[1] if field[0] in COMPARED)
    assert sorted(field for field in ours[1] if field[0] in COMPARED) == wanted
