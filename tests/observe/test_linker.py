"""Links of traces that are hard to link, after Zipkin's own ``DependencyLinkerTest``."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.observe.linker import calls
from skerry.observe.merge import merged
from skerry.observe.tree import tree

from .spans import read, span, spans


def links(*some: dict[str, Any]) -> dict[tuple[str, str], tuple[int, int]]:
    """By caller and callee: how many calls, and how many of them failed."""
    found = list(calls(tree(read(*some))))
    counts = Counter((call.parent, call.child) for call in found)
    errors = Counter((call.parent, call.child) for call in found if call.error)
    return {pair: (count, errors[pair]) for pair, count in counts.items()}


def one(
    id: str, parent: str | None, kind: str | None, service: str | None = None,
    remote: str | None = None, error: bool = False, shared: bool = False,
) -> dict[str, Any]:  # fmt: skip
    tags = {"error": ""} if error else None
    return span(
        "a", id, parentId=parent, kind=kind, service=service, remote=remote, tags=tags,
        shared=shared or None,
    )  # fmt: skip


CASES = {
    "a server that lost its parent's id": (
        [
            one("b", None, "SERVER", "link", "arn", shared=True),
            one("b", "a", "CLIENT", "arn", "link"),
            one("a", None, "SERVER", "arn"),
        ],
        {("arn", "link"): (1, 0)},
    ),
    "a consumer whose producer names no broker": (
        [one("a", None, "PRODUCER", "p"), one("b", "a", "CONSUMER", "c", "kafka")],
        {("kafka", "c"): (1, 0)},
    ),
    "a producer whose consumer names no broker": (
        [one("a", None, "PRODUCER", "p", "kafka"), one("b", "a", "CONSUMER", "c")],
        {("p", "kafka"): (1, 0)},
    ),
    "two brokers": (
        [one("a", None, "PRODUCER", "p", "k1"), one("b", "a", "CONSUMER", "c", "k2")],
        {("p", "k1"): (1, 0), ("k2", "c"): (1, 0)},
    ),
    "no broker": ([one("a", None, "PRODUCER", "p"), one("b", "a", "CONSUMER", "c")], {}),
    "a server below a producer": (
        [one("a", None, "PRODUCER", "p"), one("b", "a", "SERVER", "s")],
        {("p", "s"): (1, 0)},
    ),
    "a server that shares a producer's span": (
        [one("a", None, "PRODUCER", "p"), one("a", None, "SERVER", "s", shared=True)],
        {("p", "s"): (1, 0)},
    ),
    "a consumer below a client": (
        [one("a", None, "CLIENT", "x"), one("b", "a", "CONSUMER", "y")],
        {},
    ),
    "a root that knows its caller": (
        [one("a", None, "SERVER", "server", "client")],
        {("client", "server"): (1, 0)},
    ),
    "both halves failed, and it counts once": (
        [one("a", None, "CLIENT", "c", error=True), one("b", "a", "SERVER", "s", error=True)],
        {("c", "s"): (1, 1)},
    ),
    "only the caller saw it fail": (
        [one("a", None, "CLIENT", "c", error=True), one("b", "a", "SERVER", "s")],
        {("c", "s"): (1, 1)},
    ),
    "one of two servers of one span failed": (
        [
            one("a", None, "CLIENT", "c"),
            one("b", "a", "SERVER", "s", "c", error=True),
            one("c", "a", "SERVER", "s", "c"),
        ],
        {("c", "s"): (2, 1)},
    ),
    "a local span between": (
        [
            one("a", None, "SERVER", "client"),
            one("b", "a", None),
            one("c", "b", "CLIENT", "server", error=True),
            one("d", "b", "CLIENT", "server"),
        ],
        {("client", "server"): (2, 0)},
    ),
    "a server that left no span": (
        [one("a", None, "SERVER", "foo"), one("b", "a", "CLIENT", "bar", "baz", error=True)],
        {("foo", "bar"): (1, 0), ("bar", "baz"): (1, 1)},
    ),
    "clients that do not say who they are": (
        [
            one("a", None, "SERVER", "client"),
            one("b", "a", "CLIENT", None, "server"),
            one("c", "a", "CLIENT", None, "server"),
        ],
        {("client", "server"): (2, 0)},
    ),
    "a service that calls itself": (
        [one("a", None, "SERVER", "web"), one("b", "a", "CLIENT", "web", "web")],
        {("web", "web"): (1, 0)},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_links(case: str) -> None:
    given, expected = CASES[case]
    assert links(*given) == expected
    assert links(*reversed(given)) == expected


@given(st.lists(spans, min_size=1, max_size=20))
def test_any_spans_make_a_tree_in_which_each_is_once(some: list[dict[str, Any]]) -> None:
    trace = read(*({**one, "traceId": "1"} for one in some))
    whole = merged(trace)
    nodes = list(tree(trace).walk())
    assert len({id(node) for node in nodes}) == len(nodes)
    kept = [id(span) for span in whole]
    assert len(nodes) <= len(kept)
    list(calls(tree(trace)))
