"""What is told of stacks: of what they are made, and how those of clients are doing now."""

from __future__ import annotations

from msgspec import Struct

from .rows import Row


class TargetState(Struct):
    """One instance, as a client of it sees it.

    Attributes:
        breaker: ``closed`` while calls pass; ``open`` where it does not answer and is left
            alone, ``avoided`` where it answers badly and is asked only if all others do;
            ``probing`` while one call finds out. Empty where the stack has no breaker.
        in_flight: calls under way.
        latency_ms: what the balancer expects of the next call; None while nothing is known.
    """

    id: str
    url: str
    breaker: str
    in_flight: int
    latency_ms: float | None


class ClientState(Struct):
    """One client, over all event loops of its process.

    Attributes:
        peer: who is called.
        retries_left: how many retries its budget allows now.
        retries_reserve: how many that is without any traffic.
    """

    peer: str
    retries_left: float
    retries_reserve: float
    instances: list[TargetState]


class StackView(Struct):
    """One stack, and everything that has the very same.

    Attributes:
        kind: ``server`` for endpoints, ``consumer`` for handlers, ``client`` for apps called.
        names: of those.
        rows: its slots, outermost first.
    """

    kind: str
    names: list[str]
    rows: list[Row]
