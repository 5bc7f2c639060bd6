"""Fields that callers send and no type knows: ignored, and noticed.

A tolerant reader lets apps be deployed in any order, and hides a misspelt field. So a few bodies
are looked at: the first one an endpoint reads, then one a second at most, and fewer where looking
takes long. What is found is counted, and logged once.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

from skerry.contract.codec import Codec
from skerry.core.clock import Clock, system
from skerry.telemetry.metrics import OVERFLOW, Metrics

log = logging.getLogger("skerry.app")

_EVERY = 1.0  # seconds between two looks at least
_SHARE = 0.001  # of an endpoint's time that looking may take
_LARGEST = 16_384  # bytes of a body that is looked at: a few milliseconds
_FIELDS = 50  # kept apart for each app: callers choose their names
_LONGEST = 100  # characters of a field's name
_PLACE = re.compile(r"/\d+(?=/|$)")


class UnknownFields:
    """Looks for fields that are not in the types of an app's endpoints.

    Counts ``skerry_unknown_fields``: of the bodies that were looked at, those with such a field.

    Args:
        app: whose endpoints they are.
        metrics: where they are counted.
    """

    def __init__(self, app: str, metrics: Metrics, clock: Clock = system) -> None:
        self._app = app
        self._metrics = metrics
        self._now = clock.now
        self._known: set[tuple[str, str]] = set()

    def decoder(self, codec: Codec[Any], route: str) -> Callable[[bytes], Any]:
        """``codec.decode``, which looks at a body now and then.

        Args:
            route: the operation's name.
        """
        if codec.strict:
            return codec.decode
        decode, now, due = codec.decode, self._now, 0.0

        def read(body: bytes) -> Any:
            nonlocal due
            value = decode(body)
            started = now()
            if started >= due and len(body) <= _LARGEST:
                self._look(codec, route, body)
                due = started + max(_EVERY, (now() - started) / _SHARE)
            return value

        return read

    def _look(self, codec: Codec[Any], route: str, body: bytes) -> None:
        for field in {_PLACE.sub("/*", pointer) for pointer in codec.unknown(body)}:
            self._found(route, field[:_LONGEST])

    def _found(self, route: str, field: str) -> None:
        if (route, field) not in self._known:
            if len(self._known) >= _FIELDS:
                route = field = OVERFLOW
            else:
                self._known.add((route, field))
                log.info("%s.%s ignores %r: its type has no such field", self._app, route, field)
        self._metrics.counter(
            "skerry_unknown_fields",
            "Bodies with a field that their type does not have, of those looked at.",
            app=self._app,
            route=route,
            field=field,
        ).add()
