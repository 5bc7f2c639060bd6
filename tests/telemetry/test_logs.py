"""Records know their trace, whoever prints them, and a line comes out whatever was logged."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import logging.handlers
import pickle
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.context import Context, Trace, attach, detach
from skerry.telemetry import logrecords, logs
from skerry.telemetry.logformat import LONGEST_LINE, JsonFormatter, TextFormatter, stamp

TRACE = Trace(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7)
IDS = {"trace_id": f"{TRACE.trace_id:032x}", "span_id": f"{TRACE.span_id:016x}"}


@contextmanager
def traced(trace: Trace = TRACE) -> Iterator[None]:
    token = attach(Context(trace))
    try:
        yield
    finally:
        detach(token)


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loggers are as in a new process, whatever tests before have made of them; whatever is
    configured in a test is undone after it."""
    names = ("uvicorn", "uvicorn.error", "uvicorn.access", "quotes", "quotes.rates")
    loggers = {logging.getLogger(): logging.WARNING}
    loggers |= {logging.getLogger(name): logging.NOTSET for name in names}
    before = [(one, one.level, one.disabled, one.propagate, list(one.handlers)) for one in loggers]
    factory, last = logging.getLogRecordFactory(), logging.lastResort
    for one, level in loggers.items():
        one.setLevel(level)
        one.disabled, one.propagate = False, True
        if one.parent is not None:
            one.handlers.clear()
    logging.setLogRecordFactory(logging.LogRecord)
    for name in (logs.FORMAT, logs.LEVEL, "SKERRY_APP", "SKERRY_INSTANCE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    token = attach(Context())  # other tests may have left one
    yield
    detach(token)
    for one, level, disabled, propagate, handlers in before:
        one.setLevel(level)
        one.disabled, one.propagate = disabled, propagate
        one.handlers[:] = handlers
    logging.setLogRecordFactory(factory)
    logging.lastResort = last


def alone() -> None:
    """Nothing is configured; pytest configures something just before a test begins."""
    logging.getLogger().handlers.clear()


@pytest.fixture
def log() -> logging.Logger:
    return logging.getLogger("quotes.rates")


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


def lines(said: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.getvalue().splitlines()]


# -- ids on records ----------------------------------------------------------------------------


def test_anybodys_format_can_have_the_ids(log: logging.Logger, said: io.StringIO) -> None:
    alone()
    logs.mark_records()
    form = "%(trace_id)s %(span_id)s %(trace_flags)s %(message)s"
    logging.basicConfig(stream=said, format=form, level=logging.INFO)
    with traced():
        log.info("inside")
    log.info("outside")
    inside, outside = said.getvalue().splitlines()
    assert inside == f"{IDS['trace_id']} {IDS['span_id']} 01 inside"
    assert outside == "   outside"


def test_the_ids_are_of_where_it_was_logged_and_not_of_where_it_is_written(
    log: logging.Logger, said: io.StringIO
) -> None:
    alone()
    logs.mark_records()
    waiting: queue.Queue[Any] = queue.Queue()
    later = logging.handlers.MemoryHandler(100, flushLevel=100, target=logging.StreamHandler(said))
    assert later.target is not None
    later.target.setFormatter(JsonFormatter())
    logging.basicConfig(
        handlers=[logging.handlers.QueueHandler(waiting), later], level=logging.INFO
    )
    with traced():
        log.info("quoted")
    later.flush()
    assert lines(said)[0]["trace_id"] == IDS["trace_id"]
    assert json.loads(JsonFormatter().format(waiting.get()))["trace_id"] == IDS["trace_id"]


def test_who_says_a_trace_knows_better(log: logging.Logger, said: io.StringIO) -> None:
    logs.configure("json", stream=said)
    with traced():
        log.info("as ever", extra={"trace_id": "abc", "span_id": "d"})
    assert (lines(said)[0]["trace_id"], lines(said)[0]["span_id"]) == ("abc", "d")


def test_records_of_somebody_elses_factory_have_ids_and_what_it_gave_them(
    log: logging.Logger, said: io.StringIO
) -> None:
    class Own(logging.LogRecord):
        pass

    for kind in (logging.LogRecord, Own):

        def factory(*args: Any, kind: Any = kind, **kwargs: Any) -> logging.LogRecord:
            record: logging.LogRecord = kind(*args, **kwargs)
            record.tenant = "kiel"
            return record

        logging.setLogRecordFactory(factory)
        logs.mark_records()
        logs.mark_records()  # twice is once
        logs.configure("json", stream=said)
        with traced():
            log.info("as ever")
    for found in lines(said):
        assert found["tenant"] == "kiel"
        assert found["trace_id"] == IDS["trace_id"]


def test_a_record_can_be_pickled(log: logging.Logger) -> None:
    logs.mark_records()
    with traced():
        record = log.makeRecord("a", logging.INFO, "f", 1, "m", (), None)
    assert logs.TracedRecord.getMessage(pickle.loads(pickle.dumps(record))) == "m"
    assert json.loads(JsonFormatter().format(pickle.loads(pickle.dumps(record)))) | IDS


def test_a_filter_marks_where_records_are_not(log: logging.Logger, said: io.StringIO) -> None:
    alone()
    handler = logging.StreamHandler(said)
    handler.setFormatter(logging.Formatter("%(trace_id)s %(message)s"))
    handler.addFilter(logs.TraceFilter())
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    with traced():
        log.info("inside")
    assert said.getvalue() == f"{IDS['trace_id']} inside\n"


def test_spans_of_opentelemetry_count(log: logging.Logger, said: io.StringIO) -> None:
    api = pytest.importorskip("opentelemetry.trace", reason="pip install opentelemetry-api")
    logs.configure("json", stream=said)
    context = api.SpanContext(0xABC, 0xDEF, False, api.TraceFlags(1))
    with api.use_span(api.NonRecordingSpan(context)):
        log.info("in theirs")
    assert lines(said)[0]["trace_id"] == f"{0xABC:032x}"
    assert lines(said)[0]["span_id"] == f"{0xDEF:016x}"


def test_a_broken_span_breaks_no_log(
    log: logging.Logger, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise RuntimeError("somebody's span")

    monkeypatch.setattr(logrecords, "current_trace", broken)
    logs.configure("json", stream=said)
    log.info("said all the same")
    assert lines(said)[0]["message"] == "said all the same"


# -- where they go -----------------------------------------------------------------------------


def test_the_last_resort_writes_what_nobody_else_does(
    log: logging.Logger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone()
    monkeypatch.setenv(logs.FORMAT, "json")
    monkeypatch.setenv("SKERRY_APP", "quotes")
    monkeypatch.setenv("SKERRY_INSTANCE", "quotes-1")
    logs.as_last_resort()
    with traced():
        log.info("quoted", extra={"amount": 3})
    log.debug("not said")
    logging.getLogger("uvicorn.error").info("started: not said, warnings are")
    logging.getLogger("uvicorn.error").warning("said")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info",
        "logger": "quotes.rates",
        "message": "quoted",
        **IDS,
        "trace_flags": "01",
        "app": "quotes",
        "instance": "quotes-1",
        "amount": 3,
    }
    assert second["message"] == "said"


@pytest.mark.parametrize("before", [True, False])
def test_who_configures_handlers_has_them_and_nothing_besides(
    before: bool,
    log: logging.Logger,
    said: io.StringIO,
    capsys: pytest.CaptureFixture[str],
) -> None:
    alone()
    if not before:
        logs.as_last_resort()
    logging.basicConfig(stream=said, format="%(levelname)s %(message)s", level=logging.DEBUG)
    if before:
        logs.as_last_resort()
    log.debug("mine")
    assert said.getvalue() == "DEBUG mine\n"
    assert capsys.readouterr().err == ""


def test_a_level_is_said_by_the_environment(
    log: logging.Logger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone()
    monkeypatch.setenv(logs.LEVEL, "warn")
    logs.as_last_resort()
    log.info("not said")
    assert capsys.readouterr().err == ""
    logging.getLogger().setLevel(logging.WARNING)
    monkeypatch.setenv(logs.LEVEL, "loud")
    logs.as_last_resort()
    assert "'loud' is no level" in capsys.readouterr().err
    with pytest.raises(ValueError, match="no level"):
        logs.configure(level="loud")


def test_configured_it_writes_everything_once(
    log: logging.Logger, said: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    alone()
    logging.basicConfig(level=logging.INFO)
    logs.as_last_resort()
    logs.configure(stream=said, level="debug")
    logs.configure(stream=said, level="debug")
    log.debug("once")
    assert said.getvalue().count("once") == 1
    assert capsys.readouterr().err == ""


def test_dictconfig_can_name_the_formatter(log: logging.Logger, said: io.StringIO) -> None:
    handler = {"class": "logging.StreamHandler", "formatter": "json", "filters": ["trace"]}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"trace": {"()": "skerry.telemetry.logs.TraceFilter"}},
            "formatters": {"json": {"()": "skerry.telemetry.logs.JsonFormatter", "app": "shop"}},
            "handlers": {"out": {**handler, "stream": said}},
            "root": {"handlers": ["out"], "level": "INFO"},
        }
    )
    with traced():
        log.info("hello")
    assert lines(said)[0]["app"] == "shop"
    assert lines(said)[0]["trace_id"] == IDS["trace_id"]


def test_flasks_own_handler_speaks_as_we_do_and_a_changed_one_as_it_was_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone()
    flask = pytest.importorskip("flask", reason="pip install flask")
    from flask.logging import default_handler

    before = default_handler.formatter
    monkeypatch.setenv(logs.FORMAT, "json")
    logs.as_last_resort()
    try:
        logs.join_libraries()
        flask.Flask("shop").logger.warning("low", extra={"left": 3})
        assert json.loads(capsys.readouterr().err)["left"] == 3
        own = logging.Formatter("mine: %(message)s")
        default_handler.setFormatter(own)
        logs.join_libraries()
        assert default_handler.formatter is own
    finally:
        default_handler.setFormatter(before)
        logging.getLogger("shop").handlers.clear()


# -- what a line says --------------------------------------------------------------------------


def test_what_its_form_shows_to_be_secret_is_hidden(log: logging.Logger, said: io.StringIO) -> None:
    logs.configure("json", stream=said)
    log.info("asks with password=%s, and Authorization: Bearer abcdefgh1234", "s3cret")
    log.info("answered %s", '{"token": "s3cret"}', extra={"asked": "/x?api_key=s3cret&page=2"})
    log.info("x" * 15_990 + ' "token": "s3cret"')
    first, second, third = lines(said)
    assert first["message"].startswith("asks with password=[redacted], and ")
    assert second["message"] == 'answered {"token": [redacted]}'
    assert second["asked"] == "/x?api_key=[redacted]&page=2"
    assert "s3cret" not in said.getvalue() and third["message"].endswith("…")


def test_what_is_secret_is_hidden(log: logging.Logger, said: io.StringIO) -> None:
    logs.configure("json", stream=said)
    basket = {"token": "t", "rows": [{"card_number": 4111, "n": 1}], "at": "http://u:p@host/"}
    log.info("to postgres://me:pass@host/db", extra={"password": "x", "basket": basket})
    found = lines(said)[0]
    assert found["message"] == "to postgres://[redacted]@host/db"
    assert found["password"] == "[redacted]"
    assert found["basket"] == {
        "token": "[redacted]",
        "rows": [{"card_number": "[redacted]", "n": 1}],
        "at": "http://[redacted]@host/",
    }


def test_an_exception_is_told_with_its_stack(log: logging.Logger, said: io.StringIO) -> None:
    logs.configure("json", stream=said)
    try:
        raise ValueError("no rate")
    except ValueError:
        log.exception("not quoted")
    assert lines(said)[0]["exception"].startswith("Traceback (most recent call last):")
    assert lines(said)[0]["exception"].endswith("ValueError: no rate")
    assert len(said.getvalue().splitlines()) == 1


class Evil:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class EvilError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_arguments_that_do_not_fit_are_shown(log: logging.Logger, said: io.StringIO) -> None:
    logs.configure("json", stream=said)
    log.info("%d of %s", "three")
    log.info("%s", Evil())
    log.info({"a": 1})
    messages = [found["message"] for found in lines(said)]
    assert messages[0].startswith("%d of %s") and "three" in messages[0]
    assert "RuntimeError" in messages[1]
    assert messages[2] == "{'a': 1}"


JSONLIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=10,
)


LEFT_OUT = {
    *("message", "asctime", "taskName", "trace_id", "span_id", "trace_flags", "color_message"),
    *("otelTraceID", "otelSpanID", "otelTraceSampled", "otelServiceName"),
}


@given(
    st.text(st.characters()),  # lone surrogates too
    st.dictionaries(st.text().filter(lambda k: k not in vars(logging.makeLogRecord({}))), JSONLIKE),
)
def test_a_line_comes_out_whatever_was_logged(message: str, extra: dict[str, Any]) -> None:
    record = logging.makeLogRecord({"msg": message, **extra})
    assert TextFormatter().format(record)
    text = JsonFormatter().format(record)
    assert b"\n" not in text.encode()
    found = json.loads(text, parse_constant=pytest.fail)
    assert isinstance(found["message"], str)
    assert not set(extra) - LEFT_OUT - set(found) - {name.removeprefix("extra.") for name in found}


@pytest.mark.parametrize("character", ["x", "\x00", "\N{SNOWMAN}", "\ud800"])
def test_a_line_has_an_end(character: str, log: logging.Logger, said: io.StringIO) -> None:
    logs.configure("json", stream=said)
    try:
        raise EvilError
    except EvilError:
        log.exception(character * 100_000, extra={f"f{n}": character * 9000 for n in range(99)})
    (text,) = said.getvalue().splitlines()
    assert len(text.encode()) <= LONGEST_LINE
    assert json.loads(text)["message"]
    assert "EvilError" in json.loads(text)["exception"]


def test_ours_are_not_overwritten(log: logging.Logger, said: io.StringIO) -> None:
    logs.configure("json", stream=said)
    log.info("hello", extra={"level": "worst", "time": 3, "logger": "me"})
    found = lines(said)[0]
    assert (found["level"], found["logger"]) == ("info", "quotes.rates")
    assert found["extra.level"] == "worst"
    assert found["extra.time"] == 3


def test_text_is_for_people() -> None:
    record = logging.makeLogRecord(
        {"name": "quotes", "levelname": "WARNING", "levelno": 30, "msg": "old", "created": 0.0}
    )
    record.currency, record.why, record.trace_id = "KRW", "no news", IDS["trace_id"]
    plain = '1970-01-01T00:00:00.000000Z WARNING quotes: old currency=KRW why="no news" [4bf92f35]'
    assert TextFormatter().format(record) == plain
    coloured = TextFormatter(colour=True).format(record)
    assert "\x1b[33mWARNING\x1b[0m" in coloured
    assert "00:00:00.000" in coloured


def test_a_stream_that_cannot_say_it_says_something(log: logging.Logger) -> None:
    raw = io.BytesIO()
    narrow = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    logs.configure("text", stream=narrow)
    log.info("\N{SNOWMAN}")
    assert b"\\u2603" in raw.getvalue()


def test_times_are_in_utc_with_microseconds() -> None:
    assert stamp(1_700_000_000.123456) == "2023-11-14T22:13:20.123456Z"
    assert stamp(1_700_000_001.5) == "2023-11-14T22:13:21.500000Z"


# -- structlog ---------------------------------------------------------------------------------


def test_events_of_structlog_have_ids() -> None:
    event: dict[str, Any] = {"event": "quoted", "amount": 3}
    assert logs.add_trace(None, "info", dict(event)) == event
    with traced():
        assert logs.add_trace(None, "info", dict(event)) == {**event, **IDS, "trace_flags": "01"}
        assert logs.add_trace(None, "info", {"trace_id": "mine"}) == {"trace_id": "mine"}


def test_events_of_structlog_are_rendered_as_records_are() -> None:
    try:
        raise ValueError("no rate")
    except ValueError as error:
        told = error
    with traced():
        event = logs.add_trace(None, "warning", {"event": "old", "token": "t", "exc_info": told})
    found = json.loads(logs.render_json(None, "warning", event))
    assert found.pop("time")
    assert found.pop("exception").endswith("ValueError: no rate")
    want = {"level": "warning", "message": "old", "token": "[redacted]", "trace_flags": "01"}
    assert found == {**want, **IDS}


@pytest.mark.parametrize("form", ["json", "text"])
def test_structlog_speaks_as_we_do_unless_it_was_told_otherwise(
    form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone()
    structlog = pytest.importorskip("structlog", reason="pip install structlog")
    monkeypatch.setenv(logs.FORMAT, form)
    structlog.reset_defaults()
    try:
        logs.as_last_resort()
        logs.join_libraries()
        with traced():
            structlog.get_logger().warning("old", currency="KRW", password="x")
            structlog.get_logger().debug("not said")
            try:
                raise ValueError("no rate")
            except ValueError:
                structlog.get_logger().exception("not quoted")
        told = capsys.readouterr().err
        if form == "json":
            old, wrong = map(json.loads, told.splitlines())
            assert (old["message"], old["level"], old["currency"]) == ("old", "warning", "KRW")
            assert old["trace_id"] == IDS["trace_id"] and old["password"] == "[redacted]"
            assert wrong["exception"].endswith("ValueError: no rate")
        else:
            assert "WARNING structlog: old currency=KRW" in told and "[4bf92f35]" in told
        structlog.reset_defaults()
        structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
        logs.join_libraries()
        assert len(structlog.get_config()["processors"]) == 1
    finally:
        structlog.reset_defaults()
