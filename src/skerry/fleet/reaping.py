"""How nothing outlives the fleet, whoever is killed and however.

Three nets, each under the one before:

1. A child asks the kernel to kill it when its parent dies (``die_with_parent``; Linux).
2. Whoever sees a channel close kills the process groups it started (``kill_group``).
3. Every process of one run carries a random token in its environment, also those that left
   their group and their session; ``sweep`` finds them by it. The next start sweeps the run
   before, so even a machine-wide massacre in an unlucky order leaves nothing that holds a port.

macOS has neither ``prctl`` nor ``/proc``: there the second net is the last.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping

RUN = "SKERRY_RUN"
"""Environment variable that holds the token of the run; nobody but ``sweep`` reads it."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """Be killed when ``parent`` dies, which must be the caller's parent.

    It may have died before the kernel was asked, and then nobody would tell: so look after.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent dies, instead of process 1."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def set_name(name: str) -> None:
    """What ``ps`` and ``top`` call this process; the kernel keeps 15 bytes."""
    if _libc is not None:
        _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def kill_group(leader: int, number: int = signal.SIGKILL) -> None:
    """Signal a process group; one that has gone is as good."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        pass  # macOS says EPERM for a group that has only zombies left


def sweep(marks: Mapping[str, str], patience: float = 2.0) -> set[int]:
    """Kill every process, except this one, whose environment has all of ``marks``.

    The environment is the one a process was executed with; children that were forked only show
    that of their fork server, which has the run's token too. Looks again until there is none
    left, since a process that is being killed can have forked a moment before.

    Args:
        patience: seconds after which those that the kernel does not let go of are left.

    Returns:
        The ids of those that were killed; always empty where there is no ``/proc``.
    """
    killed: set[int] = set()
    deadline = time.monotonic() + patience
    while (found := set(marked(marks))) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        time.sleep(0.001)
    return killed


def marked(marks: Mapping[str, str]) -> Iterator[int]:
    """Ids of the processes that ``sweep`` would kill."""
    wanted = [f"{name}={value}".encode() for name, value in marks.items()]
    if not os.path.isdir("/proc/self"):
        return
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry.name}/environ", "rb") as file:
                environment = file.read().split(b"\0")
        except OSError:
            continue  # gone, or somebody else's
        if all(mark in environment for mark in wanted):
            yield int(entry.name)
