"""Listening sockets, held by the supervisor so that they outlive the processes behind them.

While an instance restarts, connections wait in the socket's backlog instead of being refused.
Ports are remembered, and a port that nobody remembers is derived from the fleet's folder and
the instance's name: the same at the next start, different in the next checkout.
"""

from __future__ import annotations

import errno
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

from skerry.core.errors import ConfigError

from .state import State

BACKLOG = 2048

# Below the range from which Linux (32768 up) and macOS (49152 up) take ports for outgoing
# connections: a remembered port is then not lost to somebody's HTTP client overnight.
_FIRST, _COUNT = 20_000, 12_000
_TRIES = 50


class PortTaken(ConfigError):
    """A pinned port is in use by somebody else."""


class Sockets:
    """Every listening socket of a fleet, by the name of whoever is behind it.

    Args:
        state: where ports are remembered.
        root: the fleet's folder.
    """

    def __init__(self, state: State, root: Path) -> None:
        self._state = state
        self._root = root
        self._ports = state.read_ports()
        self._open: dict[str, socket.socket] = {}
        self._reserved: set[str] = set()

    def hold(self, name: str, port: int | None = None, host: str = "127.0.0.1") -> socket.socket:
        """The listening socket called ``name``; bound at first use.

        Args:
            port: pinned; otherwise the port it had last time, if it is free.

        Raises:
            PortTaken: the pinned port is not free.
        """
        held = self._open.get(name)
        if held is not None:
            if port is None or held.getsockname()[1] == port:
                return held
            self.release(name)
        bound = self._bind(name, port, host)
        bound.listen(BACKLOG)
        self._open[name] = bound
        self._remember(name, bound)
        return bound

    def reserve(self, name: str, port: int | None = None) -> int:
        """A free port for a process that is about to start and binds it by itself.

        It may be lost to somebody quicker until then; the process says so and is restarted.

        Raises:
            PortTaken: the pinned port is not free.
        """
        with self._bind(name, port, "127.0.0.1") as probe:
            self._remember(name, probe)
        self._reserved.add(name)
        return self._ports[name]

    def reserved(self, name: str, port: int | None = None) -> int:
        """The port that ``reserve`` has said, or will say, without touching it: by now the
        process may be using it."""
        return self._ports[name] if name in self._reserved else self.reserve(name, port)

    def release(self, name: str) -> None:
        """Close a socket; its port stays remembered."""
        held = self._open.pop(name, None)
        if held is not None:
            held.close()

    def save(self) -> None:
        self._state.write_ports(self._ports)

    def close(self) -> None:
        for name in list(self._open):
            self.release(name)

    def _remember(self, name: str, bound: socket.socket) -> None:
        self._ports[name] = bound.getsockname()[1]

    def _bind(self, name: str, port: int | None, host: str) -> socket.socket:
        for candidate in [port] if port is not None else self._candidates(name):
            try:
                return _bound(host, candidate)
            except OSError as error:
                if port is not None:
                    why, do = error.strerror, "say another port in fleet.toml"
                    if error.errno == errno.EADDRINUSE:
                        why, do = "another program does", f"end that program, or {do}"
                    raise PortTaken(
                        f"{name}: cannot listen on {host}:{port}: {why}; {do}"
                    ) from None
        return _bound(host, 0)

    def _candidates(self, name: str) -> Iterator[int]:
        remembered = self._ports.get(name)
        if remembered is not None:
            yield remembered
        taken = set(self._ports.values())
        digest = hashlib.sha256(f"{self._root}\0{name}".encode()).digest()
        start = int.from_bytes(digest[:4], "big")
        for step in range(_TRIES):
            candidate = _FIRST + (start + step) % _COUNT
            if candidate not in taken:
                yield candidate


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Without this a port is busy for a minute after its connections were closed.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def url_of(listening: socket.socket) -> str:
    """``http://127.0.0.1:8001``; a socket on all addresses is reached on loopback."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
