"""Celery: a task on a quorum queue, acknowledged late, in one process that works by itself.

``solo`` is its pool for one core: a pool of processes would only add its pipes.
"""

from __future__ import annotations

import sys

from celery import Celery

from .common import EVENT, PREFETCH, URL, Tally, publish_all_by_threads

CALLERS = 8
"""Threads that publish: twice as fast together as one; more of them add nothing."""

tally = Tally()
app = Celery("bench", broker=URL)
app.conf.update(
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_default_delivery_mode="persistent",
    task_default_queue="celery.book",
    task_default_queue_type="quorum",
    task_ignore_result=True,
    worker_prefetch_multiplier=PREFETCH,
    broker_connection_retry_on_startup=True,
    broker_pool_limit=CALLERS,
)


@app.task(name="book")  # type: ignore[untyped-decorator]
def book(settled: dict[str, object]) -> None:
    tally.add(int(str(settled["amount"])))


if __name__ == "__main__":
    if sys.argv[1] == "publish":
        publish_all_by_threads(lambda: book.delay(EVENT), CALLERS)
    else:
        options = ["--pool=solo", "--concurrency=1", "--loglevel=WARNING"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        app.worker_main(["worker", *options, *quiet])
