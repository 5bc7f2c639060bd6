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
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALL = "apt-get install postgresql"
_INITDB = (
    *("--username", "skerry", "--auth", "trust", "--encoding", "UTF8", "--locale", "C"),
    "--no-sync",
)


class NotInstalled(Exception):
    """There is no PostgreSQL server here."""

    def __init__(self) -> None:
        super().__init__(f"no PostgreSQL server is installed: {INSTALL}")


# A pipe from us is the server's life line: it closes when we do, however we end. A shell starts
# what is in its background deaf to QUIT, until the server listens to it; TERM is for before.
_LIFE_LINE = """
    "$1/postgres" -D "$2/data" -c listen_addresses= -c unix_socket_directories="$2" \\
        -c fsync=off -c synchronous_commit=off -c full_page_writes=off >"$2/log" 2>&1 &
    read -r _
    kill -TERM $! && kill -QUIT $!
    wait $!
    rm -rf "$2"
"""


@contextmanager
def postgresql() -> Iterator[str]:
    """Start an empty server; its URL, for SQLAlchemy; stop it at the end.

    Raises:
        NotInstalled: ``initdb`` is neither on the path nor where Debian puts it.
    """
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="skerry-pg-"))
    user = _unprivileged(folder)
    initdb = subprocess.run(
        [str(binaries / "initdb"), "--pgdata", str(folder / "data"), *_INITDB],
        user=user,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        check=False,
    )
    if initdb.returncode:
        raise RuntimeError(f"initdb: {initdb.stdout.strip()}")
    with subprocess.Popen(
        ["/bin/sh", "-c", _LIFE_LINE, "sh", str(binaries), str(folder)],
        user=user,
        stdin=subprocess.PIPE,
        cwd="/",
        process_group=0,
    ) as server:
        try:
            _wait(binaries, folder)
            yield f"postgresql+psycopg://skerry@/postgres?host={folder}"
        finally:
            assert server.stdin is not None
            server.stdin.close()


def _wait(binaries: Path, folder: Path) -> None:
    """Until it takes connections."""
    ready = [str(binaries / "pg_isready"), "--quiet", "--host", str(folder)]
    deadline = time.monotonic() + 60
    while subprocess.run(ready, check=False).returncode:
        if time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()}")
        time.sleep(0.02)


def _binaries() -> Path:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
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
