"""The layered layout of the map, run by Node.js where that is installed."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import skerry.console

STATIC = Path(skerry.console.__file__).parent / "static"
WIDTH, HEIGHT = 172, 50  # of a node
NODE = shutil.which("node")

Run: TypeAlias = Callable[..., list[Any]]
Link: TypeAlias = dict[str, Any]

SCRIPT = """
import { readFileSync } from "node:fs";
import { layout } from "./layout.js";
let before = null;
const found = [];
for (const { nodes, edges, anew } of JSON.parse(readFileSync(0))) {
  const began = performance.now();
  before = layout(nodes, edges, before, anew);
  const ms = performance.now() - began;
  const [places, routes] = [before.places, before.routes].map(Object.fromEntries);
  found.push({ ms, box: before.box, places, routes });
}
console.log(JSON.stringify(found));
"""

pytestmark = pytest.mark.skipif(NODE is None, reason="no Node.js: apt-get install nodejs")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Lays out graphs, each with the one before it as what stands."""
    for name in ("layout.js", "columns.js", "wiring.js"):
        shutil.copy(STATIC / name, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(SCRIPT)

    def ran(*graphs: tuple[list[str], list[Link]], anew: bool = False) -> list[Any]:
        asked = [{"nodes": nodes, "edges": edges, "anew": anew} for nodes, edges in graphs]
        done = subprocess.run(
            [str(NODE), "run.js"], cwd=tmp_path, input=json.dumps(asked), text=True,
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: list[Any] = json.loads(done.stdout)
        return found

    return ran


def links(text: str, soft: bool = False) -> list[Link]:
    """``a>b b>c``, with ``~`` instead of ``>`` for events."""
    found = []
    for word in text.split():
        start, sign, end = re.split("([>~])", word)
        found.append({"key": word, "from": start, "to": end, "soft": soft or sign == "~"})
    return found


def graph(text: str) -> tuple[list[str], list[Link]]:
    edges = links(text)
    return sorted({edge[end] for edge in edges for end in ("from", "to")}), edges


def fleet(seed: int, count: int = 58, edges: int = 120) -> tuple[list[str], list[Link]]:
    """Apps in tiers that call those below, and events from anybody to anybody."""
    chance = random.Random(seed)
    tiers = [min(4, int(5 * (number / count) ** 0.8)) for number in range(count)]
    names = [f"app-{number:02}" for number in range(count)]
    pairs: dict[tuple[int, int, bool], None] = {}
    while len(pairs) < edges:
        one, other = chance.sample(range(count), 2)
        soft = chance.random() < 0.02
        if soft or 0 < tiers[other] - tiers[one] <= 2:
            pairs[one, other, soft] = None
    return names, [
        {"key": f"{one} {other} {soft}", "from": names[one], "to": names[other], "soft": soft}
        for one, other, soft in pairs
    ]


def check(found: Any, nodes: list[str], edges: list[Link]) -> None:
    """Everything has a place of its own, and every edge a way."""
    places = {name: found["places"][name] for name in nodes}
    for (one, a), (other, b) in combinations(places.items(), 2):
        apart = abs(a["x"] - b["x"]) >= WIDTH or abs(a["y"] - b["y"]) >= HEIGHT
        assert apart, f"{one} lies over {other}"
    box = found["box"]
    for place in places.values():
        assert box["x"] <= place["x"] - WIDTH / 2 and place["x"] <= box["x"] + box["width"]
        assert box["y"] <= place["y"] - HEIGHT / 2 and place["y"] <= box["y"] + box["height"]
    assert set(found["routes"]) == {edge["key"] for edge in edges}
    for edge in edges:
        route = found["routes"][edge["key"]]
        assert re.fullmatch(r"[-MCLc\d. ]+", route["d"]), route["d"]
        spots = [route["tip"], *route["spots"]]
        assert route["spots"] and all(math.isfinite(spot[key]) for spot in spots for key in "xy")
        end = places[edge["to"]]
        assert abs(route["tip"]["x"] - end["x"]) <= WIDTH / 2 + 1
        assert abs(route["tip"]["y"] - end["y"]) <= HEIGHT / 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fleet_of_58_apps(run: Run, seed: int) -> None:
    nodes, edges = fleet(seed)
    (found,) = run((nodes, edges))
    check(found, nodes, edges)
    left = [edge for edge in edges if not edge["soft"]]
    assert all(found["places"][e["from"]]["x"] < found["places"][e["to"]]["x"] for e in left)
    assert 0.7 < found["box"]["width"] / found["box"]["height"] < 4
    assert found["ms"] < 2000  # tens of milliseconds where nothing else runs
    (again,) = run((nodes, edges))
    assert again["places"] == found["places"] and again["routes"] == found["routes"]


def test_edges_of_a_chain_are_straight_and_those_of_a_tree_do_not_cross(run: Run) -> None:
    (chain,) = run(graph("a>b b>c c>d"))
    assert len({place["y"] for place in chain["places"].values()}) == 1
    nodes, edges = graph("r>z r>a z>z1 z>z2 a>a1 a>a2")
    (tree,) = run((nodes, edges))
    check(tree, nodes, edges)
    height = {name: place["y"] for name, place in tree["places"].items()}
    below = [max(height["z1"], height["z2"]), min(height["a1"], height["a2"])]
    above = [max(height["a1"], height["a2"]), min(height["z1"], height["z2"])]
    assert below[0] < below[1] or above[0] < above[1]


def test_cycles_and_loops(run: Run) -> None:
    nodes, edges = graph("a>b b>c c>a c>c a~b b~a d>a")
    (found,) = run((nodes, edges))
    check(found, nodes, edges)
    ways = [found["places"][e["from"]]["x"] < found["places"][e["to"]]["x"] for e in edges[:3]]
    assert sorted(ways) == [False, True, True]


def test_events_do_not_say_who_stands_left_where_calls_do(run: Run) -> None:
    nodes, edges = graph("portal>payments payments>quotes quotes~portal payments~ledger")
    (found,) = run((nodes, edges))
    check(found, nodes, edges)
    x = {name: place["x"] for name, place in found["places"].items()}
    assert x["portal"] < x["payments"] < x["quotes"]
    assert x["payments"] < x["ledger"]


def test_what_stands_stays(run: Run) -> None:
    before = fleet(4, 30, 60)
    nodes, edges = before
    more = links("app-00>new new>app-05 app-03~app-04 lonely>other app-29>app-00")
    after = ([*nodes, "new", "lonely", "other"], [*edges, *more])
    first, second, third = run(before, after, before)
    for name in nodes:
        assert second["places"][name] == first["places"][name] == third["places"][name]
    check(second, *after)
    check(third, *before)
    assert second["places"]["new"]["x"] > second["places"]["app-00"]["x"]


def test_it_is_placed_anew_where_most_is_new_or_somebody_wishes(run: Run) -> None:
    small, large = graph("a>b"), graph("b>a a>c c>d d>e c>f a>g")
    _, found = run(small, large)
    assert found["places"]["b"]["x"] < found["places"]["a"]["x"]
    check(found, *large)
    nodes = ["a", "b", "c"]
    _, kept = run((nodes, links("a>b b>c")), (nodes, links("c>b b>a")))
    assert kept["places"]["a"]["x"] < kept["places"]["c"]["x"]
    _, fresh = run((nodes, links("a>b b>c")), (nodes, links("c>b b>a")), anew=True)
    assert fresh["places"]["c"]["x"] < fresh["places"]["a"]["x"]


def test_whom_nothing_joins_stands_below(run: Run) -> None:
    nodes = ["a", "b", *(f"lonely-{number}" for number in range(9))]
    edges = links("a>b")
    (found,) = run((nodes, edges))
    check(found, nodes, edges)
    assert all(found["places"][name]["y"] > found["places"]["a"]["y"] for name in nodes[2:])
    (alone,) = run((["one"], []))
    check(alone, ["one"], [])
    (nobody,) = run(([], links("a>b")))
    assert nobody["places"] == {} and nobody["routes"] == {}
