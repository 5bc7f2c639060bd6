"""A histogram of durations that is cheap to fill, small, and exact to merge.

Log-linear buckets over integers, after Gil Tene's HdrHistogram: each power of two is cut into
32 equal parts, so a bucket is at most 1/32 of its value wide, and the middle of a bucket is
within 1/64 (1.6 %) of everything in it. Times are integers in units of 2**-30 s (0.93 ns):
turning seconds into them loses nothing but the rest below one unit, and integers add up to the
same total in whatever order processes are merged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

UNIT = 2.0**30
"""Units in a second."""

_BITS = 5
_PARTS = 1 << _BITS  # buckets in each power of two

RELATIVE_ERROR = 1 / (2 * _PARTS)
"""How far ``quantile`` may be from the sample it stands for, as a part of that sample; for
samples of 64 units (60 ns) and more. Below that, half a unit."""


def bucket_of(units: int) -> int:
    """The bucket of a duration; it holds ``(low, high]``, as the bounds of Prometheus do."""
    value = units - 1
    if value <= 0:
        return 0
    shift = value.bit_length() - _BITS - 1
    return (shift << _BITS) + (value >> shift) if shift > 0 else value


def high_of(bucket: int) -> int:
    """The largest duration in ``bucket``, in units."""
    shift = (bucket >> _BITS) - 1
    if shift <= 0:
        return bucket + 1
    return (((bucket & (_PARTS - 1)) | _PARTS) + 1) << shift


def middle_of(bucket: int) -> float:
    """The middle of ``bucket``, in units."""
    shift = (bucket >> _BITS) - 1
    return high_of(bucket) - ((1 << shift) - 1) / 2 if shift > 0 else float(bucket + 1)


class Recorded(Protocol):
    """What is known of a sample's span: its ids, and when it began on the clock's ``now()``."""

    @property
    def trace_id(self) -> int: ...
    @property
    def span_id(self) -> int: ...
    @property
    def started(self) -> float: ...


class Exemplar(NamedTuple):
    """One sample that stands for others like it.

    Attributes:
        trace_id, span_id: in hex.
        seconds: how long it took.
        ended: when, on the clock's ``now()``.
    """

    trace_id: str
    span_id: str
    seconds: float
    ended: float


class Histogram:
    """Counts of durations by bucket, and their exact sum.

    Attributes:
        counts: how many samples by bucket; buckets without any are absent.
        total: the sum of all samples, in units.
        seen: the last sample that has a span, for each power of two: its trace, its span, its
            units, and when it began; None while there are none.
    """

    __slots__ = ("counts", "seen", "total")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.total = 0
        # Made for the first one: most histograms never see any.
        self.seen: dict[int, tuple[int, int, int, float]] = None  # type: ignore[assignment]

    def record(self, seconds: float, span: Recorded | None = None) -> None:
        """Add one sample; a negative one, from a clock that was set back, counts as nothing.

        Args:
            span: that of the sample, where somebody will keep it. Only its numbers are: it may
                have a stack.
        """
        units = int(seconds * UNIT)
        value = units - 1
        if value > 63:
            self.total += units
            shift = value.bit_length() - 6
            bucket = (shift << 5) + (value >> shift)
            if span is not None:
                try:
                    self.seen[shift] = span.trace_id, span.span_id, units, span.started
                except TypeError:  # the first
                    self.seen = {shift: (span.trace_id, span.span_id, units, span.started)}
        elif value > 0:
            self.total += units
            bucket = value
        else:
            self.total += units > 0
            bucket = 0
        try:
            self.counts[bucket] += 1
        except KeyError:
            self.counts[bucket] = 1

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    def add(self, other: Histogram) -> None:
        """Add the samples of another one: as if all had been recorded here."""
        self.total += other.total
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    def quantile(self, q: float) -> float | None:
        """The sample in seconds below which a share of ``q`` lies (nearest rank), within
        ``RELATIVE_ERROR``; None while there are no samples."""
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"a quantile is between 0 and 1, not {q}")
        rank = q * self.count
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= rank:
                return middle_of(bucket) / UNIT
        return None

    def at_most(self, bounds: Iterable[float]) -> list[int]:
        """For each bound in seconds, rising, how many samples are not above it.

        Exact where the bounds are powers of two of a second; others move up to the end of
        their bucket.
        """
        buckets = sorted(self.counts)
        found: list[int] = []
        seen = index = 0
        for bound in bounds:
            last = bucket_of(int(bound * UNIT))
            while index < len(buckets) and buckets[index] <= last:
                seen += self.counts[buckets[index]]
                index += 1
            found.append(seen)
        return found

    def exemplars(self) -> Iterator[Exemplar]:
        """Samples that have a span: one of each power of two of a second, the last."""
        for trace_id, span_id, units, started in list((self.seen or {}).values()):
            seconds = units / UNIT
            yield Exemplar(f"{trace_id:032x}", f"{span_id:016x}", seconds, started + seconds)

    def document(self) -> dict[str, Any]:
        """As JSON: ``{"total": units, "counts": {"bucket": n}}``."""
        counts = dict(self.counts)  # in one step: another thread may be recording
        return {"total": self.total, "counts": {str(b): n for b, n in counts.items()}}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Histogram:
        """The reverse of ``document``."""
        histogram = cls()
        histogram.total = document["total"]
        histogram.counts = {int(b): n for b, n in document["counts"].items()}
        return histogram
