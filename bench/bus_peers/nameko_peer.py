"""Nameko: an event from one service to another, on a quorum queue, which it has to be told."""

from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402

from nameko.events import EventHandler  # noqa: E402
from nameko.runners import ServiceRunner  # noqa: E402
from nameko.standalone.events import event_dispatcher  # noqa: E402

from .common import (  # noqa: E402
    EVENT,
    PREFETCH,
    URL,
    Tally,
    publish_all_by_threads,
)

CALLERS = 10
"""Green threads that publish: as many as a Nameko service has workers, unless told."""

CONFIG = {"AMQP_URI": URL, "max_workers": PREFETCH}
tally = Tally()


class QuorumEvents(EventHandler):  # type: ignore[misc]
    def setup(self) -> None:
        super().setup()
        self.queue.queue_arguments = {"x-queue-type": "quorum"}


handler = QuorumEvents.decorator


class Ledger:
    name = "ledger"

    @handler("payments", "settled", requeue_on_error=True)  # type: ignore[untyped-decorator]
    def book(self, settled: dict[str, object]) -> None:
        tally.add(int(str(settled["amount"])))


def consume() -> None:
    runner = ServiceRunner(CONFIG)
    runner.add_service(Ledger)
    runner.start()
    runner.wait()


if __name__ == "__main__":
    if sys.argv[1] == "consume":
        consume()
    else:
        dispatch = event_dispatcher(CONFIG)
        publish_all_by_threads(lambda: dispatch("payments", "settled", EVENT), CALLERS)
