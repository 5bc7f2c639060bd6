from __future__ import annotations

from dataclasses import astuple
from itertools import combinations

from bench.crash.cells import CALLERS, FAULTS, Cell, every, excluded, pairwise

from skerry.core.failpoint import POINTS


def pairs(cells: list[Cell]) -> set[object]:
    """A broker that is killed goes with a group of points, not with each."""
    found: set[object] = set()
    for cell in cells:
        for one, other in combinations(enumerate(astuple(cell)), 2):
            group = (0, cell.point.partition(".")[0])
            found.add((group if other == (1, "broker") else one, other))
    return found


def test_the_matrix_is_whole() -> None:
    cells = every()
    assert {cell.point for cell in cells} == set(POINTS)
    assert {cell.fault for cell in cells} == set(FAULTS)
    assert {cell.caller for cell in cells} == set(CALLERS)
    assert len(set(cells)) == len(cells)


def test_what_cannot_be_has_a_reason() -> None:
    assert "no server" in excluded(Cell("relay.after_claim", "database", "x", "embedded", "sqlite"))
    assert "no server" in excluded(Cell("relay.after_claim", "broker", "x", "embedded", "sqlite"))
    assert not excluded(Cell("relay.after_claim", "kill", "x", "embedded", "sqlite"))


def test_a_selection_misses_no_pair_and_is_the_same_for_a_seed() -> None:
    cells = every()
    chosen = pairwise(cells, 7)
    assert pairs(chosen) == pairs(cells)
    assert len(chosen) < len(cells) / 5
    assert chosen == pairwise(cells, 7) != pairwise(cells, 8)
