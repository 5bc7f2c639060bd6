"""How processes that share a file tell each other that there is something to take.

Each process that consumes binds a Unix datagram socket; its path is in the file, beside what
its consumers wait for. It is also the sign that the process is alive: the kernel refuses what is
sent to the socket of one that is gone, however it went.
"""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

_LONGEST_PATH = 100  # bytes; Linux has room for 107 in an address, macOS for 103
_LEAST_QUEUE = 10  # datagrams that every system keeps; whoever is sent more may miss some


class Socket:
    """Where this process is told. Not blocking.

    Attributes:
        path: its address; empty where there can be none, and everybody has to look by himself.
    """

    def __init__(self, folder: Path) -> None:
        self._own_folder = ""
        self.path = ""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self.path = self._place(folder)
            self._socket.bind(self.path)
        except OSError:
            self.path = ""

    def _place(self, folder: Path) -> str:
        name = os.urandom(8).hex()
        path = str(folder.absolute() / name)
        if len(os.fsencode(path)) <= _LONGEST_PATH:
            folder.mkdir(mode=0o700, exist_ok=True)
            _sweep(folder)
            return path
        self._own_folder = tempfile.mkdtemp(prefix="skerry-")
        return os.path.join(self._own_folder, "bus")

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> set[int] | None:
        """The consumers that are to look; None: all of them, since some may not be named."""
        found: list[bytes] = []
        with suppress(OSError):
            while True:
                found.append(self._socket.recv(64))
        if len(found) >= _LEAST_QUEUE:
            return None
        return {int(name) for name in found if name.isdigit()}

    def close(self) -> None:
        self._socket.close()
        if self.path:
            discard(self.path)

    def abandon(self) -> None:
        """In a forked child: it is the parent's, who must be the only one to hold it."""
        self._socket.close()


class Sender:
    """Tells others."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, path: str, consumer: int) -> bool:
        """False: whoever was there is gone. One who has not read yet needs no more."""
        try:
            self._socket.sendto(b"%d" % consumer, path)
        except ConnectionRefusedError:
            return False
        except OSError:
            pass
        return True

    def close(self) -> None:
        self._socket.close()


def gone(path: str) -> bool:
    """Whether the process that bound this socket has ended, for certain."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            pass
    return False


def discard(path: str) -> None:
    """Remove a socket from the file system, and the folder that was only its own."""
    with suppress(OSError):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
            parent = os.path.dirname(path)
            if os.path.basename(parent).startswith("skerry-"):
                os.rmdir(parent)


def _sweep(folder: Path) -> None:
    """Remove what processes left that nobody knew of."""
    with suppress(OSError):
        for entry in list(os.scandir(folder))[:1000]:
            if gone(entry.path):
                discard(entry.path)
