"""Serving one typed JSON POST: Skerry with everything on, beside raw ASGI and FastAPI."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from . import load, machine
from .rows import Report

CONTESTANTS = {
    "raw": ("bench.servers.raw:app", "skerry"),
    "skerry": ("bench.servers.ours:app", "skerry"),
    "uvicorn_raw": ("bench.servers.raw:app", "uvicorn"),
    "uvicorn_skerry": ("bench.servers.ours:app", "uvicorn"),
    "fastapi": ("bench.servers.fastapi_bare:app", "uvicorn"),
    "litestar": ("bench.servers.litestar_aiohttp:app", "uvicorn"),
}
"""What is served by what: each framework as its docs advise, and ours and raw ASGI by both
servers, so that no ratio depends on which server was held against which."""


def run(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    server_core, load_core = machine.cores()
    samples: dict[str, list[float]] = {}
    with ExitStack() as stack:
        ports: dict[str, int] = {}
        for name, (target, server) in CONTESTANTS.items():
            try:
                ports[name] = stack.enter_context(machine.serving(target, server, core=server_core))
            except RuntimeError as error:
                report.leave_out(name, error)
        measure(ports, "/quotes", samples, rounds, seconds, load_core, say)
    for name, figures in samples.items():
        report.add(f"serve.{name}_per_s", figures, "requests/s")
    ours = samples["skerry"]
    report.ratio("serve.vs_raw", ours, samples["raw"], ">= 0.75")
    report.ratio("serve.vs_uvicorn_raw", ours, samples["uvicorn_raw"])
    report.ratio("serve.uvicorn_vs_raw", samples["uvicorn_skerry"], samples["uvicorn_raw"])
    for name, budget in (("fastapi", ">= 3.5"), ("litestar", "")):
        if name in samples:
            report.ratio(f"serve.vs_{name}", ours, samples[name], budget)


def measure(
    ports: dict[str, int],
    path: str,
    samples: dict[str, list[float]],
    rounds: int,
    seconds: float,
    core: int,
    say: Callable[[str], None],
) -> None:
    """Load every server in turn, round after round; the first round warms up and is dropped."""
    for number in range(rounds + 1):
        for name, port in ports.items():
            figure = load.requests_per_second(port, path, core=core, seconds=seconds)
            say(f"round {number}/{rounds}  {name:16} {figure:>10,.0f} requests/s")
            if number:
                samples.setdefault(name, []).append(figure)
