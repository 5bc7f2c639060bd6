"""Spans to fill a collector with, and what posts them, as a process of its own:

``python -m bench.observe_load PORT CONNECTIONS SECONDS FIRST [SPANS_PER_SECOND]``.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from typing import Any

SERVICES = 20
SPANS = 8
"""In each trace: a request through four services, callers and servers."""

_TRACES = 60  # in each body

_MARK = "00c0ffee"  # in the trace ids of a body, to be replaced by a number


def traces(rng: random.Random, count: int, now: int, mark: str = "") -> list[dict[str, Any]]:
    """Spans of ``count`` traces that begin within a second of ``now`` (microseconds).

    Six tags each, some of them with many values: what instrumentation really sends.
    """
    found: list[dict[str, Any]] = []
    for _ in range(count):
        trace = f"{rng.getrandbits(64):016x}{mark or f'{rng.getrandbits(32):08x}'}"
        trace += f"{rng.getrandbits(32):08x}"
        begin = now + rng.randrange(1_000_000)
        service, parent = rng.randrange(SERVICES), None
        for depth in range(SPANS):
            server = depth % 2 == 0
            if server and depth:
                service = (service + 1) % SERVICES
            span: dict[str, Any] = {
                "traceId": trace,
                "id": f"{rng.getrandbits(64) | 1:016x}",
                "kind": "SERVER" if server else "CLIENT",
                "name": f"get /thing/{rng.randrange(10)}",
                "timestamp": begin + depth * 100,
                "duration": rng.randrange(100, 500_000),
                "localEndpoint": {
                    "serviceName": f"service{service}",
                    "ipv4": f"10.0.0.{service}",
                    "port": 8080,
                },
                "tags": {
                    "http.request.method": rng.choice(["GET", "GET", "POST"]),
                    "http.route": f"/thing/{depth}",
                    "url.path": f"/thing/{rng.randrange(100_000)}",
                    "http.response.status_code": rng.choice(["200", "200", "200", "404", "500"]),
                    "user.id": str(rng.randrange(10_000)),
                    "service.instance.id": f"i{rng.randrange(3)}",
                },
            }
            if parent is not None:
                span["parentId"] = parent
            if not server:
                span["remoteEndpoint"] = {"serviceName": f"service{(service + 1) % SERVICES}"}
            if rng.random() < 0.02:
                span["tags"]["error"] = "boom"
            parent = span["id"]
            found.append(span)
    return found


def bodies(count: int, of: int) -> list[bytes]:
    """JSON bodies of ``of`` traces each, marked so that they can be made new ones."""
    rng = random.Random(7)
    now = time.time_ns() // 1000 - 60_000_000
    return [json.dumps(traces(rng, of, now, _MARK)).encode() for _ in range(count)]


async def _post(
    port: int, made: list[bytes], until: float, numbers: Any, every: float
) -> tuple[int, int]:
    """Post until then, each body once answered; how many were taken and how many refused.

    Args:
        every: seconds between two bodies; 0 for as fast as it goes.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    taken = refused = 0
    mark = _MARK.encode()
    due = time.perf_counter()
    while time.perf_counter() < until:
        due += every
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        number = next(numbers)
        body = made[number % len(made)].replace(mark, b"%08x" % number)
        writer.write(
            b"POST /api/v2/spans HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        writer.write(body)
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        await reader.readexactly(length)
        taken += status == 202
        refused += status == 503
        if status not in (202, 503):
            raise RuntimeError(head[:200].decode("latin-1"))
    writer.close()
    return taken, refused


async def _load(
    port: int, connections: int, seconds: float, first: int, rate: float
) -> dict[str, float]:
    made = bodies(40, _TRACES)
    every = connections * _TRACES * SPANS / rate if rate else 0.0
    numbers = iter(range(first, 1 << 32))
    begin = time.perf_counter()
    posts = [_post(port, made, begin + seconds, numbers, every) for _ in range(connections)]
    counts = await asyncio.gather(*posts)
    taken, refused = (sum(count) for count in zip(*counts, strict=True))
    return {
        "spans": taken * _TRACES * SPANS,
        "seconds": time.perf_counter() - begin,
        "refused": refused / max(taken + refused, 1),
    }


if __name__ == "__main__":
    port, connections, seconds, first, rate = [*sys.argv[1:], "0"][:5]
    chosen = int(port), int(connections), float(seconds), int(first), float(rate)
    json.dump(asyncio.run(_load(*chosen)), sys.stdout)
    sys.stdout.flush()
    os._exit(0)
