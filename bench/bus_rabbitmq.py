"""Events through one RabbitMQ: Skerry beside FastStream, Celery, Nameko and aio-pika by hand.

The same for all: a durable quorum queue, persistent messages, each publishing call returning when
the broker has confirmed, each event acknowledged after its handler, 200 of them sent ahead. So
whatever was published survives ``kill -9`` of everybody and a loss of power. One process publishes,
on one core; one consumes, on the other; the broker shares both.

Three things are timed in each round. *Through*: from the first publishing call to the last event
that was handled, both processes at work. *Publish*: the same number with nobody consuming.
*Consume*: the filled queue, from the first event to the last.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skerry.fleet.backings import BackingError

from . import machine
from .bus_broker import consumers, empty, rabbitmq
from .bus_peers.common import PREFETCH
from .environments import NotInstalled, python_with
from .rows import Report

_PATIENCE = 120.0
_CALIBRATION = 500  # events, which are also the warm-up
_KINDS = ("through", "publish", "consume")


@dataclass(frozen=True)
class Contestant:
    """Attributes:
    module: run with ``consume`` and ``publish``.
    queue: where its events wait.
    requirements: what its environment has; none for our own.
    command: what consumes, where that is not the module.
    """

    name: str
    module: str
    queue: str
    requirements: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


CONTESTANTS = (
    Contestant(
        "skerry",
        "bench.bus_peers.ours",
        "ledger.book",
        command=("-m", "skerry.cli.main", "run", "bench.bus_peers.ours:app", "--port", "0"),
    ),
    Contestant(
        "raw",
        "bench.bus_peers.aio_pika_peer",
        "raw.book",
        ("aio-pika==10.2.1", "msgspec==0.22.0", "uvloop==0.23.0"),
    ),
    Contestant(
        "faststream",
        "bench.bus_peers.faststream_peer",
        "faststream.book",
        ("faststream[rabbit]==0.7.8", "msgspec==0.22.0", "uvloop==0.23.0"),
    ),
    Contestant(
        "celery", "bench.bus_peers.celery_peer", "celery.book", ("celery==5.7.0", "kombu==5.7.0")
    ),
    Contestant(
        "nameko",
        "bench.bus_peers.nameko_peer",
        "evt-payments-settled--ledger.book",
        ("nameko==2.14.1", "kombu==5.7.0", "eventlet==0.41.3"),
    ),
)
BUDGETS = {"raw": ">= 0.7", "faststream": ">= 1.5", "celery": ">= 1.5", "nameko": ">= 5"}


def run(report: Report, rounds: int, seconds: float, say: Callable[[str], None]) -> None:
    try:
        with rabbitmq() as url:
            measured = _measure(report, url, rounds, seconds, say)
    except BackingError as error:
        report.leave_out("RabbitMQ", error)
        return
    if "skerry" not in measured:
        return
    ours = measured["skerry"]["through"]
    for name, budget in BUDGETS.items():
        if name in measured:
            report.ratio(f"bus.rabbitmq_vs_{name}", ours, measured[name]["through"], budget)
    for name, kinds in measured.items():
        for kind in _KINDS:
            report.add(f"bus.rabbitmq_{name}_{kind}_per_s", kinds[kind], "events/s")


def _measure(
    report: Report, url: str, rounds: int, seconds: float, say: Callable[[str], None]
) -> dict[str, dict[str, list[float]]]:
    """Events a second of each contestant and kind, round by round."""
    events: dict[str, int] = {}
    runs: dict[str, _Runs] = {}
    for contestant in CONTESTANTS:
        try:
            runs[contestant.name] = each = _Runs(contestant, url)
            events[contestant.name] = max(100, int(each.through(_CALIBRATION) * seconds))
        except (NotInstalled, RuntimeError) as error:
            runs.pop(contestant.name, None)
            report.leave_out(contestant.name, error)
    measured: dict[str, dict[str, list[float]]] = {n: {k: [] for k in _KINDS} for n in runs}
    for number in range(rounds):
        for name, each in list(runs.items()):
            try:
                figures = (
                    each.through(events[name]),
                    each.publish(events[name]),
                    each.consume(events[name]),
                )
            except RuntimeError as error:
                report.leave_out(name, error)
                del runs[name], measured[name]
                continue
            for kind, figure in zip(_KINDS, figures, strict=True):
                measured[name][kind].append(figure)
            last = "  ".join(f"{k} {f:7.0f}/s" for k, f in zip(_KINDS, figures, strict=True))
            say(f"RabbitMQ, round {number + 1}/{rounds}  {name:11}{last}")
    return measured


class _Runs:
    """One contestant's processes, run by run.

    Raises:
        NotInstalled: its environment cannot be made.
    """

    def __init__(self, contestant: Contestant, url: str) -> None:
        self._contestant = contestant
        self._url = url
        wanted = contestant.requirements
        self._python = python_with(contestant.name, wanted) if wanted else Path(sys.executable)
        self._publisher_core, self._consumer_core = machine.cores()

    def through(self, events: int) -> float:
        """Events a second from the first call to the last that was handled."""
        with self._consuming(events) as consumed:
            published = self._publish(events)
            return events / (consumed()["last"] - published["first"])

    def publish(self, events: int) -> float:
        measured = self._publish(events)
        return events / (measured["last"] - measured["first"])

    def consume(self, events: int) -> float:
        """What ``publish`` has left in the queue."""
        with self._consuming(events) as consumed:
            measured = consumed()
        return (events - 1) / (measured["last"] - measured["first"])

    def _publish(self, events: int) -> dict[str, float]:
        result = self._result("published")
        process = self._spawn(
            ("-m", self._contestant.module, "publish"), events, result, self._publisher_core
        )
        try:
            return _read(result, process, f"{self._contestant.name} published")
        finally:
            machine.stop(process)

    @contextmanager
    def _consuming(self, events: int) -> Iterator[Callable[[], dict[str, float]]]:
        """A consumer that is there; yields what waits until it has handled all."""
        it = self._contestant
        result = self._result("consumed")
        command = it.command or ("-m", it.module, "consume")
        process = self._spawn(command, events, result, self._consumer_core)
        try:
            until = time.monotonic() + _PATIENCE
            while not result.exists() and consumers(self._url, it.queue) == 0:
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("its consumer did not start; see .bench/servers.log")
                time.sleep(0.1)
            yield lambda: _read(result, process, f"{it.name} handled")
            time.sleep(0.2)  # for the last acknowledgements
        finally:
            machine.stop(process)
        # Celery acknowledges events when it turns to the next, so its last ones are left.
        if (left := empty(self._url, it.queue)) > PREFETCH:
            raise RuntimeError(f"{left} events were not acknowledged")

    def _result(self, what: str) -> Path:
        path = machine.WORK / f"bus-{self._contestant.name}-{what}.json"
        path.unlink(missing_ok=True)
        return path

    def _spawn(
        self, command: tuple[str, ...], events: int, result: Path, core: int
    ) -> subprocess.Popen[bytes]:
        environment = {
            "BENCH_BROKER": self._url,
            "BENCH_EVENTS": str(events),
            "BENCH_RESULT": str(result),
            "SKERRY_BUS": self._url,
        }
        return machine.spawn([str(self._python), *command], core=core, env=environment)


def _read(path: Path, process: subprocess.Popen[bytes], what: str) -> dict[str, float]:
    until = time.monotonic() + _PATIENCE
    while not path.exists():
        if time.monotonic() > until or (process.poll() is not None and not path.exists()):
            raise RuntimeError(f"{what} too little; see .bench/servers.log")
        time.sleep(0.02)
    found: dict[str, float] = json.loads(path.read_text())
    return found
