"""What one sender may make the store keep: longer values are cut, and the span says so.

Instrumentation that puts a whole document in a tag, or nanoseconds where microseconds belong,
is a fact of life. Refusing its spans would hide the rest of the trace.
"""

from __future__ import annotations

from msgspec import Struct

from .model import NOTICE, Annotation, Span

DAY = 86_400_000_000  # microseconds


class Limits(Struct, frozen=True):
    """Attributes:
    value: characters of a tag's value, and of an annotation.
    key: characters of a tag's name, of a span's, and of a service's.
    tags, annotations: how many of each a span may have.
    ahead: microseconds by which a span may begin after it has arrived.
    longest: microseconds that a span may last.
    """

    value: int = 32_768
    key: int = 512
    tags: int = 512
    annotations: int = 1_024
    ahead: int = 7 * DAY
    longest: int = 366 * DAY


def is_large(span: Span, limits: Limits) -> bool:
    """Whether anything of ``span`` might have to be cut; cheap, and it may well be wrong."""
    size = len(span.name) if span.name else 0
    for key, value in span.tags.items():
        if len(key) > limits.key:
            return True
        size += len(value)
    for annotation in span.annotations:
        size += len(annotation.value)
    return (
        size > limits.key
        or len(span.tags) > limits.tags
        or len(span.annotations) > limits.annotations
    )


def cut(span: Span, limits: Limits) -> None:
    """Cut what is too long or too much, and say so in the tag ``NOTICE``."""
    said: list[str] = []
    if span.name is not None and len(span.name) > limits.key:
        said.append(f"name cut from {len(span.name)} to {limits.key} characters")
        span.name = span.name[: limits.key]
    if len(span.tags) > limits.tags:
        said.append(f"{len(span.tags) - limits.tags} of {len(span.tags)} tags dropped")
        span.tags = dict(list(span.tags.items())[: limits.tags])
    long = [k for k, v in span.tags.items() if len(k) > limits.key or len(v) > limits.value]
    if long:
        tags = dict(span.tags)
        for key in long:
            value = tags.pop(key)
            said.append(f"tag {key[:64]} cut from {len(key) + len(value)} characters")
            tags[key[: limits.key]] = value[: limits.value]
        span.tags = tags
    count = len(span.annotations)
    if count > limits.annotations:
        said.append(f"{count - limits.annotations} of {count} annotations dropped")
        span.annotations = span.annotations[: limits.annotations]
    if any(len(annotation.value) > limits.value for annotation in span.annotations):
        said.append(f"annotations cut to {limits.value} characters")
        span.annotations = [
            Annotation(a.timestamp, a.value[: limits.value]) for a in span.annotations
        ]
    if said:
        note(span, "; ".join(said))


def correct_times(span: Span, now: int, limits: Limits) -> None:
    """Bring times that cannot be back to what can; ``now`` in microseconds."""
    if span.timestamp > now + limits.ahead:
        note(span, f"timestamp {span.timestamp} is in the future; set to its arrival")
        span.timestamp = now
    if span.duration > limits.longest:
        note(span, f"duration {span.duration} is over a year; cut")
        span.duration = limits.longest


def note(span: Span, text: str) -> None:
    """Add ``text`` to what the span says has been done to it."""
    before = span.tags.get(NOTICE)
    span.tags = {**span.tags, NOTICE: f"{before}; {text}" if before else text}
