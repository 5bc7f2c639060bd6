"""Zipkin's in-memory storage in as few words as possible: slow, and what ours must agree with.

It is written after zipkin 3's ``InMemoryStorage`` and ``QueryRequest``, over plain JSON values,
and shares no code with the store. ``tests/collector/test_differential.py`` holds both against a
real zipkin-server.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

Json = dict[str, Any]


def low(trace_id: str) -> str:
    return trace_id[-16:]


def service(span: Json, side: str = "localEndpoint") -> str | None:
    return (span.get(side) or {}).get("serviceName")


class Oracle:
    """Spans must be as Zipkin would write them."""

    def __init__(self, strict: bool = True) -> None:
        self.strict = strict
        self.moments: dict[str, dict[int, list[Json]]] = defaultdict(dict)

    def accept(self, spans: list[Json]) -> None:
        for span in spans:
            moments = self.moments[low(span["traceId"])]
            same = moments.setdefault(span.get("timestamp", 0) // 1000, [])
            if span not in same:
                same.append(span)

    def spans(self, low_id: str) -> list[Json]:
        return [span for moment in self.moments.get(low_id, {}).values() for span in moment]

    def trace(self, trace_id: str) -> list[Json]:
        found = self.spans(low(trace_id))
        return [s for s in found if s["traceId"] == trace_id] if self.strict else found

    def traces(self, **query: Any) -> list[list[Json]]:
        end, limit = query["endTs"], query.get("limit", 10)
        begin = end - query.get("lookback", 86_400_000)
        wanted = query.get("serviceName")
        order = []
        for low_id, moments in self.moments.items():
            inside = [ms for ms in moments if begin <= ms <= end]
            known = wanted is None or any(service(s) == wanted for s in self.spans(low_id))
            if inside and known:
                order.append((max(inside), low_id))
        result: list[list[Json]] = []
        for _, low_id in sorted(order, reverse=True):
            if len(result) >= limit:
                break
            spans = self.spans(low_id)
            if not self.test(spans, query):
                continue
            if not self.strict:
                result.append(spans)
                continue
            groups: dict[str, list[Json]] = defaultdict(list)
            for span in spans:
                groups[span["traceId"]].append(span)
            result += [group for group in groups.values() if self.test(group, query)]
        return result

    def test(self, spans: list[Json], query: dict[str, Any]) -> bool:
        timed = [s for s in spans if s.get("timestamp")]
        roots = [s for s in timed if not s.get("parentId")]
        if not timed:
            return False
        began = roots[0]["timestamp"] if roots else min(s["timestamp"] for s in timed)
        begin = (query["endTs"] - query.get("lookback", 86_400_000)) * 1000
        if not begin <= began <= query["endTs"] * 1000:
            return False
        mine = [s for s in spans if query.get("serviceName") in (None, service(s))]
        checks = [bool(mine)] if query.get("serviceName") else []
        if query.get("remoteServiceName"):
            checks.append(
                any(service(s, "remoteEndpoint") == query["remoteServiceName"] for s in mine)
            )
        if query.get("spanName"):
            checks.append(any(s.get("name") == query["spanName"] for s in mine))
        for key, value in query.get("terms", {}).items():
            if value:
                checks.append(any(s.get("tags", {}).get(key) == value for s in mine))
            else:
                checks.append(
                    any(
                        key in s.get("tags", {})
                        or any(a["value"] == key for a in s.get("annotations", []))
                        for s in mine
                    )
                )
        least, most = query.get("minDuration"), query.get("maxDuration")
        if least:
            durations = [s.get("duration", 0) for s in mine]
            checks.append(any(least <= d and (most is None or d <= most) for d in durations))
        return all(checks)
