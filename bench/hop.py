"""One hop: an app that asks another for its answer, both in processes on one core.

Over it: the load from another core. Each contestant serves both ends in its own way.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from . import machine
from .rows import Report
from .serve import measure

CONTESTANTS = {
    "hand": ("bench.servers.raw", "uvicorn"),
    "skerry": ("bench.servers.ours", "skerry"),
    "fastapi_stack": ("bench.servers.fastapi_stack", "uvicorn"),
    "litestar_aiohttp": ("bench.servers.litestar_aiohttp", "uvicorn"),
}


def run(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    server_core, load_core = machine.cores()
    samples: dict[str, list[float]] = {}
    with ExitStack() as stack:
        ports: dict[str, int] = {}
        for name, (module, server) in CONTESTANTS.items():
            try:
                back = stack.enter_context(
                    machine.serving(f"{module}:app", server, core=server_core)
                )
                env = {
                    "BACK_URL": f"http://127.0.0.1:{back}",
                    "SKERRY_APP_QUOTES": f"http://127.0.0.1:{back}",
                }
                ports[name] = stack.enter_context(
                    machine.serving(f"{module}:front", server, core=server_core, env=env)
                )
            except RuntimeError as error:
                report.leave_out(name, error)
        together = {"TOGETHER": "1"}
        ports["loopback"] = stack.enter_context(
            machine.serving("bench.servers.ours:front", "skerry", core=server_core, env=together)
        )
        measure(ports, "/front", samples, rounds, seconds, load_core, say)
    for name, figures in samples.items():
        report.add(f"hop.{name}_per_s", figures, "requests/s")
    ours = samples["skerry"]
    for row, peer, budget in (
        ("hop.vs_hand", "hand", ">= 0.65"),
        ("hop.vs_fastapi_stack", "fastapi_stack", ">= 25"),
        ("hop.vs_litestar_aiohttp", "litestar_aiohttp", ""),
    ):
        if peer in samples:
            report.ratio(row, ours, samples[peer], budget)
    report.ratio("hop.loopback_vs_http", samples["loopback"], ours)
