"""One alert for each thing that is broken."""

from __future__ import annotations

from skerry.observe.alerts import QUIET, Alert, Alerts, Broken
from skerry.observe.blame import Victim
from skerry.observe.objectives import Indicator, Measure, Objective, Severity

CALLS = {"portal": ["payments", "quotes"], "payments": ["ledger"]}


def alerts() -> Alerts:
    return Alerts(
        lambda app, operation: f"{operation or app}@owners",
        lambda app, operation: [f"incident of {app}"],
        lambda app: CALLS.get(app, []),
        lambda app, operation: app == "journeys",
    )


def burning(
    *names: str, measure: Measure = "availability", severity: Severity = "page"
) -> dict[str, list[tuple[Indicator, Severity]]]:
    promise = Objective(availability=99.0, latency=0.3)
    return {name: [(Indicator(name, promise, measure), severity)] for name in names}


STORM = {
    Victim("portal", "post /pay"): {"ledger": 40, "portal": 1},
    Victim("payments", "post /payments"): {"ledger": 40},
    Victim("ledger", "put /events"): {"ledger": 40},
}


def broken(app: str, measure: Measure = "availability") -> Broken:
    return Broken(app, "", measure)


def only(found: Alerts) -> Alert:
    (alert,) = found.all()
    return alert


def test_a_storm_is_one_alert_to_the_owner_of_its_cause() -> None:
    found = alerts()
    news = found.evaluate(burning("portal", "payments", "ledger"), STORM, 100.0)
    alert = only(found)
    assert news == [alert]
    assert (alert.app, alert.owner, alert.state) == ("ledger", "ledger@owners", "firing")
    assert alert.causes == [broken("ledger")]
    assert alert.victims == [broken("payments"), broken("portal")]
    assert alert.incidents == ["incident of ledger"]
    assert found.evaluate(burning("portal", "payments", "ledger"), STORM, 101.0) == []


def test_the_cause_need_not_have_promised_anything() -> None:
    found = alerts()
    found.evaluate(burning("portal"), STORM, 100.0)
    assert (only(found).app, only(found).causes) == ("ledger", [])


def test_two_things_are_two_alerts() -> None:
    found = alerts()
    blame = {**STORM, Victim("quotes", "post /quotes"): {"quotes": 9}}
    found.evaluate(burning("portal", "quotes"), blame, 100.0)
    assert {alert.app for alert in found.all()} == {"ledger", "quotes"}


def test_what_nobody_is_blamed_for_is_ones_own_after_a_while() -> None:
    found = alerts()
    found.evaluate(burning("portal"), {}, 100.0)
    assert found.all() == []
    found.evaluate({}, {}, 101.0)
    found.evaluate(burning("portal"), {}, 102.0)
    found.evaluate(burning("portal"), {}, 105.0)
    assert found.all() == []
    found.evaluate(burning("portal"), {}, 106.0)
    assert only(found).app == "portal"


def test_operations_that_are_somebodys_affair_have_alerts_of_their_own() -> None:
    found = alerts()
    promises = {name: Objective(name, availability=99.0) for name in ("pay", "refund", "look")}
    burning: dict[str, list[tuple[Indicator, Severity]]] = {
        "journeys": [
            (Indicator("journeys", promise, "availability"), "page")
            for promise in promises.values()
        ]
    }
    blame = {
        Victim("journeys", "pay"): {"ledger": 4},
        Victim("journeys", "refund"): {"journeys": 4, "ledger": 1},
        Victim("journeys", "look"): {"journeys": 4},
    }
    found.evaluate(burning, blame, 100.0)
    assert {(one.app, one.operation, one.owner) for one in found.all()} == {
        ("ledger", "", "ledger@owners"),
        ("journeys", "refund", "refund@owners"),
        ("journeys", "look", "look@owners"),
    }
    (ledger,) = [one for one in found.all() if one.app == "ledger"]
    assert ledger.victims == [Broken("journeys", "pay", "availability")]
    assert len({one.id for one in found.all()}) == 3
    over = found.evaluate({}, {}, 110.0) + found.evaluate({}, {}, 110.0 + QUIET)
    assert {one.name for one in over} == {"ledger", "journeys refund", "journeys look"}


def test_who_is_slow_of_itself() -> None:
    found = alerts()
    found.evaluate(burning("portal", "payments", "ledger", measure="latency"), {}, 100.0)
    assert only(found).app == "ledger"
    assert only(found).victims == [broken("payments", "latency"), broken("portal", "latency")]
    found = alerts()
    found.evaluate(burning("portal", "ledger", measure="latency"), {}, 100.0)
    assert {alert.app for alert in found.all()} == {"portal", "ledger"}  # payments is not slow


def test_it_is_over_when_it_has_been_quiet_for_a_while() -> None:
    found = alerts()
    found.evaluate(burning("ledger"), STORM, 100.0)
    assert found.evaluate({}, {}, 101.0) == []
    assert found.evaluate(burning("ledger"), STORM, 110.0) == []  # it was not over
    assert found.evaluate({}, {}, 120.0) == []
    (alert,) = found.evaluate({}, {}, 120.0 + QUIET)
    assert (alert.state, alert.until, alert.since) == ("resolved", 120.0, 100.0)
    assert found.all() == [alert]
    (second,) = found.evaluate(burning("ledger"), STORM, 200.0)
    assert second.id != alert.id and found.all() == [second, alert]


def test_what_burns_for_what_was_before_is_still_who_was_to_blame() -> None:
    found = alerts()
    found.evaluate(burning("portal"), STORM, 100.0)
    for second in range(101, 130):  # the ledger is well again; the budget of half an hour is not
        assert found.evaluate(burning("portal"), {}, float(second)) == []
    assert only(found).app == "ledger"
    found.evaluate({}, {}, 130.0)
    found.evaluate({}, {}, 130.0 + QUIET)
    found.evaluate(burning("portal"), {}, 200.0)
    found.evaluate(burning("portal"), {}, 210.0)
    assert found.all()[0].app == "portal"  # that was another time


def test_somebody_hears_when_it_gets_worse() -> None:
    found = alerts()
    found.evaluate(burning("ledger", severity="ticket"), STORM, 100.0)
    (alert,) = found.evaluate(burning("ledger", severity="page"), STORM, 101.0)
    assert alert.severity == "page"
    assert found.evaluate(burning("ledger", severity="ticket"), STORM, 102.0) == []


def test_they_go_on_after_a_restart() -> None:
    before = alerts()
    before.evaluate(burning("quotes"), {}, 90.0)
    before.evaluate(burning("quotes"), {}, 95.0)
    before.evaluate(burning("portal", "ledger"), STORM, 100.0)
    before.evaluate(burning("portal", "ledger"), STORM, 100.0 + QUIET)
    assert [(one.app, one.state) for one in before.all()] == [
        ("ledger", "firing"),
        ("quotes", "resolved"),
    ]
    after = alerts()
    after.load(before.dump())
    assert after.all() == before.all()
    # Who has been told is not told again, and hears of the end.
    assert after.evaluate(burning("portal", "ledger"), {}, 101.0 + QUIET) == []
    assert after.evaluate(burning("portal", "ledger"), {}, 110.0 + QUIET) == []
    assert after.evaluate({}, {}, 111.0 + QUIET) == []
    (news,) = after.evaluate({}, {}, 111.0 + 2 * QUIET)
    assert (news.app, news.state) == ("ledger", "resolved")


def test_of_two_that_break_at_once_each_owner_hears() -> None:
    found = alerts()
    blame = {Victim("portal", "post /pay"): {"ledger": 40, "schools": 20, "mail": 9}}
    found.evaluate(burning("portal"), blame, 100.0)
    assert only(found).app == "ledger"  # that of the others may yet be corrected
    (news,) = found.evaluate(burning("portal"), blame, 104.0)
    assert (news.app, news.causes, news.victims) == ("schools", [], [broken("portal")])
    assert found.evaluate(burning("portal"), blame, 105.0) == []


def test_who_was_blamed_too_soon_is_not_told() -> None:
    found = alerts()
    soon = {Victim("portal", "post /pay"): {"ledger": 40, "payments": 20}}
    found.evaluate(burning("portal"), soon, 100.0)
    found.evaluate(burning("portal"), STORM, 103.0)
    found.evaluate(burning("portal"), soon, 104.5)
    assert only(found).app == "ledger"


def test_what_is_over_tells_of_all_that_it_broke() -> None:
    found = alerts()
    found.evaluate(burning("portal", "payments", "ledger"), STORM, 100.0)
    found.evaluate(burning("portal"), STORM, 101.0)
    assert only(found).causes == [] and only(found).victims == [broken("portal")]
    found.evaluate({}, {}, 102.0)
    found.evaluate({}, {}, 102.0 + QUIET)
    assert only(found).state == "resolved" and only(found).causes == [broken("ledger")]
    assert only(found).victims == [broken("payments"), broken("portal")]
