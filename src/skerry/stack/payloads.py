"""The slot for payloads: in the stacks of a process that was started with ``SKERRY_PAYLOADS``, and
of no other."""

from __future__ import annotations

from skerry.bus.attempt import Attempt
from skerry.core.stack import Slot
from skerry.core.wire import Request, Response
from skerry.filters.payload import EventPayloads, Payloads
from skerry.telemetry.payload import PayloadSettings

_BECAUSE = "directly below the span, so that it tells of what every other filter has done"


def payload_slot(failed: int) -> list[Slot[Request, Response]]:
    """None or one, for calls; see ``Payloads``."""
    settings = PayloadSettings.from_environment()
    if settings.when == "off":
        return []
    return [Slot("payload", _BECAUSE, below=("observe",), filter=Payloads(settings, failed))]


def event_payload_slot() -> list[Slot[Attempt, None]]:
    """The same, for events."""
    settings = PayloadSettings.from_environment()
    if settings.when == "off":
        return []
    return [Slot("payload", _BECAUSE, below=("observe",), filter=EventPayloads(settings))]
