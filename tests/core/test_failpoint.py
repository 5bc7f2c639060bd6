from __future__ import annotations

import ast
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import skerry
from skerry.core import failpoint
from skerry.core.errors import ConfigError
from skerry.core.failpoint import POINTS, Failpoint, arm, arm_from, hit

SOURCE = Path(skerry.__file__).parent
CHILD = """
import os, sys
from skerry.core.failpoint import arm_from, hit
arm_from(os.environ)
for _ in range(4):
    hit("relay.after_claim")
    print("passed", flush=True)
"""


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    arm("")


def child(points: str, once: Path | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, failpoint.VARIABLE: points}
    if once is not None:
        environment[failpoint.ONCE] = str(once)
    return subprocess.Popen(
        [sys.executable, "-c", CHILD], env=environment, stdout=subprocess.PIPE, text=True
    )


def test_every_point_is_hit_somewhere_and_every_hit_is_a_point() -> None:
    hits = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if name == "hit" and path.name != "failpoint.py":
                    (point,) = node.args
                    assert isinstance(point, ast.Constant), f"{path}:{node.lineno}"
                    hits.add(point.value)
    assert hits == set(POINTS)


def test_nothing_happens_where_nothing_is_said() -> None:
    arm_from({})
    hit("relay.after_claim")


def test_a_process_is_killed_at_a_point_for_the_time_that_was_said() -> None:
    killed = child("relay.after_claim=kill@3")
    said, _ = killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert said == "passed\n" * 2


def test_once_is_once_for_all_processes_and_leaves_a_mark(tmp_path: Path) -> None:
    for expected in (-signal.SIGKILL, 0):
        process = child("relay.after_claim=kill", tmp_path)
        process.communicate(timeout=60)
        assert process.returncode == expected
    assert (tmp_path / "relay.after_claim").read_text().split()[1] == "kill"


def test_a_pause_stops_the_whole_process() -> None:
    began = time.monotonic()
    process = child("relay.after_claim=pause:0.4@1")
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert time.monotonic() - began >= 0.4


def test_it_can_fail() -> None:
    arm("relay.after_claim=raise@2")
    hit("relay.after_claim")
    hit("relay.after_mark")
    with pytest.raises(Failpoint, match=r"relay\.after_claim"):
        hit("relay.after_claim")
    hit("relay.after_claim")


def test_it_asks_and_waits_for_an_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "asked"))
        listening.listen()
        arm(f"relay.after_claim=ask:{tmp_path / 'asked'}")
        thread = threading.Thread(target=hit, args=("relay.after_claim",))
        thread.start()
        asking, _ = listening.accept()
        with asking:
            assert asking.recv(100) == f"relay.after_claim {os.getpid()}\n".encode()
            assert thread.is_alive()
            asking.sendall(b"\n")
            thread.join(60)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("relay.after_clam=kill", "no failpoint 'relay.after_clam'. Did you mean 'relay.after_cl"),
        ("relay.after_claim", "'relay.after_claim' cannot be read"),
        ("relay.after_claim=explode", "nothing is called 'explode'"),
        ("relay.after_claim=pause", "pause does not take None"),
        ("relay.after_claim=pause:long", "pause does not take 'long'"),
        ("relay.after_claim=kill:9", "kill does not take '9'"),
        ("relay.after_claim=ask", "ask does not take None"),
    ],
)
def test_what_cannot_be_done_is_an_error_at_start(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        arm_from({failpoint.VARIABLE: text})
    assert said in str(error.value)
