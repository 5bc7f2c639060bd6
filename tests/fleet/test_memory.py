"""What is said of a process's memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skerry.fleet.memory import memory

linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")


@linux
def test_a_process_takes_some() -> None:
    found = memory(os.getpid())
    assert found is not None and 1 < found < 10_000


@linux
def test_what_is_shared_is_counted_once() -> None:
    script = (
        "import os, sys\n"
        "data = bytearray(os.urandom(1 << 20)) * 64\n"
        "children = [os.fork() for _ in range(1)]\n"
        "if children[0] == 0:\n"
        "    sys.stdin.read()\n"
        "    os._exit(0)\n"
        "print(os.getpid(), children[0], flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        parts = [memory(int(pid)) for pid in process.stdout.readline().split()]
        process.communicate()
    assert all(part is not None and 32 < part < 64 for part in parts), parts


def test_there_is_none_of_what_is_gone() -> None:
    assert memory(None) is None
    assert memory(2**22 + 1) is None
