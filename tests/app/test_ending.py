"""How a process ends when not everything in it does: cut off, told, and gone in time."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from skerry.app.ending import GRACE

APP = """
import asyncio, atexit, os, sys, time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from skerry.app import App
from skerry.app.serve import run

app = App("stuck")
pool = ThreadPoolExecutor(1)
atexit.register(lambda: print("atexit", flush=True))

class Database: ...

@app.resource
async def database() -> AsyncIterator[Database]:
    yield Database()
    print("database closed", flush=True)

def began():
    print("began", flush=True)

def forever():
    began()
    time.sleep(600)

@app.get("/sleep")
async def sleep(database: Database) -> str:
    began()
    try:
        await asyncio.sleep(600)
    finally:
        print("cleaned up", flush=True)

@app.get("/stream")
async def stream() -> AsyncIterator[bytes]:
    yield b"some"
    began()
    await asyncio.sleep(600)

@app.get("/plain")
def plain() -> None:
    forever()

@app.get("/to-thread")
async def to_thread() -> None:
    await asyncio.to_thread(forever)

@app.get("/pool")
async def in_a_pool() -> None:
    await asyncio.get_running_loop().run_in_executor(pool, forever)

def wsgi(environ, start_response):
    forever()
    return []

async def chat(socket):
    await socket.accept()
    began()
    await asyncio.sleep(600)

app.mount("/wsgi", wsgi)
app.mount("/site", Starlette(routes=[WebSocketRoute("/chat", chat)]))
run(app, port=int(sys.argv[1]), drain=0.3)
print("returned", flush=True)
time.sleep(float(os.environ.get("AFTERWARDS", 0)))
print("exits", flush=True)
"""

HANDSHAKE = (
    "GET /site/chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def start(tmp_path: Path, **environment: str) -> tuple[subprocess.Popen[str], int]:
    file = tmp_path / "stuck_app.py"
    file.write_text(APP)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(file), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.02)
    process.kill()
    raise AssertionError("it did not start")


async def stopped(
    process: subprocess.Popen[str], port: int, request: str
) -> tuple[str, str, str, float]:
    """What the caller got, what went to stdout and stderr, and how long the end took."""
    assert process.stdout is not None
    last_resort = threading.Timer(20, process.kill)  # so that what hangs fails
    last_resort.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request.encode())
        assert await asyncio.to_thread(process.stdout.readline) == "began\n"
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        answer = (await reader.read()).decode("latin-1")
        out, err = await asyncio.to_thread(process.communicate)
        writer.close()
    finally:
        last_resort.cancel()
    return answer, out, err, time.monotonic() - told


def get(path: str) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_a_request_that_is_cut_off_is_told(tmp_path: Path) -> None:
    process, port = start(tmp_path)
    answer, out, err, seconds = await stopped(process, port, get("/sleep"))
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 503 Service Unavailable")
    assert "content-type: application/problem+json" in head
    assert head.count("connection: close") == 1 and "grpc-retry-pushback-ms" not in head
    assert '"detail":"The app was stopped before it had answered."' in body
    assert out == "cleaned up\ndatabase closed\nreturned\nexits\natexit\n"
    assert "1 requests were not done after 0.3 s" in err and "Traceback" not in err
    assert process.returncode == 0 and seconds < 2


async def test_an_answer_that_is_cut_off_is_not_whole(tmp_path: Path) -> None:
    process, port = start(tmp_path)
    answer, _, err, _ = await stopped(process, port, get("/stream"))
    assert answer.startswith("HTTP/1.1 200") and answer.endswith("4\r\nsome\r\n")
    assert "Traceback" not in err and process.returncode == 0


async def test_a_websocket_that_is_cut_off_is_no_error(tmp_path: Path) -> None:
    process, port = start(tmp_path)
    answer, _, err, _ = await stopped(process, port, HANDSHAKE)
    assert answer.startswith("HTTP/1.1 101")
    assert "Traceback" not in err and process.returncode == 0


@pytest.mark.parametrize("path", ["/plain", "/to-thread", "/pool", "/wsgi/x"])
async def test_a_thread_that_never_ends_does_not_keep_the_process(
    tmp_path: Path, path: str
) -> None:
    process, port = start(tmp_path)
    answer, out, err, seconds = await stopped(process, port, get(path))
    assert answer.startswith("HTTP/1.1 503")
    assert "database closed\n" in out and process.returncode == 0
    assert "Traceback" not in err
    assert seconds < 5
    if path != "/plain":  # whose threads are daemons
        assert "left behind, because they do not end: " in err
    if path in ("/plain", "/pool", "/wsgi/x"):
        assert "returned\n" in out


def test_what_comes_after_the_serving_has_its_time(tmp_path: Path) -> None:
    process, _ = start(tmp_path, AFTERWARDS=str(GRACE + 0.3))
    process.terminate()
    out, err = process.communicate(timeout=20)
    assert out == "database closed\nreturned\nexits\natexit\n" and not err


async def test_without_a_library_for_it_a_websocket_is_refused_and_explained(
    tmp_path: Path,
) -> None:
    for name in ("websockets", "wsproto"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not installed')")
    process, port = start(tmp_path, PYTHONPATH=str(tmp_path))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HANDSHAKE.encode())
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    process.terminate()
    _, err = await asyncio.to_thread(process.communicate, None, 20)
    assert answer.startswith(b"HTTP/1.1 501 ") and answer.endswith(b"}")
    assert b"application/problem+json" in answer
    assert "pip install 'skerry[websockets]'" in err
