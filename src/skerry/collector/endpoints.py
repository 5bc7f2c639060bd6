"""Endpoints and event handlers: rate, errors and durations of each, now and over time.

What the console's page and ``skerry endpoints`` show is put together here, where the totals are:
histograms of a large fleet would be most of what goes over the wire otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from skerry.app.declare import Routes
from skerry.core.errors import BadRequest, Overloaded
from skerry.observe.incidents import Incidents
from skerry.observe.objectives import Standing
from skerry.observe.series import Series, Steps, Trend, Wanted, steps
from skerry.observe.store import Store
from skerry.observe.totals import Figures, Key, figures
from skerry.observe.watch import AppPromises

from .collector import Collector

Kind = Literal["", "SERVER", "CONSUMER"]

_HOUR = 3600.0
_LONGEST = 86_400.0
_SHORT = 62  # steps of a trend: an hour in minutes, and what has begun of the next


class Endpoint(Figures, frozen=True, kw_only=True):
    """One kind of request or event that an app handles.

    Attributes:
        name: as spans have it, ``post /quotes`` or ``process payments.settled``.
        kind: SERVER for requests, CONSUMER for events.
        owner, team: whose it is; empty for nobody in particular.
        counts, failed: calls in each step of the window, and those that failed.
        incidents: ids of those that are not resolved and that it fails of.
        series: what a chart shows of it; null unless that was asked for.
    """

    service: str
    name: str
    kind: str
    owner: str
    team: str
    counts: list[int]
    failed: list[int]
    incidents: list[str]
    series: Series | None = None


class Endpoints(Struct, frozen=True, kw_only=True):
    """All of them that were asked for anything in a window.

    Attributes:
        since, until: seconds since 1970; a step begins at ``since``.
        step: seconds of a step.
        partial: whether the last step goes on: it has not all of its calls yet.
        endpoints: by app and name.
        objectives: what these apps have promised, and how that stands.
    """

    since: float
    until: float
    step: int
    partial: bool
    endpoints: list[Endpoint]
    objectives: list[Standing]


endpoints = Routes("/api/skerry", tags=["skerry"])


@endpoints.get("/endpoints", raises=[BadRequest, Overloaded], timeout=20.0)
def get_endpoints(
    collector: Collector,
    service: str = "",
    name: str = "",
    kind: Kind = "",
    since: float | None = None,
    until: float | None = None,
    series: bool = False,
) -> Endpoints:
    """Rate, errors and durations of each endpoint and handler, with how they were over time.

    Args:
        service, name, kind: only these; empty for any.
        since: seconds since 1970, a day before ``until`` at most; an hour, if absent.
        until: now, if absent.
        series: what charts show of each as well; of one service.
    """
    if series and not service:
        raise BadRequest(detail="series are told of one service: say which")
    begin, end = _window(since, until)
    asked, of = Wanted(service.lower(), name.lower(), kind), steps(begin, end, _SHORT)
    found = collector.read_totals(lambda store: store.trends(of, asked))
    promises = collector.watching.promises.apps
    troubles = collector.watch.look(_troubles)
    rows = [
        _endpoint(key, trend, of, promises.get(key[1], AppPromises()), troubles)
        for key, trend in sorted(found.items())
    ]
    if series:
        rows = collector.read(lambda store: _with_series(store, rows, begin, end))
    return Endpoints(
        since=of.since,
        until=end,
        step=of.seconds,
        partial=of.covered(of.count - 1) < of.seconds,
        endpoints=rows,
        objectives=_promised(collector.watch.standing(), asked),
    )


@endpoints.get("/series", raises=[BadRequest, Overloaded], timeout=20.0)
def get_series(
    collector: Collector,
    service: str,
    name: str = "",
    kind: Kind = "",
    since: float | None = None,
    until: float | None = None,
) -> Series:
    """What an endpoint or a handler did over time, or all of an app's together.

    Args:
        name, kind: only these; empty for all.
        since: seconds since 1970, a day before ``until`` at most; an hour, if absent.
        until: now, if absent.
    """
    begin, end = _window(since, until)
    return collector.read_totals(lambda store: store.series(begin, end, service, name, kind))


def _window(since: float | None, until: float | None) -> tuple[float, float]:
    end = time.time() if until is None else until
    begin = end - _HOUR if since is None else since
    if not 0 <= begin <= end < 1e11:
        raise BadRequest(detail="since and until are seconds since 1970, and since is not later.")
    if end - begin > _LONGEST:
        raise BadRequest(detail="A window is a day at most.")
    return begin, end


_Troubles = dict[tuple[str, str], list[str]]
"""Ids of incidents, by whom they hurt: app and operation."""


def _troubles(all: Incidents) -> _Troubles:
    found: _Troubles = {}
    for one in all.all():
        if one.state == "resolved" or one.kind == "problem":
            continue
        for hurt in {(each.service, each.operation.lower()) for each in (*one.asked, *one.hurt)}:
            found.setdefault(hurt, []).append(one.id)
    return found


def _endpoint(
    key: Key, trend: Trend, of: Steps, whose: AppPromises, troubles: _Troubles
) -> Endpoint:
    _, service, name, kind = key
    named = name.lower()
    owners = {operation.lower(): owner for operation, owner in whose.owners.items()}
    return Endpoint(
        service=service,
        name=name,
        kind=kind,
        owner=owners.get(named) or whose.owner,
        team=whose.team,
        counts=trend.counts,
        failed=trend.failed,
        incidents=troubles.get((service, named), []),
        **figures(trend.total, of.until - of.since),
    )


def _with_series(
    store: Store, rows: Iterable[Endpoint], since: float, until: float
) -> list[Endpoint]:
    return [
        replace(row, series=store.series(since, until, row.service, row.name, row.kind))
        for row in rows
    ]


def _promised(all: Iterable[Standing], asked: Wanted) -> list[Standing]:
    """Those of an endpoint, and of the app as a whole, which are its own as well."""
    return [
        one
        for one in all
        if asked.service in ("", one.app.lower())
        and (not one.endpoint or asked.name in ("", one.endpoint.lower()))
    ]
