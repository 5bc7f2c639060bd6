"""A trace in one line: what it was, how long it took, which apps took the time, what went wrong.

A list of traces is made of these, where the traces are: a hundred of thousands of spans each
would be more than a browser, or a terminal, is sent for a page.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from .model import NOTICE, Span, Trace
from .skew import correct
from .tree import Node, tree


class Share(Struct, omit_defaults=True):
    """One app's part in a trace.

    Attributes:
        seconds: that its spans took themselves, without what they waited for below them.
        errors: how many of its spans failed.
    """

    app: str
    spans: int = 0
    seconds: float = 0.0
    errors: int = 0


class Digest(Struct):
    """A trace in one line.

    Attributes:
        began: seconds since 1970; 0 where no span says.
        app, name: of its root, or of the first span where that is missing.
        seconds: from the first begin of a span to the last end of one.
        errors: how many spans failed; ``trouble`` is what the innermost of them says.
        apps: who took part, those first who took the most time.
        whole: whether its spans hang together, below one that may have been called from elsewhere.
        clipped: whether something of it was cut off or dropped on the way in.
    """

    trace_id: str
    began: float
    app: str
    name: str
    seconds: float
    spans: int
    errors: int
    trouble: str
    apps: list[Share]
    whole: bool
    clipped: bool

    @property
    def failed(self) -> list[str]:
        """The apps whose spans failed."""
        return [share.app for share in self.apps if share.errors]


def digest(trace: Trace) -> Digest:
    """``trace``, which must not be empty, in one line."""
    top = tree(trace)
    correct(top)
    nodes = list(top.walk())
    spans = [node.span for node in nodes if node.span is not None]
    known = [span for span in spans if span.timestamp]
    begin = min((span.timestamp for span in known), default=0)
    end = max((span.timestamp + span.duration for span in known), default=0)
    root = top.span or min(
        (node.span for node in top.children if node.span is not None),
        key=lambda span: span.timestamp or end,
    )
    ids = {span.id for span in trace}
    orphans = [one for one in spans if one.parent_id is not None and one.parent_id not in ids]
    wrong = [span for span in spans if "error" in span.tags]  # breadth first: the last is innermost
    found = Digest(
        trace_id=trace[0].trace_id,
        began=begin / 1e6,
        app=root.service or "",
        name=root.name or "",
        seconds=(end - begin) / 1e6,
        spans=len(spans),
        errors=len(wrong),
        trouble=trouble(wrong[-1]) if wrong else "",
        apps=shares((span, own_time(node)) for span, node in zip(spans, nodes, strict=True)),
        whole=not orphans or (top.span is None and len(top.children) == 1),
        clipped=any(NOTICE in span.tags for span in spans),
    )
    top.clear()
    return found


def shares(spans: Iterable[tuple[Span, int]]) -> list[Share]:
    """What each app did, from spans and the microseconds that each took itself."""
    found: dict[str, Share] = {}
    for span, own in spans:
        app = span.service or ""
        share = found.get(app)
        if share is None:
            share = found[app] = Share(app)
        share.spans += 1
        share.seconds += own / 1e6
        share.errors += "error" in span.tags
    return sorted(found.values(), key=lambda share: (-share.seconds, share.app))


def own_time(node: Node) -> int:
    """Microseconds of a span in which none of its children was under way."""
    span = node.span
    if span is None or not span.timestamp:
        return 0
    end = span.timestamp + span.duration
    left, reached = span.duration, span.timestamp
    for child in node.children:  # by when they began
        below = child.span
        if below is None or not below.timestamp:
            continue
        until = min(below.timestamp + below.duration, end)
        left -= max(0, until - max(below.timestamp, reached))
        reached = max(reached, until)
    return left


def trouble(span: Span) -> str:
    """What went wrong in a span; empty for nothing."""
    for event in reversed(span.more.events if span.more is not None else ()):
        if event.name == "exception":
            attributes = event.attributes
            kind = attributes.get("exception.type", "exception")
            return ": ".join(filter(None, (kind, attributes.get("exception.message", ""))))
    said = span.tags.get("error")
    if said is None:
        return ""
    return said if said not in ("", "true") else span.tags.get("error.type", "error")
