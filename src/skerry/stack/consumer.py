"""The consumer's stack: what stands between a broker and the function of a handler."""

from __future__ import annotations

from skerry.bus.attempt import Attempt
from skerry.bus.consumer import HandlerSettings
from skerry.core.clock import Clock, system
from skerry.core.service import Filter
from skerry.core.stack import Slot, Stack
from skerry.filters.concurrency import Concurrency
from skerry.filters.handled import ObserveHandler
from skerry.filters.lease import KeepLease
from skerry.filters.pause import Pause
from skerry.telemetry.metrics import Metrics

from .payloads import event_payload_slot


def consumer_stack(
    handler: str,
    *,
    app: str,
    settings: HandlerSettings,
    metrics: Metrics,
    inbox: Filter[Attempt, None] | None = None,
    clock: Clock = system,
) -> Stack[Attempt, None]:
    """The stack of one handler.

    Args:
        inbox: what makes its effects count once; None for an app without a database.
    """
    return Stack(
        Slot(
            "observe",
            "outermost, so that it sees every attempt and all the time it takes",
            filter=ObserveHandler(metrics, app, handler, clock),
        ),
        *event_payload_slot(),
        Slot(
            "lease",
            "above all that waits: what is ours while it waits must be said to be ours",
            below=("observe",),
            filter=KeepLease(settings.lease, clock),
        ),
        Slot(
            "concurrency",
            "below the lease, because what was taken ahead and waits for its turn is ours",
            below=("lease",),
            filter=Concurrency(settings.concurrency),
        ),
        Slot(
            "pause",
            "above the inbox, which counts attempts: a paused handler makes none; below "
            "concurrency, so that a pause is noticed by those whose turn it is",
            below=("lease", "concurrency"),
            filter=Pause(handler, metrics=metrics, clock=clock),
        ),
        Slot(
            "inbox",
            "innermost: what it commits is the function's own work, once",
            below=("lease", "pause"),
            filter=inbox,
        ),
    )
