"""``python -m bench NAME [--json FILE] [--rounds N] [--seconds S]``: one of ``NAMES``, or all.

``python -m bench crash`` and ``soak`` try what the bus promises, ``steady`` that the collector does
not grow: for long, measuring no speed, with options of their own; ``opening``
how long a large trace takes to be seen in a browser.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from . import load, machine
from .rows import Report

NAMES = {
    "serve": "Serving a typed JSON POST",
    "hop": "A hop between two apps",
    "fleet": "A fleet of 58 small apps",
    "cli": "The command line",
    "bus": "The bus",
    "observe": "The collector and the span store",
    "span": "Recording spans",
    "logs": "Logs and exemplars",
}
TRIALS = {
    "crash": "bench.crash.main",
    "soak": "bench.crash.soak",
    "steady": "bench.steady",
    "opening": "bench.opening",
}
PAGE = machine.ROOT / "docs" / "performance.md"


def measure(name: str, rounds: int, seconds: float) -> Report:
    report = Report(name, f"{machine.describe()}; load by {load.generator()}")
    bench = import_module(f"bench.{name}")
    bench.run(report, rounds, seconds, lambda line: print(line, file=sys.stderr, flush=True))
    return report


def write_page(reports: list[Report]) -> None:
    """Put the tables into ``docs/performance.md``, between its markers."""
    text = PAGE.read_text()
    for report in reports:
        begin, end = f"<!-- bench {report.name} -->", f"<!-- end {report.name} -->"
        before, found, rest = text.partition(begin)
        if not found:
            before, rest = text + f"\n## {NAMES[report.name]}\n\n", end + "\n"
        after = rest.partition(end)[2]
        table = (
            f"{begin}\n`python -m bench {report.name}` on {report.machine}.\n\n{report.table()}\n"
        )
        text = f"{before}{table}{end}{after}"
    PAGE.write_text(text)


def main() -> int:
    if sys.argv[1:2] and sys.argv[1] in TRIALS:
        trial = import_module(TRIALS[sys.argv[1]])
        return int(trial.main(sys.argv[2:]))
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=[*NAMES, "all"])
    parser.add_argument("--json", type=Path, help="write the rows to this file as well")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default: 5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of load in each (default: 3)")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/")
    chosen = parser.parse_args()
    machine.WORK.mkdir(exist_ok=True)
    names = list(NAMES) if chosen.name == "all" else [chosen.name]
    reports = []
    for name in names:
        report = measure(name, chosen.rounds, chosen.seconds)
        print(f"\n{NAMES[name]} ({report.machine})\n\n{report.table()}\n", flush=True)
        reports.append(report)
        if chosen.json is not None:
            path = chosen.json
            if len(names) > 1:
                path = path.with_name(f"{path.stem}-{name}{path.suffix}")
            report.save(path)
    if chosen.write or chosen.name == "all":
        write_page(reports)
    return 0


if __name__ == "__main__":
    sys.exit(main())
