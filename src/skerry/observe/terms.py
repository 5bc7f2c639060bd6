"""What spans can be found by, as integers: the keys of the store's inverted index.

A *term* says that a trace has a span of some service with some property. It is 64 bits::

    key (16) | service (16) | value (32)

``key`` is the property's kind or the tag's name, ``value`` the CRC-32 of its value, or the
duration in microseconds. Ordered by that, everything that one parameter of a query asks for is
a range. Values that share a CRC are told apart by looking at the spans themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from .model import Span
from .query import Query

SERVICE, NAME, REMOTE, DURATION, ANNOTATION = range(5)
_RESERVED = ("\0service", "\0name", "\0remote", "\0duration", "\0annotation")
_LINK = "\0link"  # a key like a tag's, whose value is the trace that a span links to

FULL = 0xFFFF
"""The number of every key and service that came after there was no number left."""

NOBODY = 0
"""The service of spans that do not say whose they are."""

VALUE = 0xFFFFFFFF
"""The bits of a term that are its value."""


class Range(NamedTuple):
    """Terms of one key: those from ``low`` to ``high``, both included."""

    key: str
    low: int
    high: int


class Words:
    """Numbers for keys and services, in the order in which they were first seen."""

    def __init__(self, keys: int = 20_000) -> None:
        self.most_keys = min(keys, FULL)
        self.keys: dict[str, int] = {name: n for n, name in enumerate(_RESERVED)}
        self.services: dict[str | None, int] = {None: NOBODY}
        self._next_key = len(self.keys)
        self._next_service = len(self.services)
        self._tag = lru_cache(maxsize=100_000)(self._make)
        self._text = lru_cache(maxsize=50_000)(value_of)

    def terms(self, span: Span, into: set[int]) -> int:
        """Put what ``span`` can be found by into ``into``; the number of its service."""
        name = span.service
        service = self.services.get(name)
        if service is None:
            service = min(self._next_service, FULL)
            if service < FULL:
                self.services[name] = service
                self._next_service += 1
        at = service << 32
        into.add(at)  # SERVICE is 0
        if span.name is not None:
            into.add(NAME << 48 | at | self._text(span.name))
        if span.remote_endpoint is not None and span.remote_endpoint.service_name is not None:
            into.add(REMOTE << 48 | at | self._text(span.remote_endpoint.service_name))
        if span.duration:
            into.add(DURATION << 48 | at | min(span.duration, VALUE))
        tag = self._tag
        for key, value in span.tags.items():
            into.add(tag(key, value) | at)
        for annotation in span.annotations:
            into.add(ANNOTATION << 48 | at | self._text(annotation.value))
        if span.more is not None:
            for link in span.more.links:
                into.add(tag(_LINK, link.trace_id) | at)
        return service

    def know(self, keys: Mapping[str, int], services: Mapping[str, int]) -> None:
        """Go on from numbers that were given before."""
        self.keys.update(keys)
        self.services.update(services)
        self._next_key = max(self._next_key, *(n + 1 for n in keys.values() if n < FULL), 0)
        self._next_service = max(self._next_service, *(n + 1 for n in services.values()), 0)

    def key(self, name: str) -> int | None:
        """The number of a key; None if nothing has it."""
        return self.keys.get(name, FULL if self._next_key >= self.most_keys else None)

    def service(self, name: str) -> int | None:
        """The number of a service; None if nothing is of it."""
        return self.services.get(name, FULL if self._next_service >= FULL else None)

    def _make(self, key: str, value: str) -> int:
        number = self.keys.get(key)
        if number is None:
            number = self._next_key if self._next_key < self.most_keys else FULL
            if number < FULL:
                self.keys[key] = number
                self._next_key += 1
        return number << 48 | value_of(value)


def value_of(text: str) -> int:
    """The 32 bits that stand for a text."""
    return crc32(text.encode(errors="surrogatepass"))


def wanted(asked: Query) -> list[list[Range]]:
    """What a query asks for: of each list, a trace must have a term in one of the ranges.

    Of ``asked.service`` alone, where that is set; what its spans do not say of the service it
    says of no trace, so it stands alone only where nothing else is asked for.
    """
    found: list[list[Range]] = []
    if asked.remote_service is not None:
        found.append([_exact(_RESERVED[REMOTE], asked.remote_service)])
    if asked.span_name is not None:
        found.append([_exact(_RESERVED[NAME], asked.span_name)])
    if asked.links_to is not None:
        found.append([_exact(_LINK, asked.links_to)])
    for key, value in asked.terms.items():
        if value:
            found.append([_exact(key, value)])
        else:
            found.append([Range(key, 0, VALUE), _exact(_RESERVED[ANNOTATION], key)])
    if asked.min_duration is not None:
        longest = VALUE if asked.max_duration is None else asked.max_duration
        bounds = [min(n, VALUE) for n in (asked.min_duration, longest)]
        found.append([Range(_RESERVED[DURATION], *bounds)])
    if asked.service is not None and not found:
        found.append([Range(_RESERVED[SERVICE], 0, 0)])
    return found


def _exact(key: str, text: str) -> Range:
    value = value_of(text)
    return Range(key, value, value)
