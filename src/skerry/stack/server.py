"""The server's stack: what stands between the wire and the function of an endpoint.

Read from the top: a request passes the slots in this order, its answer in the reverse.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from skerry.core.clock import Clock, system
from skerry.core.service import Filter
from skerry.core.stack import Slot, Stack
from skerry.core.wire import Request, Response
from skerry.filters.deadline import ServerDeadline
from skerry.filters.idempotency import IdempotencySettings
from skerry.filters.numbers import refuse_odd
from skerry.filters.observe import Observe
from skerry.telemetry.metrics import Metrics

from .edit import Edit, edited
from .payloads import payload_slot


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What an endpoint's stack is made with.

    Attributes:
        timeout: seconds an endpoint may take until its answer begins; a caller that waits
            less makes it less.
        idempotency: how endpoints that are idempotent remember what they have done.
        edit: makes other stacks of those that there are.
    """

    timeout: float = 30.0
    idempotency: IdempotencySettings = field(default_factory=IdempotencySettings)
    edit: Edit | None = None

    def __post_init__(self) -> None:
        refuse_odd(self, "timeout")


def server_stack(
    settings: ServerSettings,
    route: str,
    *,
    app: str,
    metrics: Metrics,
    idempotency: Filter[Request, Response] | None = None,
    operation: str = "",
    clock: Clock = system,
) -> Stack[Request, Response]:
    """The stack of one endpoint.

    Args:
        route: the operation's name; what its series is called.
        app: the app that serves it.
        operation: its method and path, ``POST /payments``; what its spans are called.
        idempotency: what answers by ``Idempotency-Key``, of an endpoint that is marked so.

    Raises:
        ConfigError: an edit did not go well.
    """
    stack: Stack[Request, Response] = Stack(
        Slot(
            "observe",
            "outermost, so that it sees every answer, also those that other filters give",
            filter=Observe(metrics, "server", app, route=route, operation=operation, clock=clock),
        ),
        *payload_slot(500),
        Slot(
            "deadline",
            "first of those that act: neither a place nor a check is spent on a caller that left",
            below=("observe",),
            filter=ServerDeadline(settings.timeout, app, clock),
        ),
        Slot(
            "admission",
            "below the deadline, so that time in a queue counts; above everything that costs, "
            "so that a refusal is cheap",
            below=("deadline",),
        ),
        Slot(
            "authorise",
            "below admission, because checking credentials is work that overload must not buy",
            below=("admission",),
        ),
        Slot(
            "tape",
            "below authorise, so that replay needs no credentials and records only what was let in",
            below=("authorise",),
        ),
        Slot(
            "idempotency",
            "innermost: what it keeps and gives again is the function's own answer",
            below=("authorise", "tape"),
            filter=idempotency,
        ),
    )
    return edited(stack, settings.edit)
