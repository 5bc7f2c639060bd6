"""What an operator can set, by environment variables that begin with ``SKERRY_COLLECTOR_``."""

from __future__ import annotations

from msgspec import Struct

from skerry.observe.settings import StoreSettings

PREFIX = "SKERRY_COLLECTOR_"

_MIB = 1 << 20


class CollectorSettings(Struct, frozen=True):
    """Attributes:
    path: the store's file.
    size_mib: of spans and their index; the oldest go first.
    age_days: that spans, and totals, are kept.
    unpacked_mib: of a request's body, once it is unpacked.
    waiting_mib: of requests that wait to be read; who comes when they are that many is told to
        come back.
    trace_spans: kept of one trace.
    strict_trace_id: whether traces that share 64 bits of a 128-bit id are different ones.
    autocomplete_keys: tags whose values Zipkin's UI offers.
    promises: a file with what apps have promised, and who owns them; the fleet writes one.
    journeys: the same of journeys; their probe writes it.
    console: the address of the console, for links in what people are told.
    query_limit, query_lookback_ms: what Zipkin's UI asks for at first.
    """

    path: str = ".skerry/spans.db"
    size_mib: int = 1024
    age_days: float = 7.0
    unpacked_mib: int = 64
    waiting_mib: int = 64
    trace_spans: int = 30_000
    strict_trace_id: bool = True
    autocomplete_keys: list[str] = []
    promises: str = ""
    journeys: str = ""
    console: str = ""
    query_limit: int = 10
    query_lookback_ms: int = 900_000

    @property
    def unpacked(self) -> int:
        """Bytes of a body."""
        return self.unpacked_mib * _MIB

    @property
    def waiting(self) -> int:
        """Bytes that may wait."""
        return self.waiting_mib * _MIB

    @property
    def store(self) -> StoreSettings:
        return StoreSettings(
            size=self.size_mib * _MIB,
            age=self.age_days * 86_400,
            trace_spans=self.trace_spans,
            strict=self.strict_trace_id,
            tags=tuple(self.autocomplete_keys),
        )
