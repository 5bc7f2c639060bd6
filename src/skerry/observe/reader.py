"""Reading segments for one query: what it has read once, it need not read again."""

from __future__ import annotations

import sqlite3

import msgspec

from .segment import Directory, Segment, Slices, parts_in, unpacked

_directory = msgspec.msgpack.Decoder(Directory).decode
_MOST_CHUNKS = 32


class Reader:
    """One query's view of the file.

    Args:
        connection: to read with; a segment may be dropped meanwhile, which is as if it were
            empty.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._directories: dict[int, Directory | None] = {}
        self._chunks: dict[int, dict[int, list[msgspec.Raw]]] = {}

    def directory(self, segment: Segment) -> Directory | None:
        """Where a segment's traces are; None if it has been dropped."""
        if segment.id not in self._directories:
            data = self._read("SELECT data FROM directory WHERE segment = ?", segment.id)
            self._directories[segment.id] = None if data is None else _directory(data)
        return self._directories[segment.id]

    def slices(self, segment: Segment, key: int) -> Slices | None:
        """The postings of a key in a segment; None if there are none."""
        data = self._read("SELECT data FROM posting WHERE id = ?", segment.id << 16 | key)
        return None if data is None else Slices(data, segment.head.services_seen)

    def parts(self, segment: Segment, number: int) -> list[bytes]:
        """The spans of a trace, by its number in a segment, as they came."""
        places = self.directory(segment)
        if places is None:
            return []
        id = segment.id << 20 | places.column("chunk")[number]
        if id not in self._chunks:
            data = self._read("SELECT data FROM chunk WHERE id = ?", id)
            if len(self._chunks) >= _MOST_CHUNKS:
                del self._chunks[next(iter(self._chunks))]
            self._chunks[id] = {} if data is None else unpacked(data)
        return parts_in(self._chunks[id], segment.lows[number])

    def _read(self, statement: str, id: int) -> bytes | None:
        row = self.connection.execute(statement, (id,)).fetchone()
        return None if row is None else row[0]
