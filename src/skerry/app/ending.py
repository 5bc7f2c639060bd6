"""A process that has done its work ends, also where its threads do not."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

GRACE = 1.0
"""Seconds for the event loop to close, and for threads to end when the process would."""

log = logging.getLogger("skerry.app")


@contextmanager
def bounded_end(code: int) -> Generator[None, None, None]:
    """Bound the closing of the event loop, which is the block, and then the end of the process.

    Closing an event loop waits for what ``asyncio.to_thread`` began; the interpreter, before it
    ends, for every thread that is no daemon, those of each ``ThreadPoolExecutor`` among them.
    Neither wait has a bound, and a thread cannot be stopped. ``os._exit`` in any case would be
    simpler, and would skip what others have registered with ``atexit`` (telemetry on its way
    out); so it is left to a daemon, for an end that does not come by itself.

    Args:
        code: the process's exit code, where that is so.
    """
    closed, ended = threading.Event(), threading.Event()
    atexit.register(ended.set)  # which is called when threads have ended
    executor = ThreadPoolExecutor(1)
    worker = executor.submit(threading.current_thread).result()

    def watch(executor: ThreadPoolExecutor, idle: threading.Thread) -> None:
        if closed.wait(GRACE):
            # Whoever called us may have more to do. The interpreter, on its way out, first of
            # all ends what is idle in executors: so this thread, which is, tells when that is.
            idle.join()
            if ended.wait(GRACE):
                return
        running = [t.name for t in threading.enumerate() if t.is_alive() and not t.daemon]
        log.warning("left behind, because they do not end: %s", ", ".join(running))
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    threading.Thread(target=watch, args=(executor, worker), daemon=True).start()
    try:
        yield
    finally:
        closed.set()
