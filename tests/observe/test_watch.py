"""From spans to incidents, standings and alerts."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from skerry.observe.alerts import Alert
from skerry.observe.incidents import Incident
from skerry.observe.model import SERVER, Trace
from skerry.observe.objectives import Objective
from skerry.observe.watch import AppPromises, Channels, Promises, Watch

from .test_blame import span, storm


class Place:
    """A store that is a dictionary, and a clock."""

    def __init__(self, folder: Path | None = None) -> None:
        self.now = 1_700_000_000.0
        self.traces: dict[str, Trace] = {}
        self.told: list[tuple[Alert, Channels]] = []
        self.watch = Watch(
            folder,
            lambda id: self.traces.get(id, []),
            lambda app: [],
            lambda alert, channels: self.told.append((alert, channels)),
            lambda: self.now,
        )

    def come(self, trace: Trace, number: int, parts: int = 1) -> None:
        """A trace comes in, in several parts."""
        at = int(self.now * 1e6)
        id = f"{number:032x}"
        whole = [replace(one, trace_id=id, timestamp=at + one.timestamp) for one in trace]
        for part in range(parts):
            piece = whole[part::parts]
            self.traces.setdefault(id, []).extend(piece)
            self.watch.seen(piece)

    def incidents(self) -> list[Incident]:
        return self.watch.look(lambda all: list(all.all()))

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += 0.5
            self.watch.round()


def good() -> Trace:
    return [
        span(1, None, "portal", "POST /pay", kind=SERVER),
        span(5, 1, "ledger", "PUT /events", kind=SERVER),
    ]


def test_an_app_that_fails_half_of_its_calls_is_one_incident_and_one_alert_within_seconds() -> None:
    place = Place()
    promises = {name: AppPromises(owner=f"{name}@x") for name in ("portal", "payments", "ledger")}
    place.watch.promise(Promises(promises, Channels(webhook="http://hook")))
    draw = random.Random(1)
    for number in range(1, 601):  # ten a second: a minute of quiet, and then trouble
        fails = number > 550 and draw.random() < 0.5
        place.come(storm() if fails else good(), number, parts=draw.randint(1, 3))
        if number % 5 == 0:
            place.wait(0.5)
        if number == 550:
            assert place.told == [] and place.incidents() == []
    (incident,) = place.incidents()
    assert (incident.service, incident.services) == ("ledger", ["ledger", "payments", "portal"])
    ((alert, channels),) = place.told
    assert (alert.app, alert.owner, alert.state) == ("ledger", "ledger@x", "firing")
    assert channels.webhook == "http://hook"
    assert alert.incidents == [incident.id]
    assert {broken.app for broken in alert.victims} == {"payments", "portal"}
    burning = {one.app for one in place.watch.standing() if one.burning == "page"}
    assert burning == {"ledger", "payments", "portal"}


def test_who_is_to_blame_is_decided_when_all_is_there() -> None:
    place = Place()
    place.come(storm()[:4], 1)
    place.watch.round()
    assert place.incidents() == []
    place.traces[f"{1:032x}"].append(replace(storm()[4], trace_id=f"{1:032x}"))
    place.wait(2)
    (incident,) = place.incidents()
    assert incident.kind == "exception"


def test_a_trace_that_does_not_end_is_looked_at_all_the_same() -> None:
    place = Place()
    for _ in range(10):
        place.come(storm(), 1)
        place.wait(0.5)
    assert place.incidents()


def test_in_a_storm_not_all_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skerry.observe.watch._WAITING", 10)
    place = Place()
    for number in range(1, 31):
        place.come(storm(), number)
    place.wait(2)
    (incident,) = place.incidents()
    assert incident.count == 10
    assert place.watch.skipped >= 20


def test_what_is_known_outlives_a_restart(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.come(storm(), 1)
    place.wait(2)
    place.watch.save()
    again = Place(tmp_path)
    assert [one.id for one in again.incidents()] == [one.id for one in place.incidents()]
    again.watch.promise(Promises({"ledger": AppPromises()}))
    assert {one.app: one.bad for one in again.watch.standing()}["ledger"] == 1
    (tmp_path / "objectives.bin").write_bytes(b"?")
    assert Place(tmp_path).watch.standing() == []


def test_what_is_resolved_and_seen_again_has_regressed() -> None:
    place = Place()
    place.come(storm(), 1)
    place.wait(2)
    (incident,) = place.incidents()
    place.watch.look(lambda all: all.resolve(incident, int(place.now * 1e6)))
    place.come(storm(), 2)
    place.wait(2)
    assert incident.state == "regressed"


def test_latency_is_a_promise_too() -> None:
    place = Place()
    place.watch.promise(Promises({"portal": AppPromises(objectives=[Objective(latency=0.01)])}))
    for number in range(1, 101):
        slow = [replace(good()[0], duration=20_000)]
        place.come(slow, number)
    place.wait(1)
    ((alert, _),) = place.told
    assert alert.causes[0].measure == "latency"


def test_who_has_been_told_outlives_a_restart(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.watch.promise(Promises({"ledger": AppPromises(owner="ledger@x")}))
    for number in range(1, 41):
        place.come(storm(), number)
    place.wait(3.0)
    (alert,) = place.watch.alerts()
    place.watch.save()
    assert Place(tmp_path).watch.alerts() == [alert]
    (tmp_path / "alerts.json").write_text("[{]")
    assert Place(tmp_path).watch.alerts() == []
