"""``python -m bench steady [--minutes 10] [--rate 5000] [--keep 256]``: the collector's memory.

Spans come at a steady rate, more of them than it keeps, so that it also has to let old ones go;
now and then somebody searches. In the end its memory must not have grown, nor anything have been
refused; pages of the store's file that lie in memory are the system's, and not counted. It measures
no speed, so it may run beside other work.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.request import urlopen

from . import machine
from .observe import APP, environment

_EVERY = 5.0  # seconds between two looks
_WARM_UP = 0.3  # of the time: caches fill, and the store reaches its limit
FLAT = 2.0
"""MiB that it may grow in a minute: caches of names, which have an end, fill for longer."""


def main(words: Sequence[str]) -> int:
    options = _options(words)
    folder = Path(tempfile.mkdtemp(prefix="steady-", dir=machine.WORK))
    core, load_core = machine.cores()
    settings = environment(folder / "spans.db", keep_mib=options.keep)
    try:
        with machine.serving(APP, "skerry", core=core, env=settings) as port:
            server = machine.descendants(os.getpid())[1:]
            load = subprocess.Popen(
                [
                    *(sys.executable, "-m", "bench.observe_load", str(port), "4"),
                    *(str(60 * options.minutes), "0", str(options.rate)),
                ],
                stdout=subprocess.PIPE,
                text=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {load_core}),
            )
            memory = _watch(load, server, port)
            assert load.stdout is not None
            sent = json.loads(load.stdout.read())
            status = _get(port, "/api/skerry/store")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _report(sent, status, memory)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench steady", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=5000.0, help="spans a second (5000)")
    parser.add_argument("--keep", type=int, default=256, help="MiB of spans that are kept (256)")
    return parser.parse_args(words)


def _watch(load: subprocess.Popen[str], server: list[int], port: int) -> list[tuple[float, float]]:
    """Minutes since the start and MiB, until the load has ended."""
    began, found = time.monotonic(), []
    while load.poll() is None:
        time.sleep(_EVERY)
        minutes, mib = (time.monotonic() - began) / 60, machine.pss_mib(server, "Pss_Anon")
        found.append((minutes, mib))
        _get(port, "/api/v2/traces?serviceName=service3&annotationQuery=error")
        kept = _get(port, "/api/skerry/store")["spans"]
        print(f"{minutes:5.1f} min  {mib:6.1f} MiB  {kept:>10,} spans", file=sys.stderr, flush=True)
    return found


def _report(
    sent: dict[str, float], status: dict[str, int], memory: list[tuple[float, float]]
) -> int:
    settled = [one for one in memory if one[0] >= _WARM_UP * memory[-1][0]]
    slope = statistics.linear_regression(*zip(*settled, strict=True)).slope
    most = max(mib for _, mib in memory)
    print(f"{sent['spans']:,.0f} spans in {sent['seconds']:.0f} s, {sent['refused']:.2%} refused")
    print(f"kept {status['spans']:,}, let go {status['expired']:,}, lost {status['dropped']:,}")
    print(f"memory: {most:.0f} MiB at most, {slope:+.2f} MiB a minute after the warm-up")
    good = slope <= FLAT and not sent["refused"] and not status["dropped"]
    print("flat" if good else "NOT AS IT SHOULD BE")
    return 0 if good else 1


def _get(port: int, path: str) -> dict[str, int]:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        found: dict[str, int] = json.load(answer)
    return found
