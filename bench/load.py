"""Load: wrk where it is installed, a small generator of our own otherwise.

The two are not mixed within a run, and the report says which one it was.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time

from .machine import WORK

BODY = b'{"school_id":"sch_0042","amount":"1250.00","pay_in":"EUR"}'
CONNECTIONS = 16


def generator() -> str:
    return "wrk" if shutil.which("wrk") else "bench's own generator (wrk is not installed)"


def requests_per_second(port: int, path: str, *, core: int, seconds: float) -> float:
    """Closed-loop load of ``POST path`` over 16 kept-alive connections, from ``core``.

    Raises:
        RuntimeError: an answer was not 2xx, so the figure would mean nothing.
    """
    if shutil.which("wrk"):
        return _wrk(port, path, core, seconds)
    command = [sys.executable, "-m", "bench.load", str(port), path, str(seconds)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    return float(done.stdout)


def _wrk(port: int, path: str, core: int, seconds: float) -> float:
    script = WORK / "post.lua"
    body = BODY.decode()
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = '{body}'\n"
        "wrk.headers['Content-Type'] = 'application/json'\n"
    )
    url = f"http://127.0.0.1:{port}{path}"
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", str(script)]
    done = subprocess.run(
        ["wrk", *options, url],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)", done.stdout)
    if failed:
        raise RuntimeError(f"{url}: {failed[0]}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None:
        raise RuntimeError(f"wrk said: {done.stdout}{done.stderr}")
    return float(found[1])


async def _own(port: int, path: str, seconds: float) -> float:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n"
    ).encode()
    until = time.perf_counter() + seconds
    counts = await asyncio.gather(*(_client(port, head + BODY, until) for _ in range(CONNECTIONS)))
    return sum(counts) / seconds


async def _client(port: int, message: bytes, until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < until:
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 2"):
            raise RuntimeError(head[:200].decode("latin-1"))
        length = re.search(rb"(?i)content-length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        count += 1
    writer.close()
    return count


if __name__ == "__main__":
    print(asyncio.run(_own(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))))
