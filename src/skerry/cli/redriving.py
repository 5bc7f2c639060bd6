"""``skerry bus redrive``: dead letters delivered again, to the handler they died of."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Sequence

from skerry.bus.driver import DeadLetter, Driver

from .busplace import on_bus, queue_of, url_of
from .choosing import Change, Choice, condition, edited, setting
from .output import fail

_PAGE = 500  # dead letters read, and put back, at a time
_STEPS = 10  # with a rate, batches in a second
_SAY_EVERY = 0.2  # seconds between words on a terminal
_RATE = re.compile(r"(\d+(?:\.\d+)?)/([smh])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def redrive(
    subscription: str,
    ids: list[str] | None,
    everything: bool,
    where: list[str] | None,
    error: str,
    topic: str,
    rate: str,
    edit: bool,
    sets: list[str] | None,
    bus: str,
    file: str,
) -> int:
    """Deliver dead letters again; 1 when some that were named are not there."""
    choices = [condition(text) for text in where or ()]
    if error:
        choices.append(condition(f"error={error}"))
    if topic:
        choices.append(condition(f"topic={topic}"))
    if not (ids or choices or everything):
        fail("say which: --id ID, --where CONDITION, --error NAME, --topic TOPIC, or --all", 2)
    if edit and sets:
        fail("--edit and --set both change the body: only one can", 2)
    wanted = set(ids or ())
    if wanted:
        choices.append(lambda letter: letter.message.id in wanted)
    change = edited if edit else setting(sets) if sets else None
    work = _Redrive(subscription, choices, change, _per_second(rate), len(wanted))
    try:
        dead = on_bus(url_of(bus, file), work.run)
    finally:  # also when it was interrupted
        work.progress.end()
        if work.done:
            print(f"{subscription}: {work.done} redriven", flush=True)
    if not dead:
        print(f"{subscription} has no dead letters")
    elif not work.done:
        print(f"{subscription}: that is none of its dead letters; there are {dead}")
    return 0 if work.done >= len(wanted) else 1


def _per_second(rate: str) -> float:
    if not rate:
        return 0.0
    found = _RATE.fullmatch(rate)
    if found is None or not float(found[1]):
        fail(f"{rate!r} is no rate: write it like 10/s or 100/m", 2)
    return float(found[1]) / _SECONDS[found[2]]


class _Redrive:
    """One run.

    Args:
        choices: all of them hold for a letter that is meant.
        per_second: how many at most; 0 for as fast as it goes.
        most: how many are meant at most; 0 for any number.

    Attributes:
        done: how many have been put back.
    """

    def __init__(
        self,
        name: str,
        choices: Sequence[Choice],
        change: Change | None,
        per_second: float,
        most: int,
    ) -> None:
        self._name = name
        self._choices = choices
        self._change = change
        self._rate = per_second
        self._most = most
        self._due = 0.0
        self.done = 0
        self.progress = _Progress()

    async def run(self, driver: Driver) -> int:
        """Put back what is meant; how many dead letters there were."""
        dead = (await queue_of(driver, self._name)).dead
        async for letters in self._pages(driver):
            meant = [letter for letter in letters if all(holds(letter) for holds in self._choices)]
            size = self._batch()
            for start in range(0, len(meant), size):
                await self._put_back(driver, meant[start : start + size])
                self.progress.say(f"{self.done} of {dead} dead letters redriven")
        return dead

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
        if self._change is edited:
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


class _Progress:
    """What is said while it takes a while: over and over on the same line of a terminal."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._open = False

    def say(self, text: str) -> None:
        if sys.stderr.isatty() and time.monotonic() - self._said > _SAY_EVERY:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            self._said, self._open = time.monotonic(), True

    def end(self) -> None:
        if self._open:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
