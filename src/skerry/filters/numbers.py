"""Numbers in settings that nothing could work with, refused on the line where they are given."""

from __future__ import annotations

import math
from typing import Any

from skerry.core.errors import ConfigError


def refuse_odd(settings: Any, *positive: str) -> None:
    """Check the fields that are named to be finite and more than zero; None is no number.

    Raises:
        ConfigError: one of them is not.
    """
    for name in positive:
        value = getattr(settings, name)
        if value is not None and not 0 < value < math.inf:
            it = f"{type(settings).__name__}({name}={value!r})"
            raise ConfigError(f"{it}: it must be finite, and more than zero")
