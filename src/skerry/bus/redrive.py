"""Dead letters delivered again: which of them are meant, and how fast."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeAlias

from skerry.core.errors import ConfigError, nearest

from .driver import DeadLetter, Driver

Choice: TypeAlias = Callable[[DeadLetter], bool]
Change: TypeAlias = Callable[[DeadLetter], bytes]
"""The body to put in place of a letter's own."""

_PAGE = 500  # dead letters read, and put back, at a time
_STEPS = 10  # with a rate, batches in a second
_RATE = re.compile(r"(\d+(?:\.\d+)?)/([smh])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}

_FIELDS: dict[str, Callable[[DeadLetter], str]] = {
    "reason": lambda letter: letter.failure.reason,
    "error": lambda letter: letter.failure.error,
    "stack": lambda letter: letter.failure.stack,
    "body": lambda letter: letter.message.body.decode("utf-8", "replace"),
    "id": lambda letter: letter.message.id,
    "key": lambda letter: letter.message.key,
    "source": lambda letter: letter.message.source,
    "topic": lambda letter: letter.message.topic,
    "version": lambda letter: str(letter.message.version),
}
_CONDITION = re.compile(r"(\w+)([~=])(.*)", re.DOTALL)


def condition(text: str) -> Choice:
    """``reason~timeout`` holds where the reason contains that; ``key=p1`` where the key is that.

    Raises:
        ConfigError: it is no condition.
    """
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"{text!r} is no condition: write FIELD~TEXT (contains) or FIELD=TEXT (is)"
        )
    name, sign, wanted = found.groups()
    if name not in _FIELDS:
        raise ConfigError(f"dead letters have no {name!r}.{nearest(name, _FIELDS)}")
    field = _FIELDS[name]
    if sign == "=":
        return lambda letter: field(letter) == wanted
    return lambda letter: wanted.lower() in field(letter).lower()


def per_second(rate: str) -> float:
    """``10/s``, ``100/m``; 0 for as fast as it goes, where nothing is said.

    Raises:
        ConfigError: it is no rate.
    """
    if not rate:
        return 0.0
    found = _RATE.fullmatch(rate)
    if found is None or not float(found[1]):
        raise ConfigError(f"{rate!r} is no rate: write it like 10/s or 100/m")
    return float(found[1]) / _SECONDS[found[2]]


class Redrive:
    """One run over the dead letters of a subscription.

    Args:
        name: of the subscription.
        choices: all of them hold for a letter that is meant.
        change: makes its body; None to leave it.
        rate: how many a second at most; 0 for as fast as it goes.
        most: how many are meant at most; 0 for any number.
        one_by_one: put each back before the next is changed.
        said: called after each batch.

    Attributes:
        done: how many have been put back.
    """

    def __init__(
        self,
        name: str,
        choices: Sequence[Choice],
        *,
        change: Change | None = None,
        rate: float = 0.0,
        most: int = 0,
        one_by_one: bool = False,
        said: Callable[[], object] = lambda: None,
    ) -> None:
        self.done = 0
        self._name = name
        self._choices = choices
        self._change = change
        self._rate = rate
        self._most = most
        self._one_by_one = one_by_one
        self._said = said
        self._due = 0.0

    async def run(self, driver: Driver) -> None:
        """Put back what is meant."""
        async for letters in self._pages(driver):
            meant = [letter for letter in letters if all(holds(letter) for holds in self._choices)]
            size = self._batch()
            for start in range(0, len(meant), size):
                await self._put_back(driver, meant[start : start + size])
                self._said()

    async def _pages(self, driver: Driver) -> AsyncIterator[list[DeadLetter]]:
        """All dead letters there are, each once, though it may die again meanwhile."""
        seen: set[str] = set()
        limit = _PAGE
        while True:
            before = self.done
            page = await driver.dead(self._name, limit)
            yield [letter for letter in page if letter.message.id not in seen]
            seen.update(letter.message.id for letter in page)
            if len(page) < limit or 0 < self._most <= self.done:
                return
            limit = len(page) - (self.done - before) + _PAGE  # those that stay come again

    def _batch(self) -> int:
        if self._one_by_one:
            return 1  # what has been edited is not lost with what comes after it
        return max(1, min(_PAGE, int(self._rate / _STEPS))) if self._rate else _PAGE

    async def _put_back(self, driver: Driver, letters: list[DeadLetter]) -> None:
        await self._wait(len(letters))
        bodies = {}
        if self._change is not None:
            for letter in letters:  # in a thread: an editor takes its time
                bodies[letter.message.id] = await asyncio.to_thread(self._change, letter)
        ids = [letter.message.id for letter in letters]
        self.done += await driver.redrive(self._name, ids, bodies)

    async def _wait(self, count: int) -> None:
        if self._rate:
            now = time.monotonic()
            await asyncio.sleep(self._due - now)
            self._due = max(self._due, now) + count / self._rate
