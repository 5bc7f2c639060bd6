"""A PostgreSQL server for the length of a test run: what SQLite forgives, it does not.

It listens on a Unix socket in its own temporary folder and on no port, so nothing can collide
with it, and it writes nothing to the disk in earnest (``fsync=off``).
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALL = "apt-get install postgresql"


class NotInstalled(Exception):
    """There is no PostgreSQL server here."""

    def __init__(self) -> None:
        super().__init__(f"no PostgreSQL server is installed: {INSTALL}")


@contextmanager
def postgresql() -> Iterator[str]:
    """Start an empty server; its URL, for SQLAlchemy; stop it at the end.

    Raises:
        NotInstalled: ``initdb`` is neither on the path nor where Debian puts it.
    """
    binaries = _binaries()
    with tempfile.TemporaryDirectory(prefix="skerry-pg-") as name:
        folder = Path(name)
        user = _unprivileged(folder)
        _run(
            user,
            binaries / "initdb",
            *("--pgdata", folder / "data", "--username", "skerry", "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        control = (binaries / "pg_ctl", "--pgdata", folder / "data")
        _run(user, *control, "--wait", "--log", folder / "log", "--options", options, "start")
        try:
            yield f"postgresql+psycopg://skerry@/postgres?host={folder}"
        finally:
            _run(user, *control, "--mode", "immediate", "stop")


def _binaries() -> Path:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3])
    )
    if not debian:
        raise NotInstalled
    return debian[-1].parent


def _unprivileged(folder: Path) -> str | None:
    """Whom to be: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        account = pwd.getpwnam("postgres")
    except KeyError:
        raise NotInstalled from None
    os.chown(folder, account.pw_uid, account.pw_gid)
    return account.pw_name


def _run(user: str | None, *command: str | Path) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        user=user,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name}: {done.stdout.strip()}")
