"""How much memory a process takes, so that the sum over a fleet is what the fleet takes.

Apps are forked from one server and share most of what they have loaded. Linux tells each one's
part of it (PSS), for about half a millisecond of work, which is why the answer is kept a while.
"""

from __future__ import annotations

import os
import time

_FRESH = 8.0  # seconds
_MOST = 4096

_kept: dict[int, tuple[float, float | None]] = {}  # by process: until when it is fresh, and MiB


def memory(pid: int | None) -> float | None:
    """MiB of a process, where it shares pages its part of them; None where it cannot be read."""
    if pid is None:
        return None
    now = time.monotonic()
    kept = _kept.get(pid)
    if kept is not None and now < kept[0]:
        return kept[1]
    if len(_kept) >= _MOST:
        _kept.clear()
    found = _proportional(pid) or _resident(pid)
    # not all at once: whoever looks every second would then wait for all of them
    _kept[pid] = now + _FRESH + pid % 8, found
    return found


def _proportional(pid: int) -> float | None:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return round(int(line.split()[1]) / 1024, 1)
    except (OSError, ValueError, IndexError):
        pass  # another user's, or an older kernel
    return None


def _resident(pid: int) -> float | None:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            pages = int(file.read().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)
