"""The machine, its cores, and the processes that a bench starts on them."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".bench"


def cores() -> tuple[int, int]:
    """One core for the server and one for the load; the same where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def describe() -> str:
    """The machine in one line, without its name."""
    model = "unknown processor"
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    kernel = platform.release().split("-")[0]
    packages = []
    for name in ("uvicorn", "httptools", "uvloop", "msgspec", "pyreqwest"):
        with contextlib.suppress(PackageNotFoundError):
            packages.append(f"{name} {version(name)}")
    return (
        f"{len(os.sched_getaffinity(0))} cores of {model}, Linux {kernel}, "
        f"CPython {platform.python_version()}, {', '.join(packages)}"
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spawn(
    command: Sequence[str], *, core: int | None = None, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own, pinned to ``core``."""
    log = (WORK / "servers.log").open("ab")
    return subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes], seconds: float = 20.0) -> None:
    """Wait until something listens on ``port``.

    Raises:
        RuntimeError: the process ended first, or time ran out.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended; see .bench/servers.log")
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} did not listen within {seconds:g} s")


@contextlib.contextmanager
def serving(
    target: str, server: str, *, core: int, env: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Serve ``module:app`` in one process. Yields the port.

    Args:
        server: ``skerry`` for ``skerry run``; ``uvicorn`` the way its own docs, and those of
            the frameworks on it, advise for speed: uvloop, httptools, no access log.
    """
    port = free_port()
    commands = {
        "skerry": [*("-m", "skerry.cli.main", "run", target, "--port", str(port))],
        "uvicorn": [
            *("-m", "uvicorn", target, "--port", str(port), "--loop", "uvloop"),
            *("--http", "httptools", "--no-access-log", "--log-level", "warning"),
            *("--backlog", "2048", "--lifespan", "on" if "raw" not in target else "off"),
        ],
    }
    process = spawn([sys.executable, *commands[server]], core=core, env=env)
    try:
        wait_for(port, process)
        yield port
    finally:
        stop(process)


def pss_mib(pids: Sequence[int], field: str = "Pss") -> float:
    """Proportional set size of some processes, in MiB: shared pages are shared out.

    Args:
        field: ``Pss_Anon`` leaves out pages of files, which the system takes back when it likes.
    """
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(f"{field}:"):
                    total += int(line.split()[1])
    return total / 1024


def descendants(pid: int) -> list[int]:
    """``pid`` and every process below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found.extend(children.get(parent, []))
    return found
