"""``skerry logs``: what everyone prints, with the name of who did."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from skerry.fleet.client import Control, NotRunning
from skerry.fleet.logtext import readable

from .output import COLOURED_IN_TURN, coloured, fail, nearest, paint
from .place import fleet_file

_EVERYTHING = ""
_IN_A_TRACE = 2_000  # lines


Line: TypeAlias = dict[str, Any]


def logs(
    file: str,
    names: Sequence[str],
    lines: int,
    follow: bool,
    trace: str,
    level: str,
    grep: str,
    as_json: bool,
) -> int:
    """Print the last lines of these apps, instances or backings; then those that come."""
    which = {"trace": _id(trace), "level": level, "grep": grep}
    place = fleet_file(file)
    fleet = Control(place.parent)
    try:
        found = _running(fleet, names, lines, follow, which)
    except NotRunning:
        if follow:
            raise
        found = _kept(place, names, lines, which)
    show = _as_json if as_json else _Prefixed()
    for line in found:
        show(line)
        if follow:
            sys.stdout.flush()
    return 0


def of_trace(file: str, id: str) -> list[Line]:
    """What the fleet's apps have said in one trace."""
    place = fleet_file(file)
    which = {"trace": id, "level": "", "grep": ""}
    try:
        return list(_running(Control(place.parent), (), _IN_A_TRACE, False, which))
    except NotRunning:
        return list(_kept(place, (), _IN_A_TRACE, which))


def _id(trace: str) -> str:
    if len(trace) > 32 or trace.strip("0123456789abcdefABCDEF"):
        fail(f"{trace!r} is no trace's id: up to 32 hex digits; skerry trace ls has them")
    return trace.lower()


def _running(
    fleet: Control, names: Sequence[str], lines: int, follow: bool, which: dict[str, str]
) -> Iterator[Line]:
    ask = partial(fleet.logs, trace=which["trace"], level=which["level"], grep=which["grep"])
    if len(names) < 2:
        return ask(names[0] if names else _EVERYTHING, lines=lines, follow=follow)
    # What follows is asked for before what was, so that nothing is lost between the two.
    coming = ask(_EVERYTHING, lines=0, follow=True) if follow else iter(())
    past = [line for name in dict.fromkeys(names) for line in ask(name, lines=lines)]
    past.sort(key=lambda line: line["time"])
    return _joined(past[-lines:] if lines else [], coming, _wanted(fleet, names))


def _joined(
    past: list[Line],
    coming: Iterator[Line],
    wanted: Callable[[str], bool],
) -> Iterator[Line]:
    yield from past
    seen = {(line["time"], line["source"], line["text"]) for line in past}
    for line in coming:
        if wanted(line["source"]) and (line["time"], line["source"], line["text"]) not in seen:
            yield line


def _wanted(fleet: Control, names: Sequence[str]) -> Callable[[str], bool]:
    """Whether a process is one of those that are meant; new ones are looked up as they come."""
    known: dict[str, bool] = {}

    def look(source: str) -> bool:
        if source not in known:
            status = fleet.status()
            rows: list[dict[str, Any]] = [
                *status["instances"],
                *status["backings"],
                *status["edges"],
            ]
            known[source] = source in names or any(
                row["process"] == source and (row["app"] in names or row["id"] in names)
                for row in rows
            )
        return known[source]

    return look


def _kept(file: Path, names: Sequence[str], lines: int, which: dict[str, str]) -> Iterator[Line]:
    """What the files have, of a fleet that has ended."""
    folder = file.parent / ".skerry" / "logs"
    if not folder.is_dir():
        fail(f"no fleet has run in {file.parent} yet; start it with skerry up")
    import msgspec

    from skerry.fleet.loglines import Wanted
    from skerry.fleet.logsearch import find

    sources = {log.name.removesuffix(".log") for log in folder.glob("*.log")}
    meant = set().union(*(_sources_of(name, file, sources) for name in names))
    for line in find(folder, (meant if names else sources).__contains__, lines, Wanted(**which)):
        yield msgspec.to_builtins(line)


def _sources_of(name: str, file: Path, sources: set[str]) -> set[str]:
    """The logs that a name means; none of an app that has printed nothing."""
    if name in sources:
        return {name}
    from skerry.fleet.plan import units
    from skerry.spec import load

    fleet = load(file)
    processes = {name}
    for unit in (unit for wave in units(fleet) for unit in wave):
        if any(member.name == name for member in unit.members):
            processes.add(unit.name)
    known = [*fleet.apps, *fleet.backings]
    if name not in known:
        fail(f"nothing named {name!r} has a log in {file.parent}.{nearest(name, known)}")
    return {source for source in sources if source.rpartition("-")[0] in processes}


def _as_json(line: Line) -> None:
    print(json.dumps(line, ensure_ascii=False))


class _Prefixed:
    """Lines for people: the column of names grows when a longer one comes."""

    def __init__(self) -> None:
        self._width = 0
        self._colours: dict[str, str] = {}
        self._coloured = coloured(sys.stdout)

    def __call__(self, line: Line) -> None:
        source = line["source"]
        self._width = max(self._width, len(source))
        prefix = f"{source:{self._width}} |"
        if self._coloured:
            app = source.rpartition("-")[0] or source
            turn = len(self._colours) % len(COLOURED_IN_TURN)
            prefix = paint(prefix, self._colours.setdefault(app, COLOURED_IN_TURN[turn]))
        for text in readable(line, self._coloured).split("\n"):
            print(prefix, text)
