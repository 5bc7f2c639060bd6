"""The embedded bus's file, and the lock that whoever writes to it holds."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .embedded_schema import connect
from .embedded_store import Store

log = logging.getLogger("skerry.bus")


class Lock:
    """``with lock:`` nobody else has it, in any process. The kernel queues those who wait."""

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self._path = f"{path}-lock"
        self._file = -1

    def __enter__(self) -> None:
        while True:
            if self._file < 0:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.stat(self._path), os.fstat(self._file)):
                    return
            self.close()  # it was deleted; the lock is that of the name, for all of us

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class File:
    """Opened under its lock by ``with file as store`` when it is not yet, or when another has
    come to lie in its place.

    Attributes:
        fresh: it has been opened, and nothing was done with it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names = (str(path), f"{path}-wal")
        self._log = -1
        self._lock = Lock(path)
        self._connection: sqlite3.Connection | None = None
        self._store: Store | None = None
        self._identity: object = None
        self.fresh = False

    def __enter__(self) -> Store:
        self._lock.__enter__()
        try:
            if self._store is not None and self._identity != self._identify():
                log.warning("%s was removed while in use; beginning another", self._path)
                with _spared(self._path):
                    self._close_database()
            return self._store or self._open()
        except BaseException:
            self._lock.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        self._lock.__exit__()

    def _identify(self) -> object:
        """Which files have these names now; None if one is missing."""
        try:
            database, its_log = map(os.stat, self._names)
        except FileNotFoundError:
            return None
        return database.st_ino, database.st_dev, its_log.st_ino

    def _open(self) -> Store:
        self._connection = connect(self._path)
        # SQLite makes its log when it first reads. Only the log is ever opened beside SQLite:
        # closing another of its files would undo the locks that it holds on them.
        self._connection.execute("SELECT count(*) FROM subscription").fetchone()
        self._log = os.open(self._names[1], os.O_RDWR | os.O_CLOEXEC)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._identity = self._identify()
        self._store = Store(self._connection)
        self.fresh = True
        return self._store

    def synchronise(self) -> None:
        """Until what has been committed is on the disk.

        It is the log that has to be there: before SQLite overwrites any of it, it has brought
        it to the database, and synchronised both.
        """
        if sys.platform == "darwin":
            fcntl.fcntl(self._log, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(self._log)

    def _close_database(self) -> None:
        if self._log >= 0:
            os.close(self._log)
            self._log = -1
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = self._store = None

    def close(self) -> None:
        self._close_database()
        self._lock.close()

    def abandon(self) -> None:
        """In a forked child: the lock is the parent's, and must not outlive it here."""
        self._lock.close()


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees the file as it is now, whoever writes meanwhile.

    Raises:
        sqlite3.Error: it cannot be read.
        OSError: its lock cannot be taken.
    """
    lock = Lock(path)
    try:
        with lock:  # so that it is not opened while another is put in its place
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", 10.0, uri=True)
            connection.isolation_level = None
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM subscription").fetchone()
    finally:
        lock.close()
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _spared(path: Path) -> Iterator[None]:
    """SQLite, when it closes what has no other user, deletes its log and its index by their
    names; keep those that are another file's by now."""
    kept: list[tuple[Path, Path]] = []
    for suffix in ("-wal", "-shm"):
        name = path.with_name(path.name + suffix)
        copy = path.with_name(f"{name.name}-{os.getpid()}")
        with suppress(FileNotFoundError):
            os.link(name, copy)
            kept.append((copy, name))
    try:
        yield
    finally:
        for copy, name in kept:
            os.replace(copy, name)
            copy.unlink(missing_ok=True)  # replacing a file by itself does nothing
