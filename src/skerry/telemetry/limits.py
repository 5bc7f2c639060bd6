"""How much may be said about one span: others decide what they say, and it must not fill the
memory. The numbers are OpenTelemetry's, and so are the variables that change them."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

log = logging.getLogger("skerry.telemetry")

_LONGEST = 16_384
_MOST = 128  # values of a list
_SIMPLE = (bool, str, int, float)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept of a span.

    Attributes:
        attributes, events, links: of one span.
        event_attributes, link_attributes: of one event, of one link.
        length: characters of a value, and of each in a list.
    """

    attributes: int = 128
    events: int = 128
    links: int = 128
    event_attributes: int = 128
    link_attributes: int = 128
    length: int = _LONGEST

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Limits:
        """As ``OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`` and its like say."""

        def number(otherwise: int, *names: str) -> int:
            for name in names:
                try:
                    return max(0, int(environment.get(name, "")))
                except ValueError:
                    continue
            return otherwise

        anywhere = "OTEL_ATTRIBUTE_COUNT_LIMIT"
        return cls(
            attributes=number(128, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", anywhere),
            events=number(128, "OTEL_SPAN_EVENT_COUNT_LIMIT"),
            links=number(128, "OTEL_SPAN_LINK_COUNT_LIMIT"),
            event_attributes=number(128, "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", anywhere),
            link_attributes=number(128, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", anywhere),
            length=number(
                _LONGEST,
                "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
                "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            ),
        )

    def put(self, into: dict[str, Any], attributes: Mapping[str, Any], most: int) -> int:
        """Add what there is room for; how many found none. What is no attribute is left out."""
        lost = 0
        for key, value in attributes.items():
            if not key or not isinstance(key, str):
                log.warning("an attribute has no name: %r", key)
                continue
            kept = self._cleaned(value)
            if kept is None:
                log.warning("%s is a %s, which no attribute can be", key, type(value).__name__)
            elif key in into or len(into) < most:
                into[key] = kept
            else:
                lost += 1
        return lost

    def cut(self, text: str) -> str:
        return text if len(text) <= self.length else text[: self.length]

    def _cleaned(self, value: Any) -> Any:
        """As it is kept; None for what cannot be."""
        if isinstance(value, str):
            return self.cut(value)
        if isinstance(value, _SIMPLE):
            return value
        if isinstance(value, bytes):
            return self.cut(value.decode("utf-8", "replace"))
        if isinstance(value, Mapping):
            return self.cut(msgspec.json.encode(value, enc_hook=str).decode())
        if isinstance(value, Sequence):
            found = [self._cleaned(one) for one in value[:_MOST]]
            return tuple(one for one in found if one is not None)
        return None
