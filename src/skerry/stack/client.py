"""The client's stack: what stands between a generated client and the network.

It has two halves. The *call* is what the caller sees, once; the *instance* half exists once for
each instance, and sees each attempt. Between them the balancer chooses the instance. Read from
the top: a request passes the slots in this order, its answer in the reverse.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from msgspec.structs import replace

from skerry.core.clock import Clock, system
from skerry.core.instance import Address
from skerry.core.service import Service
from skerry.core.stack import Slot, Stack
from skerry.core.wire import Request, Response
from skerry.discovery.base import Watch
from skerry.filters.attempt import Attempt, AttemptSettings
from skerry.filters.balance import Balance, BalanceSettings, Guard, Guarded
from skerry.filters.breaker import Breaker, BreakerSettings
from skerry.filters.budget import RetryBudget
from skerry.filters.deadline import ClientDeadline, DeadlineSettings
from skerry.filters.observe import Observe
from skerry.filters.propagate import Propagate
from skerry.filters.retry import Retrier, RetrySettings
from skerry.telemetry.metrics import Metrics
from skerry.transport.base import Transport

from .edit import Edit, edited
from .payloads import payload_slot
from .rows import Row, rows


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What a client's stack is made with. None leaves a slot empty.

    Attributes:
        deadline: for whole calls.
        retry: when to try again.
        balance: how instances are compared.
        breaker: when an instance is left alone.
        attempt: for single attempts.
        propagate: whether trace, baggage and time left are told to whoever is called; never to
            an address that is ``outside``.
        edit_call, edit_instance: make other stacks of the two halves that there are, above the
            balancer and below.
    """

    deadline: DeadlineSettings | None = field(default_factory=DeadlineSettings)
    retry: RetrySettings | None = field(default_factory=RetrySettings)
    balance: BalanceSettings = field(default_factory=BalanceSettings)
    breaker: BreakerSettings | None = field(default_factory=BreakerSettings)
    attempt: AttemptSettings | None = field(default_factory=AttemptSettings)
    propagate: bool = True
    edit_call: Edit | None = None
    edit_instance: Edit | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What all filters of one client have in common.

    Attributes:
        caller, app: who calls whom.
        budget: of retries; shared where the same client exists in several event loops.
        rng: makes choices and jitter; seed it and they repeat.
    """

    caller: str
    app: str
    settings: ClientSettings
    metrics: Metrics
    budget: RetryBudget
    clock: Clock = system
    rng: random.Random = field(default_factory=random.Random)


def call_stack(parts: Parts) -> Stack[Request, Response]:
    """The half above the balancer."""
    settings, app, clock = parts.settings, parts.app, parts.clock
    stack: Stack[Request, Response] = Stack(
        Slot(
            "observe",
            "outermost, so that it counts what the caller sees: one call, however many attempts",
            filter=Observe(parts.metrics, "client", parts.caller, app, clock=clock),
        ),
        Slot(
            "fallback",
            "above all that can fail, so that it stands in for every failure; below observe, "
            "so that the count tells how the call itself ended",
            below=("observe",),
        ),
        Slot(
            "cache",
            "a hit costs nothing of what is below, and needs no fallback",
            below=("fallback",),
        ),
        Slot(
            "collapse",
            "only misses are worth joining, and those who join wait in one place of the bulkhead",
            below=("cache",),
        ),
        Slot(
            "bulkhead",
            "a place is held for the whole call, retries and their waits included; "
            "to be refused must cost nothing",
            below=("collapse",),
        ),
        Slot(
            "deadline",
            "above retry, so that it limits all attempts and the waits between them together",
            below=("bulkhead",),
            filter=ClientDeadline(settings.deadline, app, clock) if settings.deadline else None,
        ),
        Slot(
            "retry",
            "above balance, so that each attempt chooses its instance anew; "
            "below the deadline, which it must not outlast",
            below=("deadline",),
            filter=Retrier(
                settings.retry, parts.budget, parts.metrics, parts.caller, app, clock, parts.rng
            )
            if settings.retry
            else None,
        ),
        Slot(
            "hedge",
            "a second copy is part of one attempt: a hedged pair that fails is retried once, not "
            "each half by itself; directly above balance, which must find the copy another place",
            below=("retry",),
        ),
    )
    return edited(stack, settings.edit_call)


def instance_stack(parts: Parts, instance: Address) -> Stack[Request, Response]:
    """The half below the balancer, for one instance."""
    settings, app, clock = parts.settings, parts.app, parts.clock
    name = instance.id or instance.url
    breaker = (
        Breaker(settings.breaker, parts.metrics, parts.caller, app, name, clock, parts.rng)
        if settings.breaker
        else None
    )
    attempt = settings.attempt
    propagate = Propagate(attempt.timeout if attempt else None, clock)
    stack: Stack[Request, Response] = Stack(
        Slot(
            "breaker",
            "highest of what one instance has, so that it sees everything the instance does, "
            "timeouts of attempts among it",
            filter=breaker,
        ),
        Slot(
            "attempt",
            "below the breaker, to which an attempt that took too long is a failure; "
            "above the count, so that what it gives up is counted as given up",
            below=("breaker",),
            filter=Attempt(attempt, app, clock) if attempt else None,
        ),
        Slot(
            "observe",
            "below everything that decides, so that it counts what really went out, and only that",
            below=("attempt",),
            filter=Observe(parts.metrics, "attempt", parts.caller, app, clock=clock),
        ),
        *payload_slot(400),
        Slot(
            "propagate",
            "below the attempt's count, because the attempt is the parent of what it causes; "
            "as low as that, so that the time it tells is what is left now",
            below=("observe",),
            filter=propagate if settings.propagate and not instance.outside else None,
        ),
        Slot(
            "fault",
            "below all that is to notice it: an injected fault looks like the network's own",
            below=("propagate",),
        ),
        Slot(
            "tape",
            "lowest, so that a replay exercises every real filter and records no injected fault",
            below=("fault",),
        ),
    )
    return edited(stack, settings.edit_instance)


def client(
    parts: Parts, watch: Watch, transport: Transport
) -> tuple[Service[Request, Response], Balance]:
    """The whole client, and the balancer inside it, which its owner closes."""

    def make(address: Address) -> Guarded:
        stack = instance_stack(parts, address)
        breaker: object = stack["breaker"].filter
        service = stack.build(reach(transport, address))
        return Guarded(service, breaker if isinstance(breaker, Guard) else None)

    balance = Balance(watch, make, parts.settings.balance, parts.app, parts.clock, parts.rng)
    return call_stack(parts).build(balance), balance


def reach(transport: Transport, address: Address) -> Service[Request, Response]:
    """The service at ``address``; a path in its URL goes before that of each request."""
    parts = urlsplit(address.url)
    if parts.scheme not in ("http", "https") or not parts.path:
        return transport.connect(address)
    base = parts.path.rstrip("/")
    service = transport.connect(Address(f"{parts.scheme}://{parts.netloc}", address.id))
    return _prefixed(service, base)


def _prefixed(service: Service[Request, Response], base: str) -> Service[Request, Response]:
    def call(request: Request, /) -> Awaitable[Response]:
        return service(replace(request, path=base + request.path))

    return call


def describe(parts: Parts, transport: str = "") -> list[Row]:
    """The whole stack, outermost first, as ``skerry stack`` prints it.

    Args:
        transport: what is known of how the app is reached.
    """
    instance = instance_stack(parts, Address("http://instance"))
    between = Row(
        "between",
        "balance",
        str(parts.settings.balance),
        ("retry", "hedge"),
        "below retry, so that a retry goes elsewhere; above the breakers, whose state it reads",
    )
    network = Row(
        "instance", "transport", transport, ("tape",), "the end of the stack: the call leaves here"
    )
    return [*rows("call", call_stack(parts)), between, *rows("instance", instance), network]


def check(settings: ClientSettings) -> None:
    """Make the stacks once, so that what is wrong with them is found at start.

    Raises:
        ConfigError: an edit did not go well.
    """
    describe(Parts("", "", settings, Metrics(), RetryBudget()))
