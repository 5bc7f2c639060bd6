"""Who starts before whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.spec import AppSpec, BackingSpec, Fleet, cycles, order

ROOT = Path("/fleet")


def fleet(backings: str = "", **needs: str) -> Fleet:
    apps = {name: AppSpec(name, ROOT, needs=tuple(used.split())) for name, used in needs.items()}
    kinds = {name: BackingSpec(name, "redis") for name in backings.split()}
    return Fleet("f", ROOT, ROOT / "fleet.toml", apps, kinds)


@pytest.mark.parametrize(
    ("given", "waves"),
    [
        (fleet(), []),
        (fleet(a="", b=""), [["a", "b"]]),
        (fleet(a="b", b="c", c=""), [["c"], ["b"], ["a"]]),
        (fleet("db", a="b db", b="db", c=""), [["db", "c"], ["b"], ["a"]]),
        (fleet(a="b", b="a c", c="", d="a"), [["c"], ["a", "b"], ["d"]]),
        (fleet(a="b", b="c", c="b"), [["b", "c"], ["a"]]),
    ],
)
def test_waves(given: Fleet, waves: list[list[str]]) -> None:
    assert order(given) == waves


def test_only_some_and_what_they_need() -> None:
    given = fleet("db", a="b db", b="", c="a")
    assert order(given, ["a"]) == [["db", "b"], ["a"]]
    assert order(given, ["nobody"]) == []


def test_circles() -> None:
    assert cycles(fleet(a="b", b="a", c="d", d="e", e="c", f="a")) == [("a", "b"), ("c", "d", "e")]


def test_a_long_chain_is_no_deep_recursion() -> None:
    names = [f"a{number}" for number in range(3000)]
    needs = dict(zip(names, [*names[1:], ""], strict=True))
    assert order(fleet(**needs)) == [[name] for name in reversed(names)]


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), unique=True))
)
def test_a_need_stands_earlier_or_in_the_same_circle(graph: dict[str, list[str]]) -> None:
    apps = {name: " ".join(need for need in used if need in graph and need != name)
            for name, used in graph.items()}  # fmt: skip
    given = fleet(**apps)
    wave = {name: number for number, group in enumerate(order(given)) for name in group}
    assert wave.keys() == graph.keys()
    circle = {name: group for group in cycles(given) for name in group}
    for name, app in given.apps.items():
        for need in app.needs:
            together = name in circle and circle[name] == circle.get(need)
            assert wave[need] == wave[name] if together else wave[need] < wave[name]
