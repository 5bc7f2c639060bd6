"""A fault on purpose: as many requests fail as a setting says.

Nobody sets it but who wants to see what the fleet looks like with a broken app in it:
``breaking.py`` beside the fleet does.
"""

from __future__ import annotations

import random
from typing import Annotated

from msgspec import Meta, Struct


class FaultSettings(Struct, frozen=True):
    """Attributes:
    fail_share: of all requests, between 0 and 1.
    """

    fail_share: Annotated[float, Meta(ge=0, le=1)] = 0.0


class RatesUnreadable(RuntimeError):
    """What the table of rates does when it is broken."""


class Intact:
    """There for a request that may go on."""


def intact(settings: FaultSettings) -> Intact:
    """Raises ``RatesUnreadable`` as often as it is set to."""
    if settings.fail_share and random.random() < settings.fail_share:
        raise RatesUnreadable("the table of rates ends in the middle of a line")
    return Intact()
