"""The critical path of a trace: the stretches of spans without which it would have been shorter.

Found from its end backwards, as in Uber's CRISP (Zhang et al., *CRISP: Critical Path Analysis
of Large-Scale Microservice Architectures*, USENIX ATC 2022): whatever ended last before a moment
is what that moment waited for; where nothing did, the span itself was at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias


class Work(NamedTuple):
    """A span on the time line, in microseconds of any clock; its children by their numbers."""

    begin: int
    end: int
    children: Sequence[int]


Stretch: TypeAlias = tuple[int, int]
"""From a moment to a later one."""


def critical_path(work: Sequence[Work], root: int) -> list[list[Stretch]]:
    """For each span the stretches in which everything waited for it alone, earliest first.

    What goes on after its parent has ended is nothing that the parent waited for, and of what
    goes on at the same time only that counts which ends last.
    """
    found: list[list[Stretch]] = [[] for _ in work]
    waiting = [(root, work[root].end)]
    while waiting:
        number, until = waiting.pop()
        one = work[number]
        reached = min(one.end, until)
        for child in sorted(one.children, key=lambda child: work[child].end, reverse=True):
            below = work[child]
            begin, end = max(below.begin, one.begin), min(below.end, one.end, until)
            if begin >= end or end > reached:
                continue
            if end < reached:
                found[number].append((end, reached))
            waiting.append((child, end))
            reached = begin
        if one.begin < reached:
            found[number].append((one.begin, reached))
        found[number].reverse()
    return found
