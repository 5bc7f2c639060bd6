"""Forgets, now and then, what an app's database need not remember any longer."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

log = logging.getLogger("skerry.app")

_EVERY = 3600.0


async def tidy(app: str, what: str, clean: Callable[[], Awaitable[int]]) -> None:
    """Call ``clean`` about once an hour, as often as it finds something; until cancelled.

    Not at the same time as other instances, if chance will have it so.
    """
    while True:
        await asyncio.sleep(_EVERY * (0.5 + random.random()))
        try:
            while await clean():  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        except Exception as error:
            log.warning("%s: the %s was not cleaned: %s", app, what, error)
