"""``skerry bus redrive``: dead letters delivered again, to the handler they died of."""

from __future__ import annotations

import sys
import time

from skerry.bus.driver import Driver
from skerry.bus.redrive import Redrive, condition, per_second
from skerry.core.errors import ConfigError

from .busplace import on_bus, queue_of, url_of
from .choosing import edited, setting
from .output import fail

_SAY_EVERY = 0.2  # seconds between words on a terminal


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
    texts = [*(where or ()), *([f"error={error}"] if error else ())]
    texts += [f"topic={topic}"] if topic else []
    try:
        choices, limit = [condition(text) for text in texts], per_second(rate)
    except ConfigError as wrong:
        fail(str(wrong), 2)
    if not (ids or choices or everything):
        fail("say which: --id ID, --where CONDITION, --error NAME, --topic TOPIC, or --all", 2)
    if edit and sets:
        fail("--edit and --set both change the body: only one can", 2)
    wanted = set(ids or ())
    if wanted:
        choices.append(lambda letter: letter.message.id in wanted)
    progress = _Progress()
    work = Redrive(
        subscription,
        choices,
        change=edited if edit else setting(sets) if sets else None,
        rate=limit,
        most=len(wanted),
        one_by_one=edit,
        said=lambda: progress.say(f"{work.done} of {progress.whole} dead letters redriven"),
    )

    async def run(driver: Driver) -> int:
        progress.whole = (await queue_of(driver, subscription)).dead
        await work.run(driver)
        return progress.whole

    try:
        dead = on_bus(url_of(bus, file), run)
    finally:  # also when it was interrupted
        progress.end()
        if work.done:
            print(f"{subscription}: {work.done} redriven", flush=True)
    if not dead:
        print(f"{subscription} has no dead letters")
    elif not work.done:
        print(f"{subscription}: that is none of its dead letters; there are {dead}")
    return 0 if work.done >= len(wanted) else 1


class _Progress:
    """What is said while it takes a while: over and over on the same line of a terminal."""

    def __init__(self) -> None:
        self.whole = 0
        self._said = time.monotonic()
        self._open = False

    def say(self, text: str) -> None:
        if sys.stderr.isatty() and time.monotonic() - self._said > _SAY_EVERY:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            self._said, self._open = time.monotonic(), True

    def end(self) -> None:
        if self._open:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
