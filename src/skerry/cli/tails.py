"""The subscriptions of ``skerry bus tail``: what they are called, and which have been left."""

from __future__ import annotations

import os
import re
import socket
import time

from skerry.bus.driver import QueueInfo

_PREFIX = "skerry.tail."
_YOUNG = 60.0  # seconds in which one without a consumer may be about to have one


def tail_name() -> str:
    """A name for one of this process: ``skerry.tail.HOST.PID.TIME``."""
    return f"{_PREFIX}{_host()}.{os.getpid()}.{int(time.time())}"


def is_tail(subscription: str) -> bool:
    return subscription.startswith(_PREFIX)


def is_left(queue: QueueInfo, now: float) -> bool:
    """Whether it is that of a tail which was killed, or lost its broker."""
    host, pid, began = (*queue.subscription.removeprefix(_PREFIX).split("."), "", "", "")[:3]
    if not is_tail(queue.subscription) or not (pid.isdecimal() and began.isdecimal()):
        return False
    if host == _host() and not _runs(int(pid)):
        return True
    return queue.consumers == 0 and now - int(began) > _YOUNG


def _host() -> str:
    return re.sub(r"[^a-z0-9]+", "-", socket.gethostname().lower()).strip("-") or "here"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True
