"""How much the store keeps."""

from __future__ import annotations

from msgspec import Struct

from .limits import Limits


class StoreSettings(Struct, frozen=True):
    """How much is kept, and for how long.

    Attributes:
        size: bytes of spans and their index in the file; the oldest go first.
        age: seconds that spans, and totals, are kept.
        spans: how many are in memory before those that lie still go to a segment.
        still: seconds after which nothing more is expected of a trace.
        settle: seconds after which a trace is counted.
        trace_spans: how many spans are kept of one trace.
        strict: whether traces that share the lower 64 bits of their ids are different ones.
        tags: those whose values are offered to choose from.
    """

    size: int = 1 << 30
    age: float = 7 * 86_400.0
    spans: int = 30_000
    still: float = 15.0
    settle: float = 1.0
    trace_spans: int = 30_000
    strict: bool = True
    tags: tuple[str, ...] = ()
    limits: Limits = Limits()
