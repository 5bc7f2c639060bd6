"""Records that know where they were made, whoever prints them."""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from typing import Any

from skerry.core.context import current_trace

Ids = tuple[int, int, int]

heard: ContextVar[Callable[[BaseException], None] | None] = ContextVar("heard", default=None)
"""Who wants to know of exceptions that are logged as errors, in this context."""


def _hear(record: logging.LogRecord) -> None:
    if record.levelno >= logging.ERROR and record.exc_info and (hear := heard.get()) is not None:
        error = record.exc_info[1]
        if error is not None:
            hear(error)


def current_ids() -> Ids | None:
    """Trace, span and flags of whatever is current."""
    try:
        trace = current_trace()
    except Exception:  # somebody else's span: whoever logs must not hear of it
        return None
    return None if trace is None else (trace.trace_id, trace.span_id, trace.flags)


def mark(into: MutableMapping[str, Any], ids: Ids | None) -> None:
    if into.get("trace_id"):
        return  # who logs knows better
    if ids is None:
        into["trace_id"] = into["span_id"] = into["trace_flags"] = ""
    else:
        into["trace_id"], into["span_id"] = f"{ids[0]:032x}", f"{ids[1]:016x}"
        into["trace_flags"] = f"{ids[2]:02x}"


class TracedRecord(logging.LogRecord):
    """A record that knows where it was made.

    Its ids are attributes from when its message is first asked for, which every formatter does
    first. Before, ``extra={"trace_id": …}`` would be refused as an attempt to overwrite them.
    """

    __slots__ = ("_ids",)  # not in its dictionary, which other people's formatters print

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ids = current_ids()
        _hear(self)

    def getMessage(self) -> str:
        if "span_id" not in self.__dict__:
            mark(self.__dict__, self._ids)
        return super().getMessage()


class TraceFilter(logging.Filter):
    """Gives records ``trace_id``, ``span_id`` and ``trace_flags``, empty outside of traces: for
    handlers in a process whose records are not marked."""

    def filter(self, record: logging.LogRecord) -> bool:
        if "span_id" not in record.__dict__:
            ids = record._ids if isinstance(record, TracedRecord) else current_ids()
            mark(record.__dict__, ids)
        return True


def mark_records() -> None:
    """From now on every record of this process has ids; what others do to records stays."""
    before = logging.getLogRecordFactory()
    if before is logging.LogRecord:
        logging.setLogRecordFactory(TracedRecord)
    elif before is not TracedRecord and not getattr(before, "marks", False):
        logging.setLogRecordFactory(_Marking(before))


class _Marking:
    """A factory around somebody else's."""

    marks = True

    def __init__(self, inner: Callable[..., logging.LogRecord]) -> None:
        self._inner = inner

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._inner(*args, **kwargs)
        _hear(record)
        if type(record) is not logging.LogRecord:
            if not isinstance(record, TracedRecord):
                mark(record.__dict__, current_ids())
            return record
        traced = TracedRecord.__new__(TracedRecord)
        traced.__dict__ = record.__dict__
        traced._ids = current_ids()
        return traced
