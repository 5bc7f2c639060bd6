"""Where the failures in one trace were born, and whom they hurt.

A call that fails makes its caller fail, and that one's caller: one broken thing is a dozen red
spans. So a failure is told once, where it was born: at the lowest span of a chain of failed ones.
Those above it are its victims.

The chain breaks where a span has not failed: an attempt that was repeated with success is a
failure of whoever was called, and nobody's victim.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from .model import CLIENT, CONSUMER, PRODUCER, SERVER, Event, Span, Trace
from .tree import Node, tree

Kind = Literal["exception", "problem", "unanswered", "error"]

UNANSWERED = "skerry.unanswered"
"""Which app a call was for, where it has found nobody to ask."""

_REFUSED = re.compile("4[0-9][0-9]")
_FRAME = re.compile(
    r'^ *File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>.+)$', re.MULTILINE
)
_LIBRARY = re.compile(r"[/\\](?:site-packages|dist-packages|lib[/\\]python3[^/\\]*)[/\\]|^<")


class Victim(Struct, frozen=True, order=True):
    """An operation that failed because another did."""

    service: str
    operation: str


class Failure(Struct, frozen=True):
    """One failure, where it was born.

    Attributes:
        service: whose it is: who raised or refused, or who should have answered.
        operation: what was asked of it.
        kind: ``exception`` (raised, and nobody had foreseen it), ``problem`` (an answer that its
            contract declares), ``unanswered`` (the caller got none), ``error`` (anything else).
        type: of the exception or problem; the status code where that is all there is.
        where: the innermost frame of the app's own code, ``payments/store.py settle``, and its
            ``line``; empty and 0 where no stack came along.
        stack: the traceback, if it came along; ``local`` are variables of its last frames.
        at: microseconds since 1970.
        release: the version of the service.
        handled: nobody's request failed of it.
        victims: who failed of it, nearest first; without the service itself.
    """

    service: str
    operation: str
    kind: Kind
    type: str
    message: str
    where: str
    line: int
    stack: str
    local: str
    at: int
    release: str
    trace_id: str
    span_id: str
    handled: bool
    victims: tuple[Victim, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """What failures have in common that are one and the same trouble.

        What breaks in one place of an app's code is one, whatever was asked for; so is an app that
        does not answer, which callers say in several ways: nobody listens, the breaker is open.
        """
        if self.kind == "unanswered":
            return self.service, self.kind
        asked = "" if self.where else self.operation
        return self.service, asked, self.kind, self.type, self.where


def failures(trace: Trace) -> list[Failure]:
    """The failures of a trace, in the order of the tree. ``trace`` must not be empty."""
    found = []
    for node in tree(trace).walk():
        if _failed(node) and not any(map(_failed, node.children)):
            failure = _failure(node)
            if failure is not None:
                found.append(failure)
        elif _is_problem(node):
            found.append(_problem(node))
    return found


def _failed(node: Node) -> bool:
    span = node.span
    if span is None:
        return False
    return "error" in span.tags or (span.more is not None and span.more.status == "ERROR")


def _is_problem(node: Node) -> bool:
    """Whether a service answered as its contract says it may, with something other than success."""
    span = node.span
    return span is not None and span.kind == SERVER and bool(_refusal(span))


def _refusal(span: Span) -> str:
    status = span.tags.get("http.response.status_code") or span.tags.get("http.status_code") or ""
    kind = span.tags.get("error.type", "")
    return kind if kind and not kind.isdecimal() and _REFUSED.fullmatch(status) else ""


def _problem(node: Node) -> Failure:
    span = node.span
    assert span is not None
    message = span.tags.get("skerry.problem", "")
    return _made(node, span, span.service or "", "problem", _refusal(span), message, Event(0, ""))


def _failure(node: Node) -> Failure | None:
    span = node.span
    assert span is not None
    raised = _raised(span)
    kind: Kind = "error"
    service = span.service or span.remote_service or ""
    nobody = span.tags.get(UNANSWERED, "")
    if nobody:
        kind, service = "unanswered", nobody
    elif raised.attributes:
        kind = "exception"
    elif span.kind in (CLIENT, PRODUCER) and span.remote_service is not None:
        if _status(span)[:1] == "4":
            if not any(_failed(above) for above in _above(node)):
                return None  # a refusal that its caller has understood
        else:
            kind, service = "unanswered", span.remote_service
    found = raised.attributes.get("exception.type") or span.tags.get("error.type") or _status(span)
    message = raised.attributes.get("exception.message") or _said(span)
    return _made(node, span, service, kind, found or "error", message, raised)


def _made(
    node: Node, span: Span, service: str, kind: Kind, type_: str, message: str, raised: Event
) -> Failure:
    stack = raised.attributes.get("exception.stacktrace", "")
    victims = tuple(_victims(node, service))
    where, line = _where(stack)
    served = span.kind in (SERVER, CONSUMER) or node.parent is None
    return Failure(
        service=service,
        operation=(span.name or "") if kind == "unanswered" else _operation(node),
        kind=kind,
        type=type_,
        message=message,
        where=where,
        line=line,
        stack=stack,
        local=raised.attributes.get("skerry.locals", ""),
        at=span.timestamp + span.duration,
        release=_release(span) if kind != "unanswered" else "",
        trace_id=span.trace_id,
        span_id=span.id,
        handled=not served and not any(_serves(above) for above in _above(node)),
        victims=victims,
    )


def _above(node: Node) -> Iterator[Node]:
    """The failed spans above one, without a gap."""
    above = node.parent
    while above is not None and _failed(above):
        yield above
        above = above.parent


def _serves(node: Node) -> bool:
    span = node.span
    return span is not None and (span.kind in (SERVER, CONSUMER) or node.parent is None)


def _victims(node: Node, culprit: str) -> Iterator[Victim]:
    seen: set[Victim] = set()
    for above in _above(node):
        span = above.span
        assert span is not None
        if not span.service or span.service == culprit or not _serves(above):
            continue
        victim = Victim(span.service, span.name or "")
        if victim not in seen:
            seen.add(victim)
            yield victim


def _operation(node: Node) -> str:
    """What the service was asked to do: the name of its own outermost span here."""
    span = node.span
    assert span is not None
    name, above = span.name or "", node
    while True:
        current = above.span
        if current is not None and current.service == span.service:
            name = current.name or name
            if current.kind in (SERVER, CONSUMER):
                return name
        if above.parent is None or (current is not None and current.service != span.service):
            return name
        above = above.parent


def _raised(span: Span) -> Event:
    """The last exception that the span tells of."""
    for event in reversed(span.more.events if span.more is not None else ()):
        if event.name == "exception":
            return event
    return Event(0, "")


def _said(span: Span) -> str:
    if span.more is not None and span.more.message:
        return span.more.message
    said = span.tags.get("error", "")
    return "" if said in ("true", "True") else said


def _status(span: Span) -> str:
    return span.tags.get("http.response.status_code") or span.tags.get("http.status_code") or ""


def _release(span: Span) -> str:
    resource = span.more.resource if span.more is not None else {}
    return resource.get("service.version") or span.tags.get("service.version", "")


def _where(stack: str) -> tuple[str, int]:
    """The innermost frame that is not a library's, by file and function, and its line."""
    frames = list(_FRAME.finditer(stack))
    own = [frame for frame in frames if not _LIBRARY.search(frame["file"])] or frames
    if not own:
        return "", 0
    file = re.split(r"[/\\]", own[-1]["file"])
    return f"{'/'.join(file[-2:])} {own[-1]['function']}", int(own[-1]["line"])
