"""Whose process is at the other end of a connection on this machine.

A port on loopback is open to every user of the machine, unlike the control API's socket. Linux
says whose a socket is in ``/proc/net/tcp``; where it does not say, nothing is refused.
"""

from __future__ import annotations

import os
import socket
import struct
import sys

_TABLES = {4: "/proc/net/tcp", 16: "/proc/net/tcp6"}
_ROOT = 0  # may read and do everything here anyway


def is_other_user(client: tuple[str, int] | None, server: tuple[str, int | None] | None) -> bool:
    """Whether a connection comes from a process of somebody else's.

    Args:
        client, server: address and port of both ends, as ASGI has them.
    """
    if client is None or server is None or server[1] is None:
        return False
    uid = owner_of((client[0], client[1]), (server[0], server[1]))
    return uid is not None and uid not in (_ROOT, os.getuid())


def owner_of(local: tuple[str, int], remote: tuple[str, int]) -> int | None:
    """The user id of the socket at ``local`` that is connected to ``remote``; None if unknown."""
    try:
        ours, theirs = _written(*local), _written(*remote)
        with open(_TABLES[_size(local[0])], encoding="ascii") as table:
            for line in table:
                fields = line.split(None, 8)
                if len(fields) > 7 and fields[1] == ours and fields[2] == theirs:
                    return int(fields[7])
    except (OSError, ValueError, KeyError):
        pass
    return None


def _written(host: str, port: int) -> str:
    """An address as the kernel writes it: words of four bytes in its own order."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    words = struct.unpack(f"{'<' if sys.byteorder == 'little' else '>'}{len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"


def _size(host: str) -> int:
    return 16 if ":" in host else 4
