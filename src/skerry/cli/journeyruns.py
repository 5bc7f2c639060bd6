"""``skerry journey runs`` and ``show``: what came of the probe's runs, from the files it keeps."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

from msgspec import to_builtins

from skerry.fleet.attendants import JOURNEYS
from skerry.journeys.archive import Archive
from skerry.journeys.model import Result, StepResult

from .output import age, duration, echo_json, fail, nearest, note, paint, table
from .place import fleet_file

_BAR = 40  # columns for the time of a run


def runs(name: str, failed: bool, count: int, as_json: bool, file: str) -> int:
    """List runs, newest first; 1 where the newest of a journey has failed."""
    archive, known = _archive(file)
    if name and name not in known:
        fail(f"there is no run of a journey {name!r}.{nearest(name, known)}")
    names = [name] if name else known
    found = [
        result
        for one in names
        for result in archive.runs(one, None if failed else count)
        if not (failed and result.ok)
    ]
    found = sorted(found, key=lambda one: one.run, reverse=True)[:count]
    if as_json:
        echo_json(to_builtins(found))
        return 0
    if not found:
        note("no run has failed" if failed else _NONE)
    now = time.time()
    table(
        ("RUN", "JOURNEY", "ENDED", "TOOK", "WHEN", "WHAT FAILED"),
        [
            [
                one.run,
                one.journey,
                paint("ok", "green") if one.ok else paint("failed", "red"),
                duration(one.duration),
                f"{age(now - one.started.timestamp())} ago",
                _reason(one),
            ]
            for one in found
        ],
        right=("TOOK", "WHEN"),
    )
    return 0


def show(run: str, as_json: bool, file: str) -> int:
    """Show one run, step by step; 1 if it has failed."""
    archive, known = _archive(file)
    found = [one for name in known if (one := archive.run(name, run)) is not None]
    if not found:
        fail(f"no run has the id {run!r}; skerry journey runs has those that are kept")
    result = found[0]
    if as_json:
        echo_json(to_builtins(result))
    else:
        _draw(result, archive.folder)
    return 0 if result.ok else 1


_NONE = "no run is kept; [journeys] probe = true in fleet.toml has the fleet run them"


def _archive(file: str) -> tuple[Archive, list[str]]:
    folder = fleet_file(file).parent / ".skerry" / JOURNEYS
    archive = Archive(folder)
    return archive, archive.journeys()


def _reason(result: Result) -> str:
    error = result.error
    if error is None:
        return ""
    message = error.message.partition("\n")[0]
    return f"{error.step}: {message}" if error.step else message


def _draw(result: Result, folder: Path) -> None:
    ended = paint("ok", "green") if result.ok else paint("failed", "red")
    print(f"{result.journey}  {ended} in {duration(result.duration)}, {_local(result.started)}")
    width = max((len(step.name) + 2 * step.depth for step in result.steps), default=0)
    for step in result.steps:
        mark, colour = ("✓", "green") if step.ok else ("✗", "red")
        slow = paint(" slow", "yellow") if step.slow else ""
        name = f"{'  ' * step.depth}{step.name}".ljust(width)
        print(f"  {paint(mark, colour)} {name}  {_bar(step, result)}  {_took(step)}{slow}")
    error = result.error
    if error is not None:
        where = f" ({error.where})" if error.where else ""
        at = f"{error.step}: " if error.step else ""
        print(paint(f"  {at}{error.type}: {error.message}{where}", "red"))
    for shot in result.screenshots:
        print(f"  screenshot {shot.name}: {folder / result.journey / shot.file}")
    print(f"  trace {result.trace}; skerry trace show {result.trace}")


def _bar(step: StepResult, result: Result) -> str:
    whole = max(result.duration * 1000, 0.001)
    begin = min(round(_BAR * step.at / whole), _BAR - 1)
    length = max(1, min(round(_BAR * step.ms / whole), _BAR - begin))
    return " " * begin + "█" * length + " " * (_BAR - begin - length)


def _took(step: StepResult) -> str:
    return paint(duration(step.ms / 1000).rjust(8), "dim")


def _local(moment: datetime) -> str:
    return moment.astimezone().isoformat(sep=" ", timespec="seconds")
