"""Totals as they are at one moment, read while others are written.

A day of a large fleet's totals takes seconds to put together. Whoever counts must not wait for
that: only what is in memory is copied under the lock, and the file is read as it was then. What
several minutes come to is kept, packed, until one of them changes.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import NamedTuple

import msgspec

from .totals import Held, Key, Minute, Total, decode, encode, row, together

_parts = msgspec.msgpack.Decoder(list[tuple[Key, msgspec.Raw]]).decode
_total = msgspec.msgpack.Decoder(Total).decode

_MOST = 32 << 20


class _Piece(NamedTuple):
    packed: bytes
    changes: int  # how many there had been when it was made


class Pieces:
    """What several minutes come to, kept while it is true.

    Args:
        most: bytes of it; what was asked for the longest ago goes first.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[tuple[str, int, int], _Piece] = OrderedDict()
        self._one_at_a_time = Lock()

    def each(
        self, of: Snapshot, first: int, last: int, step: int
    ) -> Iterator[tuple[int, Key, Total]]:
        """The totals of each ``step`` minutes from ``first`` to ``last``, with the first of them.

        Whoever else asks for the same meanwhile waits, and finds it made.
        """
        with self._one_at_a_time:
            for begin in range(first, last + 1, step):
                end = min(begin + step - 1, last)
                piece = self._piece if step > 1 else _minutes
                for key, total in piece(of, begin, end).items():
                    yield begin, key, total

    def _piece(self, of: Snapshot, begin: int, end: int) -> Minute:
        place = (of.kind, begin, end)
        kept = self._kept.get(place)
        if kept is not None and of.changed(begin, end) <= kept.changes:
            self._kept.move_to_end(place)
            return dict(decode(kept.packed))
        made = _minutes(of, begin, end)
        self._keep(place, _Piece(encode(list(made.items())), of.changes))
        return made

    def _keep(self, place: tuple[str, int, int], piece: _Piece) -> None:
        before = self._kept.pop(place, None)
        self._size += len(piece.packed) - (len(before.packed) if before else 0)
        self._kept[place] = piece
        while self._size > self._most:
            self._size -= len(self._kept.popitem(last=False)[1].packed)


def _minutes(of: Snapshot, first: int, last: int) -> Minute:
    return together(of.minutes(first, last))


class Snapshot:
    """Totals of one kind at one moment.

    Args:
        connection: in a transaction that began when ``held`` was copied.
    """

    def __init__(self, connection: sqlite3.Connection, held: Held, kind: str) -> None:
        self.kind = kind
        self.changes = held.changes
        self._connection = connection
        self._held = held

    def changed(self, first: int, last: int) -> int:
        """Which of all changes was the last of these minutes; 0 for none since the start."""
        latest = self._held.latest
        return max((latest.get(number, 0) for number in range(first, last + 1)), default=0)

    def minutes(self, first: int, last: int) -> Iterator[Iterable[tuple[Key, Total]]]:
        """The totals of each minute in which there are any; ``last`` is included."""
        for _, minute in self._in_memory(first, last):
            yield minute.items()
        for _, data in self._in_file(first, last):
            yield decode(data)

    def some(
        self, first: int, last: int, wanted: Callable[[Key], bool]
    ) -> Iterator[tuple[int, Key, Total]]:
        """The totals of some keys in each minute, in no order. What is not wanted costs next to
        nothing."""
        for number, minute in self._in_memory(first, last):
            for key, total in minute.items():
                if wanted(key):
                    yield number, key, total
        for number, data in self._in_file(first, last):
            for key, packed in _parts(data):
                if wanted(key):
                    yield number, key, _total(packed)

    def _in_memory(self, first: int, last: int) -> Iterator[tuple[int, Minute]]:
        for number, minute in self._held.minutes.items():
            if first <= number <= last:
                yield number, minute

    def _in_file(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        rows = self._connection.execute(
            "SELECT id, data FROM total WHERE id BETWEEN ? AND ? AND id & 3 = ?",
            (row(first, self.kind), row(last, self.kind), row(0, self.kind)),
        )
        for id, data in rows:
            if id >> 2 not in self._held.minutes:
                yield id >> 2, data
