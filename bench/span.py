"""What a span costs: recorded by us and by OpenTelemetry's SDK, and in an app that serves.

A span of ours is what a filter does for one: begun below another, current meanwhile, ended, in the
buffer. The SDK does the same through its own API, with the processor that its docs advise for
production, and an exporter that throws all away, so that recording alone is compared. Each is
timed in a process of its own: what has been imported makes a difference, for where OpenTelemetry's
API is in use our spans are current in its context too.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from . import machine
from .rows import Report
from .serve import measure

_LOOPS = ("ours", "ours_beside_api", "sdk")


def run(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    figures: dict[str, list[float]] = {}
    for number in range(rounds):
        for name in _LOOPS:
            try:
                figures.setdefault(name, []).append(_timed(name))
            except RuntimeError as error:
                report.leave_out(f"span, {name}", error)
        told = "  ".join(f"{name} {found[-1]:.2f} µs" for name, found in figures.items() if found)
        say(f"round {number + 1}/{rounds}  {told}")
    report.add("span.us", figures["ours"], "µs", "<= 2.5")
    for name, row in (("ours_beside_api", "span.beside_api_us"), ("sdk", "span.otel_us")):
        if figures.get(name):
            report.add(row, figures[name], "µs")
    if figures.get("sdk"):
        report.ratio("span.vs_otel", figures["sdk"], figures["ours"], ">= 6")
    _serving(report, rounds, seconds, say)


def _timed(loop: str) -> float:
    """Microseconds of processor for one span."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.span_loops", loop],
        cwd=machine.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return float(done.stdout)


def _serving(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    """The same app with its spans sent to a collector, and without."""
    server_core, load_core = machine.cores()
    path = machine.WORK / "span-collector"
    settings = {"SKERRY_COLLECTOR_PATH": str(path / "spans.db"), "OTEL_SDK_DISABLED": "true"}
    path.mkdir(exist_ok=True)
    samples: dict[str, list[float]] = {}
    with machine.serving(
        "skerry.collector.app:app", "skerry", core=load_core, env=settings
    ) as collector:
        sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector}"}
        target = "bench.servers.ours:app"
        with (
            machine.serving(target, "skerry", core=server_core, env=sent) as on,
            machine.serving(target, "skerry", core=server_core) as off,
        ):
            ports = {"on": on, "off": off}
            measure(ports, "/quotes", samples, rounds, seconds, load_core, say)
    report.ratio("observe.serve_on_vs_off", samples["on"], samples["off"], ">= 0.83")
