"""The embedded bus's file: its tables, and how a file of an older version becomes a new one.

A message is stored once. Each subscription that still needs it has an *entry*, in one of four
states; an entry whose key has an entry before it is *held*, so that what may be taken next is
always the first rows of one index, however much waits behind one key or a million.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from skerry.core.errors import BusUnavailable

READY, HELD, WAITING, LEASED = range(4)

_APPLICATION = 0x534B5259  # "SKRY", in the file's header: says whose it is

_OLDEST = (3, 33)  # of SQLite: UPDATE ... FROM

# One script for each version; scripts that have been released are never edited.
_MIGRATIONS = (
    f"""
    CREATE TABLE subscription (
        id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice
        name TEXT NOT NULL UNIQUE,
        ordered INTEGER NOT NULL
    );
    CREATE TABLE topic (
        topic TEXT NOT NULL,
        subscription INTEGER NOT NULL,
        PRIMARY KEY (topic, subscription)
    ) WITHOUT ROWID;

    CREATE TABLE message (
        id INTEGER PRIMARY KEY,  -- the order of publishing
        topic TEXT NOT NULL,
        key TEXT NOT NULL,
        data BLOB NOT NULL  -- JSON: the whole message, its body in base64
    );

    -- {READY}: may be taken; at = 0
    -- {HELD}: one with its key is before it; at = 0
    -- {WAITING}: to be tried again; at = when, in Unix seconds
    -- {LEASED}: out with a handler; at = when its lease ends
    CREATE TABLE entry (
        message INTEGER NOT NULL,
        subscription INTEGER NOT NULL,
        key TEXT NOT NULL,  -- empty where it does not matter
        state INTEGER NOT NULL,
        at REAL NOT NULL,
        attempts INTEGER NOT NULL,
        lease INTEGER,  -- its consumer's id and a number that this consumer never used before
        PRIMARY KEY (message, subscription)
    ) WITHOUT ROWID;
    CREATE INDEX entry_next ON entry (subscription, state, at, message);
    CREATE INDEX entry_key ON entry (subscription, key, message) WHERE key <> '';

    -- Published with a delay: becomes a message and an entry when its time has come.
    CREATE TABLE later (
        id INTEGER PRIMARY KEY,
        subscription INTEGER NOT NULL,
        at REAL NOT NULL,
        topic TEXT NOT NULL,
        key TEXT NOT NULL,
        data BLOB NOT NULL
    );
    CREATE INDEX later_next ON later (subscription, at);

    CREATE TABLE dead (
        id INTEGER PRIMARY KEY,
        subscription INTEGER NOT NULL,
        message TEXT NOT NULL,  -- its own id, and not a row's
        attempts INTEGER NOT NULL,
        died REAL NOT NULL,
        failure BLOB NOT NULL,
        data BLOB NOT NULL
    );
    CREATE INDEX dead_message ON dead (subscription, message);

    -- Who takes from a subscription now, and where to reach him.
    CREATE TABLE consumer (
        id INTEGER PRIMARY KEY,
        subscription INTEGER NOT NULL,
        socket TEXT NOT NULL,
        waiting REAL  -- since when, for a message or to be told of one
    );
    """,
)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for writing, made or migrated as need be, while nobody else does.

    Raises:
        BusUnavailable: it is something else's, or a newer version's.
        sqlite3.Error: it cannot be opened.
        OSError: it cannot be made.
    """
    if sqlite3.sqlite_version_info < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise BusUnavailable(
            f"{path}: this Python's SQLite is {sqlite3.sqlite_version}; the bus needs {oldest}"
        )
    # Only if it is not there: closing a file lets go of all locks that this process, another app
    # in it, holds on that.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    # Its own thread is the only one to use it, but another may be the one to close it.
    connection = sqlite3.connect(path, 10.0, isolation_level=None, check_same_thread=False)
    try:
        _check(connection, path)
        # These two before there is a table. Small pages: most commits change few bytes in several
        # of them, and each is written whole, and summed.
        connection.execute("PRAGMA page_size = 2048")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise BusUnavailable(
                f"{path}: its file system cannot share memory (is it a network's?)"
            )
        for setting in (
            # Commits survive a crash of every process; what is to survive a loss of power as
            # well is synchronised by the writer, after it has let others in.
            "synchronous = NORMAL",
            "checkpoint_fullfsync = ON",
            "temp_store = MEMORY",
            "cache_size = -16000",
            "wal_autocheckpoint = 4000",
            "journal_size_limit = 67108864",
        ):
            connection.execute(f"PRAGMA {setting}")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != _APPLICATION and (application or tables):
        raise BusUnavailable(f"{path} is a database, but not a bus")
    version = _version(connection)
    if version > len(_MIGRATIONS):
        raise BusUnavailable(
            f"{path} was written by a newer Skerry (its layout is version {version}, and this "
            f"one knows {len(_MIGRATIONS)}); upgrade, or use another file"
        )


def _migrate(connection: sqlite3.Connection) -> None:
    for number in range(_version(connection), len(_MIGRATIONS)):
        connection.executescript(
            f"BEGIN IMMEDIATE; {_MIGRATIONS[number]}; PRAGMA application_id = {_APPLICATION}; "
            f"PRAGMA user_version = {number + 1}; COMMIT;"
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
