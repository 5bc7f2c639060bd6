"""Lines of JSON are understood, whoever has written them; what is none is left as it is."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.fleet.loglines import Line, Wanted, level_of, understood, words
from skerry.fleet.logtext import readable

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
READ = "2026-01-02T03:04:05.100Z"


def read(document: Any, source: str = "quotes-1") -> Line:
    text = document if isinstance(document, str) else json.dumps(document)
    return understood(Line(READ, source, text))


def test_a_line_of_ours() -> None:
    found = read(
        {
            "time": "2026-01-02T03:04:05.099123Z",
            "level": "warning",
            "logger": "quotes.rates",
            "message": "old",
            "trace_id": TRACE,
            "span_id": SPAN,
            "trace_flags": "01",
            "app": "quotes",
            "instance": "quotes-1",
            "currency": "KRW",
        }
    )
    assert found == Line(
        "2026-01-02T03:04:05.099123Z",
        "quotes-1",
        "old",
        level="warning",
        logger="quotes.rates",
        trace=TRACE,
        span=SPAN,
        fields={"currency": "KRW"},
    )


FOREIGN = {
    "structlog": {"event": "m", "level": "warning", "logger": "l", "timestamp": READ},
    "python-json-logger": {"message": "m", "levelname": "WARNING", "name": "l", "asctime": READ},
    "google": {
        "severity": "WARNING",
        "message": "m",
        "logger": "l",
        "logging.googleapis.com/trace": f"projects/p/traces/{TRACE}",
        "logging.googleapis.com/spanId": SPAN,
    },
    "ecs": {
        "@timestamp": READ,
        "log": {"level": "warn", "logger": "l"},
        "message": "m",
        "trace": {"id": TRACE},
        "span": {"id": SPAN},
    },
    "ecs, dotted": {"log.level": "warn", "log.logger": "l", "message": "m", "trace.id": TRACE},
    "slog": {"time": READ, "level": "WARN", "msg": "m", "logger": "l", "traceId": TRACE.upper()},
    "zap": {"level": "warn", "ts": 1767323045.1, "msg": "m", "logger": "l"},
    "zerolog": {"level": "warn", "time": 1767323045, "message": "m", "logger": "l"},
    "logback": {"@timestamp": READ, "level": "WARN", "logger_name": "l", "message": "m"},
    "pino": {"level": 40, "time": 1767323045100, "msg": "m", "name": "l", "trace_id": TRACE},
    "rust": {"timestamp": READ, "level": "WARN", "fields": {"message": "m"}, "target": "l"},
    "serilog": {"@t": READ, "@m": "m", "@l": "Warning", "@tr": TRACE, "@sp": SPAN, "logger": "l"},
    "gelf": {"level": 4, "message": "m", "timestamp": 1767323045.1, "logger": "l"},
    "otel": {"message": "m", "level": "WARNING", "otelTraceID": TRACE, "name": "l"}
    | {"otelTraceSampled": True, "otelServiceName": "s"},
}


@pytest.mark.parametrize("document", FOREIGN.values(), ids=FOREIGN)
def test_lines_of_others(document: dict[str, Any]) -> None:
    found = read(document)
    assert (found.text, found.level, found.logger) == ("m", "warning", "l")
    assert found.time.startswith("2026-01-02T03:04:05")
    assert found.fields == {}
    assert found.trace == (TRACE if TRACE in json.dumps(document).lower() else "")
    assert found.span == (SPAN if SPAN in json.dumps(document) else "")


def test_datadogs_ids_are_decimal() -> None:
    low = str(int(TRACE[-16:], 16))
    for document in (
        {"message": "m", "dd.trace_id": low, "dd.span_id": str(int(SPAN, 16))},
        {"message": "m", "dd": {"trace_id": low, "span_id": int(SPAN, 16)}},
    ):
        assert (read(document).trace, read(document).span) == (TRACE[-16:], SPAN)
        assert Wanted(trace=TRACE).fits(read(document))
        raw = json.dumps(document).encode()
        assert any(needle in raw for needle in Wanted(trace=TRACE).needles())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "{",
        "{}",
        "{not json}",
        '{"a": 1}',
        '{"message": 3}',
        '{"msg": {"a": 1}}',
        '["message"]',
        '{"message": "a"} and more',
        '{"message": ' + "[" * 5000 + "}",
        '{"message": "a", "n": 1e99999}',
    ],
)
def test_what_is_no_record_is_left_as_it_is(text: str) -> None:
    line = Line(READ, "a-1", text)
    assert understood(line) == line
    assert readable(msgspec.structs.asdict(line)) == text


@given(
    st.dictionaries(
        st.sampled_from(["message", "level", "time", "trace_id", "log", "dd", "ts", "logger", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.sampled_from(["id", "level"]), inner)
            ),
            max_leaves=5,
        ),
    )
)
def test_whatever_an_object_has_nothing_is_lost(document: dict[str, Any]) -> None:
    line = Line(READ, "a-1", json.dumps(document))
    found = understood(line)
    readable(msgspec.structs.asdict(found), colour=True)
    if found != line:
        taken = [found.text, found.level, found.logger, found.trace, found.span]
        assert len(document) <= len(found.fields) + sum(map(bool, taken[1:])) + 1 + (
            found.time != READ
        )
    msgspec.json.decode(msgspec.json.encode(found), type=Line)


@pytest.mark.parametrize("told", ["2020-01-01T00:00:00Z", "2026-01-02T03:04:05", "soon", 0, -1e300])
def test_a_clock_that_cannot_be_right_is_shown_and_not_believed(told: Any) -> None:
    found = read({"message": "m", "time": told})
    assert found.time == READ
    assert found.fields == {"time": told}


@pytest.mark.parametrize("told", ["0" * 32, "xyz", "", 7, None, True, {"id": None}])
def test_what_is_no_trace_is_a_field(told: Any) -> None:
    found = read({"message": "m", "trace_id": told})
    assert found.trace == ""
    assert found.fields == {"trace_id": told}


def test_levels() -> None:
    numbers = {10: "debug", 20: "debug", 30: "info", 40: "warning", 50: "error", 60: "critical"}
    numbers |= {7: "debug", 6: "info", 5: "info", 4: "warning", 3: "error", 2: "critical"}
    numbers |= {0: "critical", 100: "critical"}
    for number, level in numbers.items():
        assert read({"message": "m", "level": number}).level == level, number
    assert read({"message": "m", "level": "FATAL"}).level == "critical"
    assert read({"message": "m", "level": "gold"}).fields == {"level": "gold"}
    assert level_of(Line("", "", "2025-01-01 10:00:00,123 ERROR cannot pay")) == "error"
    assert level_of(Line("", "", "[WARN] low")) == "warning"
    assert level_of(Line("", "", "no error at all")) == ""


def test_what_is_wanted() -> None:
    line = read(
        {
            "message": "Cannot pay",
            "level": "error",
            "trace_id": TRACE,
            "logger": "bank",
            "who": "Ada",
        }
    )
    info, plain = read({"message": "m", "level": "info"}), Line("", "", f"paid in {TRACE.upper()}")
    assert Wanted().everything
    for wanted, fits in (
        (Wanted(trace=TRACE), (True, False, True)),
        (Wanted(trace=TRACE[-16:]), (True, False, True)),
        (Wanted(level="warning"), (True, False, False)),
        (Wanted(level="debug"), (True, True, False)),
        (Wanted(grep="cannot PAY"), (True, False, False)),
        (Wanted(grep="who=ada"), (True, False, False)),
        (Wanted(grep="BANK"), (True, False, False)),
        (Wanted(grep="pa", level="error", trace=TRACE), (True, False, False)),
        (Wanted(grep="gold", level="error"), (False, False, False)),
    ):
        assert tuple(map(wanted.fits, (line, info, plain))) == fits, wanted


def test_people_read_it_so() -> None:
    document = {"message": "old", "level": "warning", "logger": "rates", "n": 3, "why": "no news"}
    document |= {"exception": "Traceback\n  here\nValueError: x", "trace_id": TRACE}
    text = json.dumps(document)
    said = 'WARNING rates: old n=3 why="no news" [4bf92f35]\nTraceback\n  here\nValueError: x'
    assert words(text) == said
    coloured = readable(msgspec.structs.asdict(read(text)), colour=True)
    assert coloured.startswith("\x1b[33mWARNING\x1b[0m ")
    assert words('{"message": "\\u001b[2Jgone", "n": 1}') == r"\x1b[2Jgone n=1"  # no terminal obeys
