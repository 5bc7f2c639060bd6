"""The collector: how much it takes on one core, and how fast it finds it again."""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from skerry.observe import zipkin
from skerry.observe.limits import Limits
from skerry.observe.settings import StoreSettings
from skerry.observe.store import Store

from . import machine
from .observe_load import SERVICES, SPANS, traces
from .rows import Report

APP = "skerry.collector.app:app"
_SPANS = 1_000_000
_LARGE = 10_000


def run(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="observe-", dir=machine.WORK))
    try:
        _ingest(report, rounds, seconds, folder / "in.db", say)
        _search(report, rounds, folder / "out.db", say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ingest(
    report: Report, rounds: int, seconds: float, path: Path, say: Callable[[str], None]
) -> None:
    core, load_core = machine.cores()
    rates: list[float] = []
    by_processor: list[float] = []
    refused: list[float] = []
    with machine.serving(APP, "skerry", core=core, env=environment(path)) as port:
        server = machine.descendants(os.getpid())[1:]
        for number in range(rounds + 1):
            command = [
                *(sys.executable, "-m", "bench.observe_load"),
                *(str(port), "16", str(max(seconds, 5.0)), str(number * 1_000_000)),
            ]
            before = _processor_seconds(server)
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {load_core}),
            )
            found = json.loads(done.stdout)
            rate = found["spans"] / found["seconds"]
            worked = _processor_seconds(server) - before
            say(
                f"round {number}/{rounds}  ingest {rate:>10,.0f} spans/s, "
                f"{worked / found['seconds']:.0%} of the core"
            )
            if number:
                rates.append(rate)
                by_processor.append(found["spans"] / worked)
                refused.append(100 * found["refused"])
        status = json.loads(_get(port, "/api/skerry/store"))
        memory = machine.pss_mib(server)
        say(f"kept {status['spans']:,} spans in {status['bytes'] / 1e6:,.0f} MB")
    report.add("observe.ingest_per_s", rates, "spans/s", ">= 20000")
    report.add("observe.ingest_per_processor_s", by_processor, "spans/s")
    report.add("observe.collector_mib", [memory], "MiB")
    report.add("observe.refused_at_full_load", refused, "%")


def _processor_seconds(pids: list[int]) -> float:
    """What processes have used so far: on a machine with other work to do, the fairer measure."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _search(report: Report, rounds: int, path: Path, say: Callable[[str], None]) -> None:
    core, _ = machine.cores()
    now = time.time_ns() // 1000
    _fill(path, now, say)
    size = path.stat().st_size / _SPANS
    samples: list[float] = []
    medians: dict[str, list[float]] = {}
    with machine.serving(APP, "skerry", core=core, env=environment(path)) as port:
        for number in range(rounds + 1):
            for name, query in _QUERIES.items():
                given = {"endTs": now // 1000, "lookback": 86_400_000, **query}
                begin = time.perf_counter()
                _get(port, "/api/v2/traces?" + urlencode(given))
                took = 1000 * (time.perf_counter() - begin)
                if number:
                    samples.append(took)
                    medians.setdefault(name, []).append(took)
        # Afterwards: these are the newest traces then, and would be found by half of the queries.
        opened = [_open(port, now, f"{number + 1:016x}") for number in range(rounds)]
    for name, some in medians.items():
        say(f"search {name:40} {statistics.median(some):8.1f} ms")
    p95 = statistics.quantiles(samples, n=20)[-1]
    report.add("observe.search_ms", samples, "ms")
    report.add("observe.search_p95_ms", [p95], "ms", "<= 100")
    report.add("observe.open_10k_s", opened, "s", "<= 2")
    report.add("observe.bytes_per_span", [size], "bytes")


_QUERIES: dict[str, dict[str, str | int]] = {
    "everything": {},
    "a service": {"serviceName": "service3"},
    "a hundred of a service": {"serviceName": "service3", "limit": 100},
    "a span": {"serviceName": "service3", "spanName": "get /thing/3"},
    "a remote service": {"serviceName": "service3", "remoteServiceName": "service4"},
    "errors": {"annotationQuery": "error"},
    "errors of a service": {"serviceName": "service3", "annotationQuery": "error"},
    "one user": {"annotationQuery": "user.id=77"},
    "one user of a service": {"serviceName": "service3", "annotationQuery": "user.id=77"},
    "one user's errors": {"annotationQuery": "user.id=77 and error"},
    "one path": {"annotationQuery": "url.path=/thing/4242"},
    "nobody": {"annotationQuery": "user.id=nobody"},
    "slow": {"minDuration": 499_900},
    "slow in a service": {"serviceName": "service3", "minDuration": 499_000},
    "between": {"minDuration": 250_000, "maxDuration": 250_010},
    "too slow": {"minDuration": 600_000},
    "common tags together": {
        "annotationQuery": "http.request.method=POST and http.response.status_code=500",
        "serviceName": "service3",
    },
    "common tags that never meet": {
        "annotationQuery": "http.request.method=POST and http.route=/thing/0 and absent=1",
    },
    "all at once": {
        "serviceName": "service3",
        "remoteServiceName": "service4",
        "spanName": "get /thing/3",
        "annotationQuery": "error and http.response.status_code=500 and http.request.method=POST",
        "minDuration": 400_000,
    },
    "all at once, and none": {
        "serviceName": "service3",
        "remoteServiceName": "service4",
        "spanName": "get /thing/3",
        "annotationQuery": "http.response.status_code=500 and http.request.method=POST",
        "minDuration": 499_999,
    },
    "an hour of yesterday": {"lookback": 1},
}


def _fill(path: Path, now: int, say: Callable[[str], None]) -> None:
    """Put a million spans into the store, as if they had come in an hour."""
    store = Store(path, StoreSettings(size=4 << 30, still=0.0))
    rng = random.Random(11)
    number = 0
    while number < _SPANS:
        begin = now - int(3_600e6 * (1 - number / _SPANS)) - 2_000_000
        body = json.dumps(traces(rng, 250, begin)).encode()
        store.add(zipkin.read(body, now, Limits()))
        number += 250 * SPANS
        store.count(everything=True)
        store.flush()
        store.seal()
    store.close()
    say(f"filled: {number:,} spans of {SERVICES} services, {path.stat().st_size / 1e6:,.0f} MB")


def _open(port: int, now: int, trace: str) -> float:
    """Post a large trace, and open it; how many seconds that took."""
    spans = [
        {
            "traceId": trace,
            "id": f"{number + 1:016x}",
            "parentId": f"{number // 4:016x}",
            "name": f"step {number}",
            "timestamp": now + number,
            "duration": 10,
            "localEndpoint": {"serviceName": "batch"},
            "tags": {"number": str(number), "route": "/things/{id}"},
        }
        for number in range(_LARGE)
    ]
    body = json.dumps(spans).encode()
    headers = {"Content-Type": "application/json"}
    urlopen(Request(f"http://127.0.0.1:{port}/api/v2/spans", body, headers), timeout=60).close()
    begin = time.perf_counter()
    found = json.loads(_get(port, f"/api/v2/trace/{trace}"))
    if len(found) != _LARGE:
        raise RuntimeError(f"{len(found)} spans of {_LARGE} came back")
    return time.perf_counter() - begin


def environment(path: Path, keep_mib: int = 4096) -> dict[str, str]:
    """Of a collector that keeps so much."""
    return {"SKERRY_COLLECTOR_PATH": str(path), "SKERRY_COLLECTOR_SIZE_MIB": str(keep_mib)}


def _get(port: int, path: str) -> bytes:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return bytes(answer.read())
