"""``skerry bus ls``, ``peek``, ``dead``, ``purge`` and ``forget``: what lies on the bus."""

from __future__ import annotations

import time

from skerry.bus.documents import document, letter_document, moment, queue_document
from skerry.bus.driver import DeadLetter, Driver, QueueInfo
from skerry.bus.message import Message

from .busplace import on_bus, queue_of, url_of
from .messages import heading, line, print_json, show_body, show_stack
from .output import age, fail, note, several, table
from .tails import is_left, is_tail

_COUNTS = ("READY", "DELAYED", "LEASED", "DEAD", "OLDEST", "CONSUMERS")
_UNKNOWN = "–"


def ls(as_json: bool, bus: str, file: str) -> int:
    """List the subscriptions, and what each holds."""
    url = url_of(bus, file)
    queues = on_bus(url, lambda driver: driver.queues())
    if as_json:
        print_json([queue_document(queue) for queue in queues])
        return 0
    if not queues:
        note("nobody has subscribed to anything yet; apps do when they start, with `skerry up`")
        return 0
    now = time.time()
    table(("SUBSCRIPTION", "TOPICS", *_COUNTS), [_row(queue, now) for queue in queues], _COUNTS)
    for queue in queues:
        if is_tail(queue.subscription):
            left = is_left(queue, now)
            how = "was killed; the next tail forgets it" if left else "is running"
            note(f"note: {queue.subscription} is a `skerry bus tail` that {how}")
    if not all(queue.whole for queue in queues):
        note(f"note: {_UNKNOWN} is what this broker does not tell: delayed, leased, oldest")
    return 0


def _row(queue: QueueInfo, now: float) -> list[str]:
    out = [str(queue.delayed), str(queue.leased)] if queue.whole else [_UNKNOWN, _UNKNOWN]
    none = "" if queue.whole or not queue.ready else _UNKNOWN
    return [
        queue.subscription,
        " ".join(queue.topics),
        *(str(queue.ready), *out, str(queue.dead)),
        none if queue.oldest is None else age(now - queue.oldest),
        "" if queue.consumers is None else str(queue.consumers),
    ]


def peek(
    subscription: str, dead: bool, stack: bool, count: int, as_json: bool, bus: str, file: str
) -> int:
    """Show the oldest messages of a subscription; they stay where they are."""

    async def look(driver: Driver) -> tuple[QueueInfo, list[Message], list[DeadLetter]]:
        queue = await queue_of(driver, subscription)
        if dead:
            return queue, [], await driver.dead(subscription, count)
        return queue, await driver.peek(subscription, count), []

    queue, messages, letters = on_bus(url_of(bus, file), look)
    if as_json:
        print_json([*map(document, messages), *map(letter_document, letters)])
        return 0
    for message in messages:
        print(heading(message))
        show_body(message)
    for letter in letters:
        print(heading(letter.message))
        attempts = several(letter.attempts, "attempt")
        print(f"  died {moment(letter.died)} after {attempts}: {line(letter.failure.reason)}")
        show_body(letter.message)
        if stack:
            show_stack(letter)
    whole = queue.dead if dead else queue.ready + queue.delayed
    more = whole - len(messages) - len(letters)
    if more > 0:
        note(f"{more} more; -n says how many to show")
    elif not messages and not letters:
        note(f"{subscription} has no dead letters" if dead else f"nothing waits for {subscription}")
    return 0


def dead(subscription: str, count: int, as_json: bool, bus: str, file: str) -> int:
    """List dead letters, of one subscription or of all."""

    async def look(driver: Driver) -> tuple[int, list[DeadLetter]]:
        if subscription:
            queues = [await queue_of(driver, subscription)]
        else:
            queues = [queue for queue in await driver.queues() if queue.dead]
        found = [await driver.dead(queue.subscription, count) for queue in queues]
        letters = [letter for letters in found for letter in letters]
        letters.sort(key=lambda letter: letter.died)
        return sum(queue.dead for queue in queues), letters[:count]

    whole, letters = on_bus(url_of(bus, file), look)
    if as_json:
        print_json([letter_document(letter) for letter in letters])
        return 0
    if not letters:
        note("there are no dead letters")
        return 0
    now = time.time()
    table(
        ("SUBSCRIPTION", "ID", "TOPIC", "KEY", "ATTEMPTS", "DIED", "REASON"),
        [
            [
                letter.subscription,
                letter.message.id,
                letter.message.topic,
                line(letter.message.key),
                str(letter.attempts),
                age(now - letter.died),
                line(letter.failure.reason),
            ]
            for letter in letters
        ],
        right=("ATTEMPTS", "DIED"),
        spare=("ATTEMPTS", "KEY"),
    )
    if whole > len(letters):
        note(f"{whole - len(letters)} more; -n says how many to show")
    return 0


def purge(subscription: str, dead: bool, yes: bool, bus: str, file: str) -> int:
    """Delete what waits for a subscription, or what is dead."""

    async def delete(driver: Driver) -> int:
        queue = await queue_of(driver, subscription)
        count = queue.dead if dead else queue.ready + queue.delayed
        if not yes:
            what = several(count, "dead letter" if dead else "message")
            fail(f"this deletes {what} of {subscription} for good; --yes does it")
        return await driver.purge(subscription, dead=dead)

    print(f"{subscription}: {on_bus(url_of(bus, file), delete)} deleted")
    return 0


def forget(subscription: str, yes: bool, bus: str, file: str) -> int:
    """Delete a subscription and everything in it."""

    async def delete(driver: Driver) -> None:
        queue = await queue_of(driver, subscription)
        if not yes:
            count = queue.ready + queue.delayed + queue.leased
            instances = several(queue.consumers or 0, "instance")
            used = f", from which {instances} take" if queue.consumers else ""
            held = f"{several(count, 'message')} and {several(queue.dead, 'dead letter')}"
            fail(f"this deletes {subscription}{used}, with {held}; --yes does it")
        await driver.forget(subscription)

    on_bus(url_of(bus, file), delete)
    print(f"{subscription} is forgotten")
    return 0
