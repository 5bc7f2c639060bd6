"""Zipkin's v2 query API, as zipkin-server answers it, and what its UI asks for beside that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Annotated

import msgspec

from skerry.app.declare import Routes
from skerry.app.markers import Query
from skerry.app.responses import text
from skerry.core.wire import Headers, Response
from skerry.observe import ids
from skerry.observe.ids import Malformed
from skerry.observe.model import zipkin_json, zipkin_traces
from skerry.observe.query import DAY_MS, number, query

from .collector import Collector

_NAMES_AGE = "max-age=300, must-revalidate"
_FEW = 3  # names that are not cached: who is just beginning wants to see what is new

Parameter = Annotated[str | None, Query()]


def get_services(collector: Collector) -> Response:
    """Names of all services that recorded spans."""
    names = collector.read(lambda store: store.names())
    return _names(names.spans, len(names.spans) > _FEW)


def get_span_names(
    collector: Collector, service_name: Annotated[str | None, Query("serviceName")] = None
) -> Response:
    """Names of a service's spans."""
    if service_name is None:
        return _missing("serviceName")
    names = collector.read(lambda store: store.names())
    return _names(names.spans.get(service_name.lower(), ()), len(names.spans) > _FEW)


def get_remote_services(
    collector: Collector, service_name: Annotated[str | None, Query("serviceName")] = None
) -> Response:
    """Names of the services on the other side of a service's spans."""
    if service_name is None:
        return _missing("serviceName")
    names = collector.read(lambda store: store.names())
    return _names(names.remotes.get(service_name.lower(), ()), len(names.spans) > _FEW)


def get_autocomplete_keys(collector: Collector) -> Response:
    """Tags whose values can be asked for."""
    return _names(collector.settings.autocomplete_keys, True)


def get_autocomplete_values(collector: Collector, key: Parameter = None) -> Response:
    """Values of such a tag."""
    if key is None:
        return _missing("key")
    if not key:
        return text("key was empty", 400)
    values = collector.read(lambda store: store.names()).values.get(key, set())
    return _names(values, len(values) > _FEW)


def get_traces(
    collector: Collector,
    service_name: Annotated[str | None, Query("serviceName")] = None,
    remote_service_name: Annotated[str | None, Query("remoteServiceName")] = None,
    span_name: Annotated[str | None, Query("spanName")] = None,
    annotation_query: Annotated[str | None, Query("annotationQuery")] = None,
    min_duration: Annotated[str | None, Query("minDuration")] = None,
    max_duration: Annotated[str | None, Query("maxDuration")] = None,
    end_ts: Annotated[str | None, Query("endTs")] = None,
    lookback: Parameter = None,
    limit: Parameter = None,
) -> Response:
    """Traces that match all that is asked for, newest first.

    Args:
        span_name: ``all`` is any.
        annotation_query: ``error and http.method=GET``.
        min_duration: microseconds.
        end_ts: milliseconds since 1970; now, if absent.
        lookback: milliseconds before that; a day, if absent.
        limit: 10, if absent.
    """
    given = {
        "serviceName": service_name,
        "remoteServiceName": remote_service_name,
        "spanName": span_name,
        "annotationQuery": annotation_query,
        "minDuration": min_duration,
        "maxDuration": max_duration,
        "endTs": end_ts,
        "lookback": lookback,
        "limit": limit,
    }
    try:
        asked = query({k: v for k, v in given.items() if v is not None}, _now())
    except Malformed as error:
        return text(str(error), 400)
    return _json(zipkin_traces(collector.read(lambda store: store.traces(asked))))


def get_trace(collector: Collector, trace_id: str) -> Response:
    """The spans of one trace."""
    try:
        id = ids.trace_id(trace_id.strip())
    except Malformed as error:
        return text(str(error), 400)
    trace = collector.read(lambda store: store.trace(id))
    return _json(zipkin_json(trace)) if trace else text(f"{id} not found", 404)


def get_trace_many(
    collector: Collector, trace_ids: Annotated[str | None, Query("traceIds")] = None
) -> Response:
    """Several traces; those that are known."""
    if trace_ids is None:
        return _missing("traceIds")
    if not trace_ids:
        return text("traceIds parameter is empty", 400)
    wanted: dict[str, None] = {}
    try:
        for given in trace_ids.split(",", 999):
            id = ids.trace_id(given)
            if id in wanted:
                return text(f"redundant traceId: {given}", 400)
            wanted[id] = None
    except Malformed as error:
        return text(str(error), 400)
    if len(wanted) == 1:
        return text("Use /api/v2/trace/{traceId} endpoint to retrieve a single trace", 400)
    return _json(zipkin_traces(collector.read(lambda store: store.many(list(wanted)))))


def get_dependencies(
    collector: Collector,
    end_ts: Annotated[str | None, Query("endTs")] = None,
    lookback: Parameter = None,
) -> Response:
    """Who calls whom, and how often, in traces of the ``lookback`` up to ``endTs``."""
    given = {"endTs": end_ts, "lookback": lookback}
    values = {name: value for name, value in given.items() if value is not None}
    try:
        end, back = number(values, "endTs"), number(values, "lookback", DAY_MS)
        for name, value in (("endTs", end), ("lookback", back)):
            if value <= 0:
                raise Malformed(f"{name} <= 0")
    except Malformed as error:
        return text(str(error), 400)
    return _json(msgspec.json.encode(collector.read_totals(lambda s: s.dependencies(end, back))))


zipkin_api = Routes(tags=["zipkin"])

_QUERIES: dict[str, Callable[..., Response]] = {
    "/api/v2/services": get_services,
    "/api/v2/spans": get_span_names,
    "/api/v2/remoteServices": get_remote_services,
    "/api/v2/traces": get_traces,
    "/api/v2/trace/{trace_id}": get_trace,
    "/api/v2/traceMany": get_trace_many,
    "/api/v2/dependencies": get_dependencies,
    "/api/v2/autocompleteKeys": get_autocomplete_keys,
    "/api/v2/autocompleteValues": get_autocomplete_values,
}
for _path, _function in _QUERIES.items():
    zipkin_api.get(_path, media_type="application/json", timeout=11.0)(_function)
    # Zipkin's UI asks for the same below its own path.
    zipkin_api.get(f"/zipkin{_path}", name=f"ui_{_function.__name__}", hidden=True, timeout=11.0)(
        _function
    )


@zipkin_api.get("/zipkin/config.json", media_type="application/json")
async def get_config(collector: Collector) -> Response:
    """What Zipkin's UI is set to."""
    settings = collector.settings
    config = {
        "environment": "",
        "queryLimit": settings.query_limit,
        "defaultLookback": settings.query_lookback_ms,
        "searchEnabled": True,
        "logsUrl": None,
        "supportUrl": None,
        "archivePostUrl": None,
        "archiveUrl": None,
        "dependency": {"enabled": True, "lowErrorRate": 0.5, "highErrorRate": 0.75},
    }
    return _json(msgspec.json.encode(config), "max-age=600")


@zipkin_api.get("/health", media_type="application/json")
def get_health(collector: Collector) -> Response:
    """Whether spans can be kept, in the form in which Zipkin says so."""
    trouble = collector.keeper.trouble
    status = "UP" if trouble is None else "DOWN"
    store: dict[str, object] = {"status": status}
    if trouble is not None:
        store["details"] = {"error": trouble}
    document = {
        "status": status,
        "zipkin": {"status": status, "details": {"SkerryStorage{}": store}},
    }
    response = _json(msgspec.json.encode(document))
    response.status = 200 if trouble is None else 503
    return response


@zipkin_api.get("/info", media_type="application/json")
async def get_info() -> Response:
    """What answers here, for those that ask Zipkin."""
    return _json(msgspec.json.encode({"zipkin": {"version": "3"}, "skerry": {"app": "collector"}}))


def _names(names: Iterable[str], cached: bool) -> Response:
    return _json(msgspec.json.encode(sorted(names)), _NAMES_AGE if cached else "")


def _missing(name: str) -> Response:
    return text(f"{name} is required", 400)


def _json(body: bytes, cache: str = "") -> Response:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    if cache:
        headers.append((b"cache-control", cache.encode()))
    return Response(200, Headers(headers), body)


def _now() -> int:
    return time.time_ns() // 1_000_000
