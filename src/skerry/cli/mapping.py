"""``skerry map``: who calls whom, as it was seen and as it is declared."""

from __future__ import annotations

import time
from typing import Any

from .collected import ask, collector
from .output import Failed, age, duration, echo_json, fail, note, often, paint, table
from .place import control, fleet_file
from .traces import seconds_of

_LONGEST = 86_400.0
_COLOURS = {"cause": "red", "victim": "yellow"}
_FROM_OUTSIDE = "(outside)"


def show(since: str, as_json: bool, url: str, file: str) -> int:
    """List the edges of the map, and say below where failures are born."""
    seconds = seconds_of(since)
    if not 0 < seconds <= _LONGEST:
        fail("a map looks back at most a day: --since 1m to --since 24h")
    found = drawn(_fleet(url, file), collector(url, file), seconds)
    if as_json:
        echo_json(found)
        return 0
    if not found["edges"]:
        note(f"nobody called anybody in the last {since}, and no app needs another")
    else:
        table(
            ("FROM", "TO", "WHAT", "COUNT", "RATE", "FAILED", "P50", "P99", "DECLARED", "TOPICS"),
            [_row(edge) for edge in found["edges"]],
            right=("COUNT", "RATE", "FAILED", "P50", "P99"),
            spare=("TOPICS", "P50", "COUNT"),
        )
    _remarks(found)
    return 0


def drawn(fleet: dict[str, Any], url: str, seconds: float) -> dict[str, Any]:
    """The document of the console's map.

    Args:
        fleet: the status of a fleet, or what stands in for it.
        url: of the collector.
    """
    import msgspec

    from skerry.console.drawing import draw
    from skerry.console.graph import Fleet, Seen, beginning, questions

    until = time.time()
    told = {name: ask(url, path) for name, path in questions(until, seconds).items()}
    window = {"since": beginning(until, seconds), "until": until}
    seen = msgspec.convert({**told, **window}, Seen)
    found: dict[str, Any] = msgspec.to_builtins(draw(msgspec.convert(fleet, Fleet), seen))
    return found


def _fleet(url: str, file: str) -> dict[str, Any]:
    """The fleet as it runs; beside a collector from elsewhere, what ``fleet.toml`` says of it."""
    if not url:
        return control(file).status()
    try:
        path = fleet_file(file)
    except Failed:
        if file:
            raise
        return {}
    from skerry.spec import load

    spec = load(path)
    return {
        "fleet": spec.name,
        "routes": dict(spec.front.routes) if spec.front else {},
        "systems": {name: backing.kind for name, backing in spec.backings.items()},
        "apps": [
            {
                "app": app.name,
                "kind": app.kind,
                "needs": list(app.needs),
                "owner": app.owner or "",
                "team": app.team or "",
            }
            for app in spec.apps.values()
        ],
    }


def _row(edge: dict[str, Any]) -> list[str]:
    quantiles = [edge["p50"], edge["p99"]]
    return [
        _named(edge["caller"]),
        edge["callee"],
        "events" if edge["messaging"] else "calls",
        str(edge["count"]),
        often(edge["rate"]) if edge["observed"] else "",
        f"{edge['errors'] / edge['count']:.1%}" if edge["errors"] else "",
        *("" if value is None else duration(value) for value in quantiles),
        _declared(edge),
        ", ".join(topic["topic"] for topic in edge["topics"]),
    ]


def _declared(edge: dict[str, Any]) -> str:
    if not edge["observed"]:
        return "yes, not seen"
    return {True: "yes", False: "no", None: ""}[edge["declared"]]


def _named(id: str) -> str:
    from skerry.console.graph import FRONT

    return _FROM_OUTSIDE if id == FRONT else id


def _remarks(found: dict[str, Any]) -> None:
    now = time.time()
    for node in found["nodes"]:
        if node["health"] == "victim":
            print(paint(f"\n{node['id']} fails for others' sake", _COLOURS["victim"]))
        if node["health"] != "cause":
            continue
        print(paint(f"\nfailures are born in {node['id']}", _COLOURS["cause"]))
        for one in node["troubles"]:
            what = f"{one['type'] or 'no answer'} in {one['where'] or one['operation']}"
            last = age(now - one["last"])
            print(f"    {what}: {one['count']} times, last {last} ago  {one['id'][:8]}")
    for edge in found["edges"]:
        if edge["declared"] is False:
            print(f"\n{edge['caller']} calls {edge['callee']} without needing it")
