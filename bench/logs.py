"""What it costs to log, and to have exemplars.

A record goes from ``log.info`` to a file that throws it away: as a line of JSON with its trace, and
as ``logging`` itself writes it, with time, level and name. Then a sample of a histogram, with the
span that stands for it and without.
"""

from __future__ import annotations

import io
import logging
import os
import time
from collections.abc import Callable

from skerry.core.context import Context, Trace, attach, detach
from skerry.telemetry import logs
from skerry.telemetry.histogram import Histogram
from skerry.telemetry.spans import Span

from .rows import Report

_RECORDS = 20_000
_SAMPLES = 200_000
_TRACE = Trace(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7)
_PLAIN = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def run(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    samples: dict[str, list[float]] = {}
    factory = logging.getLogRecordFactory()
    token = attach(Context(_TRACE))
    try:
        with open(os.devnull, "w") as nowhere:
            for number in range(rounds):
                for name, took in (*_records(nowhere, factory), *_histogram()):
                    samples.setdefault(name, []).append(took)
                told = "  ".join(f"{name} {found[-1]:.3g}" for name, found in samples.items())
                say(f"round {number + 1}/{rounds}  {told}")
    finally:
        detach(token)
        logging.setLogRecordFactory(factory)
    report.add("logs.plain_us", samples["plain"], "µs", note="logging's own text, without a trace")
    report.add("logs.json_us", samples["json"], "µs", note="a line of JSON with its trace")
    report.add("logs.extra_us", samples["extra"], "µs", note="and two fields")
    report.add("logs.off_us", samples["off"], "µs", note="a level that nobody wants")
    report.ratio("logs.vs_logging", samples["json"], samples["plain"], "<= 2")
    with_one, without = samples["exemplar"], samples["sample"]
    cost = [a - b for a, b in zip(with_one, without, strict=True)]
    report.add("metrics.sample_ns", without, "ns", note="a sample of a histogram")
    report.add("metrics.exemplar_ns", cost, "ns", "<= 50", note="more, with its trace")


def _records(nowhere: io.TextIOBase, factory: object) -> list[tuple[str, float]]:
    log = logging.getLogger("bench.logs")
    log.propagate = False
    log.setLevel(logging.INFO)
    plain = logging.StreamHandler(nowhere)
    plain.setFormatter(logging.Formatter(_PLAIN))
    logging.setLogRecordFactory(factory)  # type: ignore[arg-type]
    log.handlers = [plain]
    found = [("plain", _timed(lambda: log.info("quoted %s", 3), _RECORDS, 1e6))]
    logs.mark_records()
    log.handlers = [logs.handler("json", nowhere)]  # type: ignore[arg-type]
    fields = {"amount": 3, "currency": "KRW"}
    found.append(("json", _timed(lambda: log.info("quoted %s", 3), _RECORDS, 1e6)))
    found.append(("extra", _timed(lambda: log.info("quoted", extra=fields), _RECORDS, 1e6)))
    found.append(("off", _timed(lambda: log.debug("quoted"), _RECORDS, 1e6)))
    return found


def _histogram() -> list[tuple[str, float]]:
    record = Histogram().record
    span = Span("GET /", "server", {}, _TRACE.trace_id, _TRACE.span_id, 0, 1.5)
    return [
        ("sample", _timed(lambda: record(0.0123), _SAMPLES, 1e9)),
        ("exemplar", _timed(lambda: record(0.0123, span), _SAMPLES, 1e9)),
    ]


def _timed(work: Callable[[], object], times: int, scale: float) -> float:
    """Processor time for one of them."""
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * scale
