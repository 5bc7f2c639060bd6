"""Fifty-eight small apps: how long until all are ready, and how much memory they take.

Beside 58 processes of the same FastAPI app, started as its docs advise: one uvicorn each.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import machine
from .rows import Report

COUNT = 58

APP = '''
from msgspec import Struct
from skerry import App

app = App("{name}")


class Thing(Struct):
    id: int
    name: str


@app.get("/things/{{thing_id}}")
async def get_thing(thing_id: int) -> Thing:
    """One thing."""
    return Thing(thing_id, "{name}")


@app.post("/things", status=201)
async def add_thing(thing: Thing) -> Thing:
    """Another thing."""
    return thing
'''

PEER = """
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Thing(BaseModel):
    id: int
    name: str


@app.get("/things/{thing_id}")
async def get_thing(thing_id: int) -> Thing:
    return Thing(id=thing_id, name="peer")


@app.post("/things", status_code=201)
async def add_thing(thing: Thing) -> Thing:
    return thing


@app.get("/readyz")
async def readyz() -> dict[str, str]:
    return {"status": "ready"}
"""


def run(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    rounds = min(rounds, 3)
    samples: dict[str, list[float]] = {}
    for number in range(rounds):
        for name, once in (("skerry", _ours), ("fastapi", _peers)):
            took, memory = once(machine.WORK / f"fleet-{name}")
            say(f"round {number + 1}/{rounds}  {name:8} {took:6.2f} s {memory:8.0f} MiB")
            samples.setdefault(f"{name}_s", []).append(took)
            samples.setdefault(f"{name}_mib", []).append(memory)
    report.add("fleet.seconds", samples["skerry_s"], "s", "<= 3")
    report.add("fleet.pss_mib", samples["skerry_mib"], "MiB", "<= 900")
    report.add("fleet.fastapi_seconds", samples["fastapi_s"], "s")
    report.add("fleet.fastapi_pss_mib", samples["fastapi_mib"], "MiB")
    report.ratio("fleet.vs_fastapi_seconds", samples["fastapi_s"], samples["skerry_s"], ">= 4")
    report.ratio("fleet.vs_fastapi_pss", samples["skerry_mib"], samples["fastapi_mib"], "<= 0.5")


def _ours(folder: Path) -> tuple[float, float]:
    shutil.rmtree(folder, ignore_errors=True)
    lines = ['[fleet]\nname = "bench"\n']
    for number in range(COUNT):
        name = f"app{number:02}"
        package = folder / name / name
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "app.py").write_text(APP.format(name=name))
        lines.append(f'[apps.{name}]\npath = "{name}"\n')
    (folder / "fleet.toml").write_text("\n".join(lines))
    skerry = str(Path(sys.executable).with_name("skerry"))
    started = time.perf_counter()
    subprocess.run([skerry, "up", "--detach"], cwd=folder, check=True, capture_output=True)
    took = time.perf_counter() - started
    try:
        memory = machine.pss_mib(_processes_of(folder))
    finally:
        subprocess.run([skerry, "down"], cwd=folder, check=True, capture_output=True)
    return took, memory


def _processes_of(folder: Path) -> list[int]:
    """The supervisor of the fleet in ``folder``, and everything below it."""
    supervisors = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _works_in(entry, folder)
    ]
    found: set[int] = set()
    for pid in supervisors:
        found.update(machine.descendants(pid))
    return sorted(found)


def _works_in(entry: Path, folder: Path) -> bool:
    try:
        return Path(os.readlink(entry / "cwd")).is_relative_to(folder)
    except OSError:
        return False


def _peers(folder: Path) -> tuple[float, float]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "peer.py").write_text(PEER)
    ports = [machine.free_port() for _ in range(COUNT)]
    started = time.perf_counter()
    options = ["--app-dir", str(folder), "--no-access-log", "--log-level", "warning"]
    processes = [
        machine.spawn([sys.executable, "-m", "uvicorn", "peer:app", "--port", str(port), *options])
        for port in ports
    ]
    try:
        for port, process in zip(ports, processes, strict=True):
            machine.wait_for(port, process, 120)
            _ready(port)
        took = time.perf_counter() - started
        return took, machine.pss_mib([process.pid for process in processes])
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            machine.stop(process)


def _ready(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/readyz")
    if connection.getresponse().status != 200:
        raise RuntimeError("a peer is not ready")
    connection.close()
