"""Whole fleets as processes of their own: detached, killed, started again."""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skerry.core.errors import ConfigError
from skerry.fleet.client import Control, ControlError, NotRunning
from skerry.fleet.launcher import CAN_FORK
from skerry.fleet.state import AlreadyRunning, State, holder
from skerry.fleet.up import down, up

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="looks for processes in /proc: Linux only")

# A command whose children leave its process group, its session, and their parent.
DAEMONS = (
    "sleep 1001 & setsid sleep 1002 & (setsid sleep 1003 &) ; exec python3 -m http.server $PORT"
)


def until(true: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)
    return value


@pytest.fixture
def fleet(tree: Any) -> Iterator[Any]:
    tree.add("one", "instances = 2")
    tree.add("cmd", f'command = """{DAEMONS}"""', "")
    tree.write("cmd/index.html", "")
    yield tree
    with contextlib.suppress(Exception):
        down(tree.root)


def detached(tree: Any, *only: str, status: int = 0) -> tuple[dict[str, Any], str]:
    """Start it; what it looks like then, and what was said meanwhile."""
    output = io.StringIO()
    assert up(tree.root, only=only, detach=True, output=output) == status, output.getvalue()
    return Control(tree.root).status(), output.getvalue()


def listening(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_detached_up_and_down(fleet: Any) -> None:
    status, said = detached(fleet)
    assert {row["id"]: row["state"] for row in status["instances"]} == {
        "one-1": "ready",
        "one-2": "ready",
        "cmd-1": "ready",
    }
    assert "cmd-1  ready" in said
    assert status["front"] in said
    assert holder(State(fleet.root / ".skerry")) == status["pid"]
    with pytest.raises(AlreadyRunning, match=f"process {status['pid']}"):
        up(fleet.root, output=io.StringIO())
    with pytest.raises(Exception, match=f"process {status['pid']}"):
        up(fleet.root, detach=True, output=io.StringIO())
    assert len(fleet.left_over()) >= 8
    assert down(fleet.root)
    assert fleet.left_over() == set()
    assert not any(listening(row["url"]) for row in status["instances"])
    assert not down(fleet.root)


@pytest.mark.parametrize("victims", ["supervisor", "nursery", "both", "all but the nursery"])
def test_kill_9_leaves_nothing_and_the_next_up_works(fleet: Any, victims: str) -> None:
    status, _ = detached(fleet)
    processes = fleet.left_over()
    nursery = next(p for p in processes if parent(p) == status["pid"])
    instances = [row["pid"] for row in status["instances"]]
    kill = {
        "supervisor": [status["pid"]],
        "nursery": [nursery],
        "both": [nursery, status["pid"]],
        "all but the nursery": [*instances, status["pid"]],
    }[victims]
    for pid in kill:
        os.kill(pid, signal.SIGKILL)
    if victims == "nursery":  # the supervisor is there, and starts everything again
        until(lambda: processes.isdisjoint(fleet.left_over()))
        until(lambda: all_ready(Control(fleet.root)))
        down(fleet.root)
        return
    if victims == "both":  # nobody was there to end what had left its parents
        until(lambda: commands(fleet.left_over()) <= {"sleep"})
    else:
        until(lambda: fleet.left_over() == set())
        assert not any(listening(row["url"]) for row in status["instances"])
    again, _ = detached(fleet)
    assert processes.isdisjoint(fleet.left_over())
    assert [row["url"] for row in again["instances"]] == [row["url"] for row in status["instances"]]
    assert not any(alive(pid) for pid in processes)


def test_chaos(fleet: Any) -> None:
    """Instances and nurseries killed at any moment: the fleet comes back, every time."""
    status, _ = detached(fleet)
    control, choice = Control(fleet.root), random.Random(7)
    for _ in range(8):
        found = sorted(fleet.left_over())
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(choice.choice(found), signal.SIGKILL)
        time.sleep(choice.uniform(0.0, 0.1))
    rows = until(lambda: all_ready(control))
    assert {row["url"] for row in rows} == {row["url"] for row in status["instances"]}
    assert all(listening(row["url"]) for row in rows)
    os.kill(status["pid"], signal.SIGKILL)
    until(lambda: fleet.left_over() == set())


def all_ready(control: Control) -> Any:
    rows = control.status()["instances"]
    return rows if {row["state"] for row in rows} == {"ready"} else None


def test_a_supervisor_that_is_killed_while_it_starts_leaves_nothing(fleet: Any) -> None:
    for pause in (0.0, 0.1, 0.3):
        command = [sys.executable, "-m", "skerry.fleet.up", str(fleet.root / "fleet.toml")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as one:
            until(lambda: holder(State(fleet.root / ".skerry")) == one.pid)
            time.sleep(pause)
            one.kill()
        until(lambda: fleet.left_over() == set())
    status, _ = detached(fleet)
    assert status["settled"]


def test_sigterm_ends_it_in_order(fleet: Any) -> None:
    status, _ = detached(fleet)
    os.kill(status["pid"], signal.SIGTERM)
    until(lambda: not holder(State(fleet.root / ".skerry")))
    assert fleet.left_over() == set()
    with pytest.raises(NotRunning):
        Control(fleet.root).status()


def test_what_does_not_start_is_named_and_the_status_says_so(tree: Any) -> None:
    tree.add("good")
    tree.add("bad", source="app = 1 / 0\n")
    try:
        status, said = detached(tree, status=1)
        assert {row["app"]: row["state"] for row in status["instances"]} == {
            "good": "ready",
            "bad": "crashed",
        }
        assert "bad-1 is crashed: could not be loaded" in said
        assert "ZeroDivisionError" in said
    finally:
        down(tree.root)


def test_names_that_do_not_exist(tree: Any) -> None:
    tree.add("good")
    with pytest.raises(ConfigError, match=r"no app named 'goood'.*good"):
        up(tree.root, only=["goood"], output=io.StringIO())


def test_the_client(fleet: Any) -> None:
    detached(fleet)
    control = Control(fleet.root)
    assert control.address("one").startswith("http://127.0.0.1:")
    before = {row["id"]: row["pid"] for row in control.status()["instances"]}
    assert control.restart("one")["state"] == "ready"
    after = {row["id"]: row["pid"] for row in control.status()["instances"]}
    assert before["one-1"] != after["one-1"]
    assert before["cmd-1"] == after["cmd-1"]
    assert control.scale("one", 1)["instances"] == 1
    with pytest.raises(ControlError, match="0 to 100"):
        control.scale("one", 101)
    with pytest.raises(ControlError, match="no app named 'two'"):
        control.restart("two")
    with pytest.raises(ControlError, match="nothing named 'two'"):
        list(control.logs("two"))
    lines = list(control.logs("fleet"))
    assert any("processes are ready" in line["text"] for line in lines)
    following = control.logs("cmd-1", lines=0, follow=True)
    address = control.address("cmd").removeprefix("http://").split(":")
    stop = time.monotonic() + 10
    with socket.create_connection((address[0], int(address[1]))) as connection:
        connection.sendall(b"GET /told HTTP/1.0\r\n\r\n")
        for line in following:
            if "/told" in line["text"]:
                break
            assert time.monotonic() < stop
    following.close()


def test_a_verb_imports_little() -> None:
    code = (
        "import sys, time; began = time.perf_counter(); import skerry.fleet.client;"
        "took = time.perf_counter() - began;"
        "heavy = {'skerry.core.errors', 'msgspec', 'asyncio', 'http.client', 'uvicorn', 'ssl'};"
        "print(sorted(heavy & set(sys.modules))); print(took)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[0] == "[]"


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def commands(pids: set[int]) -> set[str]:
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            found.add(Path(f"/proc/{pid}/comm").read_text().strip())
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
