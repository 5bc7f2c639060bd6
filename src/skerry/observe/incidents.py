"""Failures that are one and the same trouble, counted as one incident.

A trace comes in pieces, and what was to blame for lack of an answer may turn out, a second later,
to have answered with an exception of its own. So what a trace says is always said anew: what it
had added before is taken off.

All is in memory, because there are few incidents however many failures; a file has them too, for
the next start. What is new since the last ``save`` is lost when the process is killed.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from .blame import Failure, Kind, Victim, failures
from .model import Trace

log = logging.getLogger("skerry.observe")

MINUTE = 60_000_000  # microseconds
DAY = 1440  # minutes

K = TypeVar("K")
State = Literal["open", "resolved", "regressed"]


class Sighting(Struct, frozen=True):
    """A trace in which an incident was seen."""

    trace_id: str
    span_id: str
    at: int


class Affected(Struct, frozen=True, order=True):
    """How often an operation has failed of an incident that was born elsewhere."""

    service: str
    operation: str
    count: int


class Incident(Struct):
    """One trouble.

    Attributes:
        id: 12 hex digits, the same in every collector.
        service, kind, where: what its failures have in common; see ``Failure``.
        operation: what was asked for most often when it was seen; ``operations`` has counts.
        type, line, message, stack, local: of the last failure that had them.
        state: ``regressed`` is open again after it was resolved.
        count: failures; ``handled`` of them hurt nobody's request.
        first, last: microseconds since 1970.
        releases: of the service, in the order in which they were seen with it; ``since`` is when
            each was first.
        resolved: when it was; 0 for never. ``settled`` are the releases that may still have it.
        affected: who else failed of it.
        seen: the last traces, newest first.
        minutes: failures by minute since 1970, of the last day.
    """

    id: str
    service: str
    operation: str
    kind: Kind
    type: str
    where: str
    line: int = 0
    message: str = ""
    stack: str = ""
    local: str = ""
    state: State = "open"
    count: int = 0
    handled: int = 0
    first: int = 0
    last: int = 0
    releases: list[str] = []
    since: dict[str, int] = {}
    operations: dict[str, int] = {}
    resolved: int = 0
    settled: list[str] | None = None
    affected: dict[str, dict[str, int]] = {}
    seen: list[Sighting] = []
    minutes: dict[int, int] = {}

    @property
    def services(self) -> list[str]:
        """The apps it hurts, itself first."""
        return [self.service, *sorted(self.affected)]

    @property
    def hurt(self) -> list[Affected]:
        """Who else failed of it, worst first."""
        found = [
            Affected(service, operation, count)
            for service, operations in self.affected.items()
            for operation, count in operations.items()
        ]
        return sorted(found, key=lambda one: (-one.count, one))

    @property
    def asked(self) -> list[Affected]:
        """What the service itself was asked for, most often first."""
        found = [Affected(self.service, name, count) for name, count in self.operations.items()]
        return sorted(found, key=lambda one: (-one.count, one))

    def sparkline(self, now: int, bars: int = 60, each: int = 1) -> list[int]:
        """Failures in each of the last ``bars`` times ``each`` minutes, oldest first."""
        first = (now // MINUTE // each - bars + 1) * each
        return [
            sum(self.minutes.get(minute, 0) for minute in range(begin, begin + each))
            for begin in range(first, first + bars * each, each)
        ]


class _Share(Struct, frozen=True):
    """What one failure of a trace has added to its incident."""

    incident: str
    operation: str
    minute: int
    handled: bool
    victims: tuple[Victim, ...]


_SEEN = 20  # traces that an incident points to
_TRACES = 20_000  # whose shares are remembered, in case more of them comes
_INCIDENTS = 2_000  # that are kept; the least recently seen go first
_RELEASES = 20
_LONGEST = 32_768  # characters of a stack, and of variables


class Incidents:
    """The incidents that a collector knows of.

    Args:
        path: of the file; None to keep nothing.
        most: how many are kept.
    """

    def __init__(self, path: Path | None = None, most: int = _INCIDENTS) -> None:
        self._path = path
        self._most = most
        self._known: OrderedDict[str, Incident] = OrderedDict()  # by when they were last seen
        self._shares: OrderedDict[str, list[_Share]] = OrderedDict()
        self._changed: set[str] = set()
        if path is not None:
            self._known.update((incident.id, incident) for incident in _restored(path))

    def observe(self, trace: Trace) -> list[Incident]:
        """Count the failures of a trace, instead of those it has been counted with before.

        Returns:
            the incidents that are new with it, or have come back.
        """
        if not trace:
            return []
        low = trace[0].trace_id[-16:]
        for share in self._shares.pop(low, ()):
            self._take(share)
        news, shares = [], []
        for failure in failures(trace):
            incident, is_news = self._add(failure)
            minute = failure.at // MINUTE
            shares.append(
                _Share(incident.id, failure.operation, minute, failure.handled, failure.victims)
            )
            if is_news:
                news.append(incident)
        if shares:
            self._shares[low] = shares
            if len(self._shares) > _TRACES:
                self._shares.popitem(last=False)
        return news

    def get(self, id: str) -> Incident | None:
        """The incident whose id begins with ``id``, if it is one."""
        found = [one for key, one in self._known.items() if key.startswith(id)]
        return found[0] if len(found) == 1 and id else None

    def all(self) -> Iterable[Incident]:
        """All of them, the one that was seen last first."""
        return reversed(self._known.values())

    def resolve(self, incident: Incident, now: int, *, by_next_release: bool = False) -> None:
        """Somebody says that it is over; if it is seen again, it has regressed.

        Args:
            by_next_release: the releases it was seen in may have it still.
        """
        incident.state = "resolved"
        incident.resolved = now
        incident.settled = list(incident.releases) if by_next_release else None
        self._changed.add(incident.id)

    def reopen(self, incident: Incident) -> None:
        incident.state = "open"
        self._changed.add(incident.id)

    def blame(self, since: int) -> dict[Victim, dict[str, int]]:
        """By failed operation, which services were to blame, and how often, since a minute; its
        own service among them.

        Args:
            since: a minute since 1970.
        """
        found: dict[Victim, dict[str, int]] = {}
        for shares in self._shares.values():
            for share in shares:
                if share.minute < since or share.incident not in self._known:
                    continue
                incident = self._known[share.incident]
                culprit = incident.service
                own = () if share.handled else (Victim(culprit, share.operation),)
                for victim in (*own, *share.victims):
                    blamed = found.setdefault(victim, {})
                    blamed[culprit] = blamed.get(culprit, 0) + 1
        return found

    def save(self) -> None:
        """Write what has changed. Blocks."""
        if self._path is None or not self._changed:
            return
        changed, self._changed = self._changed, set()
        _write(self._path, {id: self._known.get(id) for id in changed})

    def _add(self, failure: Failure) -> tuple[Incident, bool]:
        id = hashlib.sha256("\0".join(failure.key).encode()).hexdigest()[:12]
        incident = self._known.get(id)
        is_news = incident is None
        if incident is None:
            incident = Incident(
                id, failure.service, failure.operation, failure.kind, failure.type, failure.where
            )
            incident.first = failure.at
            self._known[id] = incident
            self._forget()
        elif _has_regressed(incident, failure):
            incident.state = "regressed"
            is_news = True
        self._known.move_to_end(id)
        self._changed.add(id)
        _count(incident, failure)
        return incident, is_news

    def _take(self, share: _Share) -> None:
        incident = self._known.get(share.incident)
        if incident is None:
            return
        self._changed.add(incident.id)
        incident.count -= 1
        incident.handled -= share.handled
        _change(incident.minutes, share.minute, -1)
        _asked(incident, share.operation, -1)
        for victim in share.victims:
            operations = incident.affected.get(victim.service, {})
            _change(operations, victim.operation, -1)
            if not operations:
                incident.affected.pop(victim.service, None)
        if incident.count <= 0 and not incident.resolved:
            del self._known[incident.id]

    def _forget(self) -> None:
        while len(self._known) > self._most:
            id, _ = self._known.popitem(last=False)
            self._changed.add(id)


def _has_regressed(incident: Incident, failure: Failure) -> bool:
    if incident.state != "resolved" or failure.at <= incident.resolved:
        return False
    if incident.settled is None:
        return True
    return bool(failure.release) and failure.release not in incident.settled


def _count(incident: Incident, failure: Failure) -> None:
    incident.count += 1
    incident.handled += failure.handled
    incident.first = min(incident.first, failure.at)
    incident.last = max(incident.last, failure.at)
    incident.type = failure.type
    incident.message = failure.message or incident.message
    _asked(incident, failure.operation, 1)
    if failure.stack:
        incident.line = failure.line
        incident.stack = failure.stack[-_LONGEST:]
        incident.local = failure.local[:_LONGEST]
    if failure.release:
        _released(incident, failure.release, failure.at)
    sighting = Sighting(failure.trace_id, failure.span_id, failure.at)
    others = [one for one in incident.seen if one != sighting]
    incident.seen = [sighting, *others][:_SEEN]
    for victim in failure.victims:
        operations = incident.affected.setdefault(victim.service, {})
        operations[victim.operation] = operations.get(victim.operation, 0) + 1
    minute = failure.at // MINUTE
    _change(incident.minutes, minute, 1)
    if len(incident.minutes) > DAY:
        newest = max(incident.minutes)
        incident.minutes = {m: n for m, n in incident.minutes.items() if m > newest - DAY}


def _released(incident: Incident, release: str, at: int) -> None:
    if release not in incident.releases:
        incident.releases = [*incident.releases, release][-_RELEASES:]
        kept = set(incident.releases)
        incident.since = {name: first for name, first in incident.since.items() if name in kept}
    incident.since[release] = min(incident.since.get(release, at), at)


def _asked(incident: Incident, operation: str, by: int) -> None:
    _change(incident.operations, operation, by)
    if incident.operations:
        incident.operation = max(incident.operations, key=incident.operations.__getitem__)


def _change(counts: dict[K, int], key: K, by: int) -> None:
    left = counts.get(key, 0) + by
    if left > 0:
        counts[key] = left
    else:
        counts.pop(key, None)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Incident).decode


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS incident (id TEXT PRIMARY KEY, last INTEGER, whole BLOB)"
    )
    return connection


def _restored(path: Path) -> list[Incident]:
    try:
        return _read(path)
    except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
        aside = path.with_name(f"{path.name}.corrupt-{time.time():.0f}")
        path.replace(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        said = "%s cannot be read (%s); it is now %s, and a new one begins"
        log.error(said, path, error, aside)  # noqa: TRY400 - the traceback says nothing more
        return []


def _read(path: Path) -> list[Incident]:
    with closing(_open(path)) as connection:
        rows = connection.execute("SELECT whole FROM incident ORDER BY last").fetchall()
    return [_decode(whole) for (whole,) in rows]


def _write(path: Path, changed: dict[str, Incident | None]) -> None:
    gone = [(id,) for id, incident in changed.items() if incident is None]
    kept = [(one.id, one.last, _encode(one)) for one in changed.values() if one is not None]
    with closing(_open(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("DELETE FROM incident WHERE id = ?", gone)
        connection.executemany("INSERT OR REPLACE INTO incident VALUES (?, ?, ?)", kept)
        connection.execute("COMMIT")
