"""Starts the processes of the fleet in milliseconds: it has loaded everything, and forks.

``python -m bench.crash.zygote`` reads orders, one JSON a line, and answers each with a process
id. Nobody waits for its children: whoever ordered one watches it by that id. They end with it.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import traceback

from msgspec import Struct, json

import skerry.app.kept
import skerry.app.keys
import skerry.bus.embedded
import skerry.bus.rabbitmq
import skerry.data.idempotency  # noqa: F401
from skerry.app.serve import loop_factory

from .apps import decode_site, serve
from .caller import call, decode_plan

_PR_SET_PDEATHSIG = 1


class Order(Struct):
    """A process to start.

    Attributes:
        what: ``site`` or ``plan``, with its JSON in ``value``.
        log: the file that gets what it prints.
    """

    what: str
    value: str
    log: str


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel is not to keep their remains
    loop_factory()  # imports it
    gc.freeze()
    for line in sys.stdin.buffer:
        order = json.decode(line, type=Order)
        pid = os.fork()
        if pid == 0:
            _become(order)
        print(pid, flush=True)


def _become(order: Order) -> None:
    code = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        output = os.open(order.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for there, here in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(there, here)
        import logging

        logging.basicConfig(format=f"%(asctime)s {os.getpid()} %(levelname)s %(message)s")
        if order.what == "site":
            serve(decode_site(order.value))
        else:
            call(decode_plan(order.value))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
