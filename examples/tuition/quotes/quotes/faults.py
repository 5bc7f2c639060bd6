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
    fail_percent: of all requests.
    """

    fail_percent: Annotated[int, Meta(ge=0, le=100)] = 0


class RatesUnreadable(RuntimeError):
    """What the table of rates does when it is broken."""


class Intact:
    """There for a request that may go on."""


def intact(settings: FaultSettings) -> Intact:
    """Raises ``RatesUnreadable`` as often as it is set to."""
    if random.randrange(100) < settings.fail_percent:
        raise RatesUnreadable("the table of rates ends in the middle of a line")
    return Intact()
