"""The folder ``.skerry`` beside ``fleet.toml``: what a running fleet keeps, and who may write it.

One supervisor per fleet, by a lock that the kernel gives back however its holder dies. What
was written by one that was killed is either replaced (the socket) or of use to the next (the
ports, the token of the run to sweep).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from skerry.core.errors import ConfigError

from .reaping import RUN, sweep

_LONGEST_SOCKET_PATH = 100  # bytes; the kernels take 108 and 104, with the final zero


class AlreadyRunning(ConfigError):
    """Another supervisor has this fleet.

    Attributes:
        pid: its process; 0 if it has not said yet.
    """

    def __init__(self, root: Path, pid: int) -> None:
        self.pid = pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"the fleet in {root} is running already ({who}); skerry down ends it")


class State:
    """Paths of a fleet's state folder.

    Args:
        folder: ``.skerry``; made when something is written to it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"

    def prepare(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")

    @property
    def control(self) -> Path:
        """The control API's socket: here, or where a path short enough for one leads."""
        socket = self.folder / "control.sock"
        if len(os.fsencode(socket)) <= _LONGEST_SOCKET_PATH:
            return socket
        name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        return Path(base) / f"skerry-{os.getuid()}-{name}" / "control.sock"

    def clear_control(self) -> Path:
        """A path at which the socket can be bound; the pointer to it is written if needed."""
        path = self.control
        pointer = self.folder / "control.path"
        if path.parent != self.folder:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            if path.parent.stat().st_uid != os.getuid():
                raise ConfigError(f"{path.parent} belongs to somebody else")
            pointer.write_text(str(path))
        else:
            pointer.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        return path

    def read_ports(self) -> dict[str, int]:
        ports = read_json(self.folder / "ports.json")
        return {
            name: port for name, port in ports.items() if isinstance(port, int) and 0 < port < 65536
        }

    def write_ports(self, ports: dict[str, int]) -> None:
        write_json(self.folder / "ports.json", dict(sorted(ports.items())))


class Lock:
    """The right to run this fleet, for the length of a ``with`` block.

    Attributes:
        run: a random token that marks every process of this run.

    Raises:
        AlreadyRunning: on entry, when another process has it.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._fd = -1
        self.run = ""

    def __enter__(self) -> Lock:
        self._state.prepare()
        path = self._state.folder / "lock"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # not inherited by children
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise AlreadyRunning(self._state.folder.parent, holder(self._state)) from None
        os.ftruncate(self._fd, 0)
        os.write(self._fd, f"{os.getpid()}\n".encode())
        self._sweep_last_run()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.ftruncate(self._fd, 0)
        os.close(self._fd)

    def _sweep_last_run(self) -> None:
        """Whatever the last supervisor left, if it was killed, still holds ports and files.

        Not where that was in another folder: this one is a copy of it, and it may be running.
        """
        file, folder = self._state.folder / "run.json", str(self._state.folder.resolve())
        last = read_json(file)
        if isinstance(last.get("run"), str) and last["run"] and last.get("folder") == folder:
            sweep({RUN: last["run"]})
        self.run = secrets.token_hex(16)
        write_json(file, {"run": self.run, "pid": os.getpid(), "folder": folder})


def holder(state: State) -> int:
    """The process id of the running supervisor; 0 when there is none, or it has not said."""
    try:
        with open(state.folder / "lock", "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read().strip() or 0)
    except (OSError, ValueError):
        pass
    return 0


def lasting_holder(state: State, patience: float = 0.5) -> int:
    """``holder``, of whom a supervisor that was just killed is none.

    The kernel lets go of its lock only when it has taken the process apart, which on a busy
    machine is a while after the kill.
    """
    until = time.monotonic() + patience
    while (pid := holder(state)) and time.monotonic() < until:
        time.sleep(0.02)
    return pid


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty if it is missing or was cut short by a crash."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a file as a whole: whoever reads it sees the old or the new."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(value, indent=1) + "\n")
    draft.replace(path)
