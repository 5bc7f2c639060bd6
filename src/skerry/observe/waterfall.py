"""A trace as it is drawn: one row for each span, in order, with what only the whole tells.

Which span is on the critical path, which are attempts of one call, whose clock was off, whose
parent never came: the console and the terminal show the same, so it is found out once, here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec import Struct

from .critical import Stretch, Work, critical_path
from .digest import Share, own_time, shares, trouble
from .model import CLIENT, NOTICE, Link, Span, Trace
from .skew import correct
from .tree import Node, tree


class Moment(Struct, omit_defaults=True):
    """Something that happened during a span; ``at`` in microseconds since the trace began."""

    at: int
    name: str
    attributes: dict[str, str] = {}


class Row(Struct, omit_defaults=True):
    """One span in its place.

    Attributes:
        parent: number of the row above it in the tree; -1 for none.
        depth: how many there are above it; ``size``: rows of its subtree, itself included.
        start, duration, own: microseconds, since the trace began; how long it took; how much of
            that it took itself. ``start`` is null where nobody said.
        critical: stretches of the critical path, in microseconds since the trace began.
        error: what went wrong. Empty for nothing.
        attempt: which of how many for one call; how many is 0 where nobody knows.
        skew: microseconds by which it was moved because its clock was off.
        missing: id of its parent, which is not in the trace.
        notice: what was cut off on the way in.
        resource: number of the attributes of its process; -1 for none.
    """

    id: str
    app: str
    name: str
    kind: str = ""
    parent: int = -1
    depth: int = 0
    size: int = 1
    start: int | None = None
    duration: int = 0
    own: int = 0
    critical: list[Stretch] = []
    error: str = ""
    attempt: tuple[int, int] | None = None
    skew: int = 0
    missing: str = ""
    notice: str = ""
    remote: str = ""
    tags: dict[str, str] = {}
    events: list[Moment] = []
    links: list[Link] = []
    scope: str = ""
    state: str = ""
    resource: int = -1


class Waterfall(Struct):
    """A whole trace.

    Attributes:
        began: seconds since 1970; 0 where no span says.
        duration: microseconds.
        resources: attributes of the processes that took part.
        rows: parents before their children.
    """

    trace_id: str
    began: float
    duration: int
    errors: int
    apps: list[Share]
    resources: list[dict[str, str]]
    rows: list[Row]


def waterfall(trace: Trace) -> Waterfall:
    """``trace``, which must not be empty, as it is drawn."""
    top = tree(trace)
    moved = correct(top)
    nodes = list(_in_order(top))
    began = min((at for node in nodes if (at := _span(node).timestamp)), default=0)
    resources: list[dict[str, str]] = []
    known: dict[tuple[tuple[str, str], ...], int] = {}
    numbers = {node: number for number, node in enumerate(nodes)}
    present = {span.id for span in trace}
    rows: list[Row] = []
    for node in nodes:
        row = _row(node, moved.get(node, 0), began)
        above = None if node.parent is None else numbers.get(node.parent)
        if above is not None:
            row.parent, row.depth = above, rows[above].depth + 1
        span = _span(node)
        if span.parent_id is not None and span.parent_id not in present:
            row.missing = span.parent_id
        if span.more is not None and span.more.resource:
            key = tuple(sorted(span.more.resource.items()))
            row.resource = known.setdefault(key, len(known))
            if row.resource == len(resources):
                resources.append(span.more.resource)
        rows.append(row)
    for number in range(len(rows) - 1, -1, -1):
        if rows[number].parent >= 0:
            rows[rows[number].parent].size += rows[number].size
    _attempts(nodes, rows, numbers)
    _critical(rows)
    timed = [row for row in rows if row.start is not None]
    found = Waterfall(
        trace_id=max((span.trace_id for span in trace), key=len),
        began=began / 1e6,
        duration=max(((row.start or 0) + row.duration for row in timed), default=0),
        errors=sum(bool(row.error) for row in rows),
        apps=shares((_span(node), own_time(node)) for node in nodes),
        resources=resources,
        rows=rows,
    )
    top.clear()
    return found


def _in_order(root: Node) -> Iterator[Node]:
    waiting = [root] if root.span is not None else list(reversed(root.children))
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def _span(node: Node) -> Span:
    assert node.span is not None  # only a root that is made up has none, and that is no row
    return node.span


def _row(node: Node, moved: int, began: int) -> Row:
    span, more = _span(node), _span(node).more
    attempt = span.tags.get("skerry.attempt") or ""
    resent = span.tags.get("http.request.resend_count") or ""
    number = int(attempt) if attempt.isdigit() else int(resent) + 1 if resent.isdigit() else 0
    return Row(
        id=span.id,
        app=span.service or "",
        name=span.name or "",
        kind=span.kind or "",
        start=span.timestamp - began if span.timestamp else None,
        duration=span.duration,
        own=own_time(node),
        error=trouble(span),
        attempt=(number, 0) if number else None,
        skew=moved,
        notice=span.tags.get(NOTICE, ""),
        remote=span.remote_service or "",
        tags=span.tags,
        events=[_moved(moment, moved - began) for moment in _moments(span)],
        links=more.links if more is not None else [],
        scope=" ".join(filter(None, more.scope)) if more is not None else "",
        state=more.trace_state if more is not None else "",
    )


def _moments(span: Span) -> Iterator[Moment]:
    """Its events; annotations are those without attributes, and Zipkin's own."""
    events = span.more.events if span.more is not None else []
    for event in events:
        yield Moment(event.timestamp, event.name, event.attributes)
    told = {(event.timestamp, event.name) for event in events}
    for one in span.annotations:
        name = one.value[1:].partition('": {')[0] if one.value.startswith('"') else one.value
        if (one.timestamp, name) not in told:
            yield Moment(one.timestamp, one.value)


def _moved(moment: Moment, by: int) -> Moment:
    moment.at += by
    return moment


def _attempts(nodes: Sequence[Node], rows: list[Row], numbers: dict[Node, int]) -> None:
    """Number the calls below one logical call, which are made again or at the same time."""
    for node, row in zip(nodes, rows, strict=True):
        if row.kind or len(node.children) < 2:
            continue
        same: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for child in node.children:
            below = rows[numbers[child]]
            if below.kind == CLIENT and below.app == row.app:
                same[below.remote, below.name].append(below)
        for group in same.values():
            if len(group) > 1:
                for number, below in enumerate(group):
                    below.attempt = (number + 1, len(group))


def _critical(rows: list[Row]) -> None:
    """Mark the critical path, of all roots together where there are several."""
    end = max(((row.start or 0) + row.duration for row in rows), default=0)
    children: list[list[int]] = [[] for _ in range(len(rows) + 1)]
    for number, row in enumerate(rows):
        if row.start is not None:
            children[row.parent].append(number)  # -1 is the last: what is above all roots
    work = [
        Work(row.start or 0, (row.start or 0) + row.duration, below)
        for row, below in zip(rows, children, strict=False)
    ]
    work.append(Work(0, end, children[-1]))
    for row, stretches in zip(rows, critical_path(work, len(rows)), strict=False):
        row.critical = stretches
