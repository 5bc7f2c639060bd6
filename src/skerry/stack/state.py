"""How the client stacks of a process are doing now: what people look at when calls fail."""

from __future__ import annotations

from msgspec import Struct

from skerry.filters.balance import Candidate
from skerry.filters.breaker import Breaker


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


def target_state(candidate: Candidate) -> TargetState:
    guard, latency = candidate.guard, candidate.latency
    return TargetState(
        id=candidate.address.id or candidate.address.url,
        url=candidate.address.url,
        breaker=guard.state if isinstance(guard, Breaker) else "",
        in_flight=candidate.outstanding,
        latency_ms=None if latency is None else round(latency * 1000, 1),
    )
