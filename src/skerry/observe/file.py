"""The store's file: SQLite, one process at a time, set aside when it turns out to be broken."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

import msgspec

from skerry.core.errors import ConfigError

from .segment import Head, Sealed, Segment

log = logging.getLogger("skerry.observe")

_APPLICATION = 0x534B4F42  # "SKOB", in the file's header: says whose it is
_VERSION = 1
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};

-- Spans that are not in a segment yet, as they came; and which of them the totals have.
CREATE TABLE log (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE segment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    head BLOB NOT NULL,
    lows BLOB NOT NULL,
    dead BLOB NOT NULL
);
CREATE TABLE directory (segment INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE chunk (id INTEGER PRIMARY KEY, data BLOB NOT NULL);    -- segment << 20 | number
CREATE TABLE posting (id INTEGER PRIMARY KEY, data BLOB NOT NULL);  -- segment << 16 | key
CREATE TABLE total (id INTEGER PRIMARY KEY, data BLOB NOT NULL);    -- minute << 2 | kind
"""

_encode = msgspec.msgpack.Encoder().encode
_head = msgspec.msgpack.Decoder(Head).decode
_numbers = msgspec.msgpack.Decoder(list[int]).decode


class Foreign(sqlite3.DatabaseError):
    """The file is a database, and not one of ours."""


class File:
    """The file and its connections: one that writes, and any number that read.

    Args:
        path: where it is; its folder is made.
        patience: seconds to wait for another process to let go of it.

    Raises:
        ConfigError: another process holds it, or it cannot be made.
    """

    def __init__(self, path: Path, patience: float = 30.0) -> None:
        self.path = path
        self._lock = _locked(path, patience)
        self._readers: list[sqlite3.Connection] = []
        self._guard = Lock()
        self.generation = 0
        try:
            self.write = self._open()
        except (sqlite3.Error, OSError) as error:
            os.close(self._lock)
            raise ConfigError(f"the span store {path} cannot be opened: {error}") from None

    def _open(self) -> sqlite3.Connection:
        try:
            return _connected(self.path)
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
            self._set_aside(error)
            return _connected(self.path)

    def begin_again(self, error: BaseException) -> None:
        """Set the file aside, because ``error`` said that it is broken, and make a new one."""
        self._disconnect()
        self._set_aside(error)
        self.write = self._open()

    def _set_aside(self, error: BaseException) -> None:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        aside = self.path.with_name(f"{self.path.name}.corrupt-{stamp}")
        number = 0
        while aside.exists():
            number += 1
            aside = self.path.with_name(f"{self.path.name}.corrupt-{stamp}-{number}")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.replace(f"{self.path}{suffix}", f"{aside}{suffix}")
        log.error(
            "the span store %s is broken (%s): set aside as %s; a new one begins",
            self.path, error, aside.name,
        )  # fmt: skip

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with, for one thread at a time."""
        with self._guard:
            connection = self._readers.pop() if self._readers else None
            generation = self.generation
        if connection is None:
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro", 10.0, uri=True, check_same_thread=False
            )
            connection.isolation_level = None
            connection.execute("PRAGMA mmap_size = 268435456")
        try:
            yield connection
        finally:
            with self._guard:
                if generation == self.generation and len(self._readers) < 8:
                    self._readers.append(connection)
                    connection = None
            if connection is not None:
                connection.close()

    def _disconnect(self) -> None:
        with self._guard:
            self.generation += 1
            readers, self._readers = self._readers, []
        for connection in (*readers, self.write):
            with suppress(sqlite3.Error):
                connection.close()

    def close(self) -> None:
        """Let go of it."""
        self._disconnect()
        os.close(self._lock)

    # -- segments ----------------------------------------------------------------------------

    def segments(self) -> list[Segment]:
        """All of them, oldest first."""
        found = []
        for id, head, lows, dead in self.write.execute(
            "SELECT id, head, lows, dead FROM segment ORDER BY id"
        ):
            ids = array("Q")
            ids.frombytes(lows)
            found.append(Segment(id, _head(head), ids, _numbers(dead)))
        return found

    def add(self, sealed: Sealed) -> Segment:
        """Write a segment, in the transaction under way."""
        cursor = self.write.execute(
            "INSERT INTO segment (head, lows, dead) VALUES (?, ?, ?)",
            (_encode(sealed.head), sealed.lows.tobytes(), _encode([])),
        )
        id = cursor.lastrowid or 0
        self.write.execute("INSERT INTO directory VALUES (?, ?)", (id, _encode(sealed.directory)))
        self.write.executemany(
            "INSERT INTO chunk VALUES (?, ?)",
            ((id << 20 | number, data) for number, data in enumerate(sealed.chunks)),
        )
        self.write.executemany(
            "INSERT INTO posting VALUES (?, ?)",
            ((id << 16 | key, data) for key, data in sorted(sealed.postings.items())),
        )
        return Segment(id, sealed.head, sealed.lows, ())

    def save_dead(self, segment: Segment) -> None:
        self.write.execute(
            "UPDATE segment SET dead = ? WHERE id = ?", (_encode(sorted(segment.dead)), segment.id)
        )

    def drop(self, segment: Segment) -> None:
        """Delete a segment, in the transaction under way: a few ranges of rows."""
        id = segment.id
        self.write.execute("DELETE FROM segment WHERE id = ?", (id,))
        self.write.execute("DELETE FROM directory WHERE segment = ?", (id,))
        for table, bits in (("chunk", 20), ("posting", 16)):
            self.write.execute(
                f"DELETE FROM {table} WHERE id BETWEEN ? AND ?",
                (id << bits, (id + 1 << bits) - 1),
            )


def is_broken(error: BaseException) -> bool:
    """Whether an error says that the file is not what it should be."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, Foreign) or (code is not None and code & 0xFF in _BROKEN)


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, 10.0, check_same_thread=False)
    connection.isolation_level = None
    try:
        application, version, tables = (
            connection.execute(f"SELECT * FROM {source}").fetchone()[0]
            for source in (
                "pragma_application_id",
                "pragma_user_version",
                "(SELECT count(*) FROM sqlite_master)",
            )
        )
        if tables and (application, version) != (_APPLICATION, _VERSION):
            raise Foreign("it is not a span store of this version")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if not tables:
            connection.executescript(f"BEGIN;{_SCHEMA}COMMIT;")
        os.chmod(path, 0o600)
    except BaseException:
        connection.close()
        raise
    return connection


def _locked(path: Path, patience: float) -> int:
    """The lock of the store's path, which is let go of when this process ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"the span store {path} cannot be made: {error}") from None
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return held
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(held)
                raise ConfigError(
                    f"another process uses the span store {path}; stop it, or set another path"
                ) from None
            time.sleep(0.05)
