"""What it takes to run somebody else's server as if it were part of the fleet.

A database has a binary that is not always on ``PATH``, a folder, a port that should be the same
tomorrow, a password that must be, and now and then a predecessor that was killed and left its
lock, or that was not killed and still holds the folder. This module knows these four; what is
particular to one server is in its own module.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path
from typing import Any

from skerry.core.errors import Error

_LINGER = 1.0
"""Seconds that the port of a process that was killed may stay taken: the kernel is not done."""


class BackingError(Error):
    """A backing cannot be started; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a server is started; whoever keeps processes does it.

    Attributes:
        argv: what to execute; drops privileges by itself where the server asks for that.
        cwd: where.
        env: added to the environment.
        stop: the signal that ends it in order.
        grace: seconds that takes at most; SIGKILL to its process group is right afterwards.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stop: signal.Signals = signal.SIGTERM
    grace: float = 10.0


class Home:
    """The folder of one backing, and what must be the same at its next start.

    Args:
        folder: made when it is missing, readable for its owner alone.
        name: the backing's, for messages.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self._file = folder / "backing.json"

    def port(self, purpose: str, pinned: int | None = None) -> int:
        """The port for one purpose: the pinned one, else the one of last time."""
        return pinned or int(self.keep(f"{purpose}_port", free_port))

    def settle_port(self, purpose: str, pinned: int | None = None) -> int:
        """As ``port``, after the predecessor has gone: another one if somebody took it. Blocks.

        Raises:
            BackingError: the pinned one is taken.
        """
        port = self.port(purpose, pinned)
        deadline = time.monotonic() + _LINGER
        while not port_is_free(port) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not port_is_free(port):
            if pinned:
                raise BackingError(f"{self.name}: port {port} is in use by another process")
            self._write({**self._read(), f"{purpose}_port": free_port()})
        return self.port(purpose, pinned)

    def secret(self) -> str:
        """A password, made once; letters and digits, so that no URL or shell minds it."""
        return str(self.keep("password", lambda: secrets.token_hex(16)))

    def keep(self, key: str, make: Callable[[], Any]) -> Any:
        """The value kept under ``key``; made and written when there is none."""
        kept = self._read()
        if key not in kept:
            kept[key] = make()
            self._write(kept)
        return kept[key]

    def make(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._file.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def _write(self, kept: Mapping[str, Any]) -> None:
        self.make()
        fresh = self._file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(kept, file)
        fresh.replace(self._file)  # whoever is killed here leaves the old file or the new one


def find_binaries(*names: str, places: tuple[str, ...] = ()) -> Iterator[Path]:
    """Where a server's binary is: on ``PATH`` first, then in ``places``, newest version first.

    Args:
        names: what it may be called.
        places: folders, as glob patterns, that packages put it in without telling ``PATH``.
    """
    folders = [place for pattern in places for place in glob(pattern)]
    for path in (None, *sorted(folders, key=_version, reverse=True)):
        for name in names:
            found = shutil.which(name, path=path)
            if found:
                yield Path(found)


def _version(path: str) -> list[int]:
    """The numbers in a path, so that version 15 comes after version 9."""
    digits = "".join(letter if letter.isdigit() else " " for letter in path)
    return [int(number) for number in digits.split()]


def missing(name: str, server: str, debian: str, homebrew: str) -> BackingError:
    """The error for a server that is not installed."""
    return BackingError(
        f"{name}: {server} is not installed. Install it (Debian, Ubuntu: "
        f"`apt-get install {debian}`; macOS: `brew install {homebrew}`), or give the address of "
        f"a running one: url under [backings.{name}] in fleet.toml"
    )


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections of the past that linger are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def end_leftover(pid_file: Path, mark: str, stop: signal.Signals, grace: float) -> None:
    """End the server of an earlier run that still holds the folder. Blocks.

    Args:
        pid_file: where it wrote its process id, on the first line.
        mark: text that its command line has and no other's: ids are used again, and whoever
            has this one now is left in peace.
        grace: seconds before it is killed.
    """
    pid = _pid_in(pid_file)
    for number in (stop, signal.SIGKILL):
        deadline = time.monotonic() + grace
        if mark in command_line(pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return
        while mark in command_line(pid) and time.monotonic() < deadline:
            time.sleep(0.05)


def id_is_a_strangers(pid_file: Path, mark: str) -> bool:
    """Whether the id in ``pid_file`` belongs to some other program by now."""
    return bool(said := command_line(_pid_in(pid_file))) and mark not in said


def _pid_in(file: Path) -> int:
    try:
        return int(file.read_text().split(maxsplit=1)[0])
    except (OSError, ValueError, IndexError):
        return 0


def command_line(pid: int) -> str:
    """A process's command line; empty when there is no such process, or only its remains."""
    if pid <= 0:
        return ""
    if os.path.isdir("/proc/self"):
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("latin-1")
        except OSError:
            return ""
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


async def exchange(port: int, message: bytes, size: int) -> bytes:
    """Send ``message`` to a local server and read ``size`` bytes; fewer when it hangs up."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return b""
    try:
        writer.write(message)
        async with asyncio.timeout(2):
            return await reader.readexactly(size)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return b""
    finally:
        writer.close()
