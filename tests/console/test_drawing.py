"""The graph of a fleet, made of what is said of it and what was counted."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from skerry.console.drawing import draw
from skerry.console.graph import FRONT, NOW, Edge, Fleet, Map, Node, Seen, beginning, questions
from skerry.observe.totals import Edge as Flow
from skerry.observe.totals import Exemplar, Operation
from skerry.telemetry.histogram import Histogram

SINCE, UNTIL = 6_000.0, 6_300.0

SHOP = {
    "fleet": "harbour",
    "front": "http://127.0.0.1:8000",
    "routes": {"/": "portal"},
    "systems": {"database": "postgresql", "cache": "redis"},
    "apps": [
        {"app": "portal", "state": "ready", "ready": 1, "instances": 1, "needs": ["shop"]},
        {"app": "shop", "owner": "ann@example.org", "needs": ["bank", "database"]},
        {"app": "bank", "team": "money", "needs": ["database", "cache"]},
        {"app": "rates", "kind": "outside", "state": "external"},
    ],
    "backings": [{"app": "database", "state": "ready"}],
}


def rates(count: int, errors: int, seconds: float, trace: str) -> dict[str, Any]:
    durations = Histogram()
    for _ in range(count):
        durations.record(seconds)
    return {
        "count": count,
        "errors": errors,
        "rate": count / (UNTIL - SINCE),
        "mean": seconds,
        "p50": durations.quantile(0.5),
        "p95": durations.quantile(0.95),
        "p99": durations.quantile(0.99),
        "histogram": durations.document(),
        "slowest": [Exemplar(trace, seconds, errors > 0)] if trace else [],
    }


def flow(
    caller: str, callee: str, count: int = 10, errors: int = 0, topic: str = "",
    seconds: float = 0.1, trace: str = "",
) -> Flow:  # fmt: skip
    return Flow(
        caller=caller, callee=callee, messaging=bool(topic), topic=topic,
        **rates(count, errors, seconds, trace),
    )  # fmt: skip


def served(
    service: str, count: int, errors: int = 0, kind: str = "SERVER", trace: str = ""
) -> Operation:
    return Operation(service=service, name="get /", kind=kind, **rates(count, errors, 0.25, trace))


def trouble(service: str, *hurts: str, last: float = UNTIL - 5) -> dict[str, Any]:
    return {
        "id": "ab12", "service": service, "operation": "GET /", "type": "OSError",
        "where": "bank/app.py pay", "message": "locked", "count": 7, "last": last,
        "services": [service, *hurts],
    }  # fmt: skip


def drawn(fleet: dict[str, Any] = SHOP, **seen: Any) -> Map:
    window = {"since": SINCE, "until": UNTIL}
    return draw(msgspec.convert(fleet, Fleet), msgspec.convert({**window, **seen}, Seen))


def edge(found: Map, caller: str, callee: str, messaging: bool = False) -> Edge:
    (one,) = [
        one
        for one in found.edges
        if (one.caller, one.callee, one.messaging) == (caller, callee, messaging)
    ]
    return one


def node(found: Map, id: str) -> Node:
    (one,) = [one for one in found.nodes if one.id == id]
    return one


def test_without_traffic_there_is_what_is_declared() -> None:
    found = drawn()
    assert [(one.caller, one.callee) for one in found.edges] == [
        (FRONT, "portal"), ("bank", "cache"), ("bank", "database"), ("portal", "shop"),
        ("shop", "bank"), ("shop", "database"),
    ]  # fmt: skip
    assert all(one.declared and not one.observed and not one.count for one in found.edges)
    kinds = {one.id: (one.kind, one.state, one.system) for one in found.nodes}
    assert kinds == {
        "portal": ("app", "ready", ""), "shop": ("app", "", ""), "bank": ("app", "", ""),
        "rates": ("outside", "external", ""), "database": ("backing", "ready", "postgresql"),
        "cache": ("backing", "external", "redis"), FRONT: ("front", "", ""),
    }  # fmt: skip
    assert node(found, "shop").owner == "ann@example.org" and node(found, "bank").team == "money"
    assert node(found, FRONT).address == "http://127.0.0.1:8000"
    assert (found.fleet, found.since, found.until) == ("harbour", SINCE, UNTIL)


def test_nothing_at_all() -> None:
    assert drawn({}) == Map("", SINCE, UNTIL, [], [])


def test_calls_are_declared_or_not() -> None:
    flows = [flow("portal", "shop", 60, 6, trace="t1"), flow("portal", "bank"), flow("bank", "x.y")]
    found = drawn(flows=flows)
    one = edge(found, "portal", "shop")
    assert (one.declared, one.observed, one.count, one.errors, one.rate) == (True, True, 60, 6, 0.2)
    assert one.p99 == pytest.approx(0.1, rel=0.02)
    assert one.slowest == [Exemplar("t1", 0.1, True)]
    assert edge(found, "portal", "bank").declared is False
    assert edge(found, "bank", "x.y").declared is None  # nobody can need who is not of the fleet
    assert node(found, "x.y").kind == "foreign"
    assert not edge(found, "shop", "bank").observed


def test_events_are_one_edge_with_its_topics() -> None:
    flows = [
        flow("shop", "bank", 10, 1, "shop.paid", 0.1, "a"),
        flow("shop", "bank", 30, 0, "shop.ordered", 0.4, "b"),
        flow("shop", "bank", 5),
    ]
    found = drawn(flows=flows)
    one = edge(found, "shop", "bank", messaging=True)
    assert [(topic.topic, topic.count, topic.errors) for topic in one.topics] == [
        ("shop.ordered", 30, 0),
        ("shop.paid", 10, 1),
    ]
    assert (one.count, one.errors, one.declared) == (40, 1, None)
    assert one.rate == pytest.approx(40 / 300)
    assert one.p50 == pytest.approx(0.4, rel=0.02)  # of all durations, not of the quantiles
    assert [slow.trace_id for slow in one.slowest] == ["b", "a"]
    assert edge(found, "shop", "bank").count == 5


def test_nodes_say_what_they_handled() -> None:
    operations = [served("shop", 40, 4, trace="t"), served("shop", 10, 0, "CONSUMER")]
    flows = [flow("shop", "rates", 8, 2), flow("portal", "rates", 2)]
    found = drawn(flows=flows, operations=operations)
    shop = node(found, "shop")
    assert (shop.count, shop.errors) == (50, 4)
    assert shop.slowest == [Exemplar("t", 0.25, True)]
    rates = node(found, "rates")  # it sends no spans: by what its callers say
    assert (rates.count, rates.errors) == (10, 2) and rates.p99 == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize(
    ("caller", "name", "callee"),
    [
        ("shop", "database", "database"),  # by its own name
        ("shop", "postgresql", "database"),  # by what it is
        ("portal", "redis", "cache"),  # although it is not needed
        ("shop", "127.0.0.1", "database"),  # the only backing that shop needs
        ("shop", "localhost", "database"),
        ("bank", "localhost", "localhost"),  # one of two: nobody knows
        ("portal", "127.0.0.1", "127.0.0.1"),
        ("shop", "mysql", "mysql"),
    ],
)
def test_backings_are_known_by_address_and_kind(caller: str, name: str, callee: str) -> None:
    found = drawn(flows=[flow(caller, name)])
    (one,) = [one for one in found.edges if one.observed]
    assert one.callee == callee
    assert node(found, callee).count == 10


def test_requests_from_outside_are_those_that_nobody_made() -> None:
    flows = [flow("portal", "shop", 60, 3)]
    operations = [served("portal", 50, 5, trace="t"), served("shop", 100, 13)]
    found = drawn(flows=flows, operations=operations)
    direct = edge(found, FRONT, "portal")
    assert (direct.count, direct.errors, direct.declared) == (50, 5, True)
    assert direct.p99 is not None and direct.slowest == [Exemplar("t", 0.25, True)]
    rest = edge(found, FRONT, "shop")
    assert (rest.count, rest.errors, rest.declared, rest.p99) == (40, 10, None, None)
    assert rest.rate == pytest.approx(40 / 300)
    outside = node(found, FRONT)
    assert (outside.count, outside.errors) == (90, 15)


def test_a_call_that_fell_into_another_minute_is_not_from_outside() -> None:
    found = drawn(flows=[flow("shop", "bank", 100)], operations=[served("bank", 102)])
    assert all(one.callee != "bank" for one in found.edges if one.caller == FRONT)
    events = drawn(operations=[served("bank", 9, kind="CONSUMER")])
    assert all(one.callee != "bank" for one in events.edges if one.caller == FRONT)


def test_the_cause_is_blamed_and_not_its_victims() -> None:
    flows = [flow("portal", "shop", 9, 9), flow("shop", "bank", 9, 9), flow("bank", "x.y", 9)]
    found = drawn(
        flows=flows,
        recent=flows,
        operations=[served("portal", 9, 9)],
        troubles=[trouble("bank", "shop", "portal", "rates")],
        alerts=[
            {"app": "bank", "state": "firing", "severity": "page"},
            {"app": "shop", "state": "resolved", "severity": "page"},
        ],
    )
    health = {one.id: one.health for one in found.nodes if one.health}
    assert health == {"bank": "cause", "shop": "victim", "portal": "victim"}  # rates is well now
    assert edge(found, "shop", "bank").health == "cause"
    assert edge(found, "portal", "shop").health == "victim"
    assert edge(found, FRONT, "portal").health == "victim"
    assert edge(found, "bank", "x.y").health == ""
    assert edge(found, "shop", "bank").failing == 9
    assert [one.message for one in node(found, "bank").troubles] == ["locked"]
    assert {one.id: one.alert for one in found.nodes if one.alert} == {"bank": "page"}


def test_who_calls_an_app_that_is_down_leaves_no_flow_and_is_its_victim() -> None:
    apps = [
        {"app": "portal", "needs": ["shop"]},
        {"app": "shop", "needs": ["bank"]},
        {"app": "bank", "state": "stopped"},
        {"app": "clock", "needs": ["bank"]},
    ]
    found = drawn(
        {"apps": apps},
        flows=[flow("portal", "shop", 9, 9), flow("shop", "bank", 50), flow("clock", "bank")],
        operations=[served("portal", 9, 9), served("shop", 59, 9), served("bank", 60)],
        lately=[served("portal", 9, 9), served("shop", 9, 9), served("clock", 9)],
        troubles=[trouble("bank", "shop", "portal", "clock")],
    )
    health = {one.id: one.health for one in found.nodes if one.health}
    assert health == {"bank": "cause", "shop": "victim", "portal": "victim"}
    assert edge(found, "shop", "bank").health == "cause"
    assert edge(found, "clock", "bank").health == ""


def test_what_is_over_is_past() -> None:
    flows = [flow("portal", "shop", 9, 9)]
    before = drawn(flows=flows, troubles=[trouble("shop", "portal", last=UNTIL - NOW - 1)])
    assert node(before, "shop").health == "past" and node(before, "portal").health == ""
    assert edge(before, "portal", "shop").health == ""
    long_ago = drawn(flows=flows, troubles=[trouble("shop", last=SINCE - 1)])
    assert node(long_ago, "shop").health == "" and node(long_ago, "shop").troubles == []
    both = drawn(troubles=[trouble("shop"), trouble("shop", last=UNTIL - NOW - 1)])
    assert node(both, "shop").health == "cause" and len(node(both, "shop").troubles) == 2


def test_two_causes_are_both_causes() -> None:
    flows = [flow("shop", "bank", 9, 9), flow("portal", "shop", 9, 9)]
    found = drawn(
        flows=flows, recent=flows, troubles=[trouble("bank", "shop"), trouble("shop", "portal")]
    )
    assert [node(found, name).health for name in ("bank", "shop", "portal")] == [
        "cause",
        "cause",
        "victim",
    ]


def test_windows_begin_with_a_minute() -> None:
    assert beginning(1_000_030.0, 300.0) == 999_720.0
    asked = questions(1_000_030.0, 300.0)
    assert asked["flows"] == "/api/skerry/edges?since=999720.0&until=1000030.0"
    assert asked["recent"] == "/api/skerry/edges?since=999960.0&until=1000030.0"
    assert set(asked) == set(Seen.__struct_fields__) - {"since", "until"}
