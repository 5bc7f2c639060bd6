from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skerry.fleet.client import Control
from skerry.fleet.control import bind_control
from skerry.fleet.reaping import RUN
from skerry.fleet.state import AlreadyRunning, Lock, State, holder, read_json, write_json


def test_the_lock_is_held_once_and_names_its_holder(tmp_path: Path) -> None:
    state = State(tmp_path / ".skerry")
    assert holder(state) == 0
    with Lock(state) as lock:
        assert holder(state) == os.getpid()
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}") as error, Lock(state):
            pass
        assert error.value.pid == os.getpid()
        assert lock.run
    assert holder(state) == 0
    with Lock(state) as again:
        assert again.run != lock.run


def test_a_lock_dies_with_its_holder_and_the_next_sweeps_what_it_left(tmp_path: Path) -> None:
    code = f"""
import os, subprocess, sys
from pathlib import Path
from skerry.fleet.state import Lock, State
with Lock(State(Path({str(tmp_path)!r}))) as lock:
    left = subprocess.Popen(["sleep", "1000"], stdout=-3, stderr=-3,
                            env={{"{RUN}": lock.run}}, start_new_session=True)
    print(left.pid, flush=True)
    os._exit(9)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    left = int(said.stdout)
    assert Path(f"/proc/{left}/cmdline").read_bytes() or sys.platform != "linux"
    with Lock(State(tmp_path)):
        if sys.platform == "linux":
            deadline = time.monotonic() + 10
            while _alive(left):
                assert time.monotonic() < deadline
                time.sleep(0.001)


def test_a_copy_of_a_folder_leaves_the_fleet_alone_that_runs_there(tmp_path: Path) -> None:
    first = State(tmp_path / "first")
    with Lock(first) as lock:
        other = subprocess.Popen(["sleep", "1000"], env={RUN: lock.run})
        shutil.copytree(first.folder, tmp_path / "copy")
        with Lock(State(tmp_path / "copy")):
            assert other.poll() is None
    other.kill()
    other.wait()


def _alive(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def test_the_control_socket_is_its_owners_alone(tmp_path: Path) -> None:
    state = State(tmp_path)
    path = state.clear_control()
    with bind_control(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert Control(tmp_path.parent).socket == tmp_path.parent / ".skerry" / "control.sock"
    assert state.clear_control() == path  # what a killed one left is in nobody's way
    assert not path.exists()


def test_a_folder_that_is_too_deep_for_a_socket_gets_a_shorter_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    root = tmp_path / ("d" * 60) / ("e" * 60)
    folder = root / ".skerry"
    folder.mkdir(parents=True)
    state = State(folder)
    path = state.clear_control()
    assert path.is_relative_to(runtime)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with bind_control(path):
        assert Control(root).socket == path
    assert State(folder).control == path


def test_json_is_replaced_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    assert read_json(file) == {}
    write_json(file, {"a": 1})
    assert read_json(file) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
