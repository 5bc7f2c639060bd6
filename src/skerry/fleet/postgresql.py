"""PostgreSQL from a local binary: one server per backing, one database per app that needs it.

The data survives everything the server survives: ``initdb`` works in a folder beside it and is
renamed at its end, so a start that is killed half-way is begun again, and a server that was
killed recovers from its log as it always does.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import signal
import struct
import subprocess
from pathlib import Path

from skerry.spec import BackingSpec

from .localserver import (
    BackingError,
    Home,
    Launch,
    end_leftover,
    exchange,
    find_binaries,
    id_is_a_strangers,
    missing,
)
from .unprivileged import as_user, reachable, user_for

USER = "skerry"
SYSTEM_FOLDER = Path("/var/lib/skerry")
"""Where data goes that the server's user could not reach in the fleet's own folder."""

_PLACES = (
    "/usr/lib/postgresql/*/bin",  # Debian
    "/usr/pgsql-*/bin",  # Fedora, from PostgreSQL's own packages
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
_PROTOCOL_3 = 196608
# duplicate_database; unique_violation, where somebody else made it at the same moment.
_THERE = re.compile(rb"42P04|23505")


class PostgreSQL:
    """A PostgreSQL server.

    Args:
        spec: what ``fleet.toml`` says; its ``database``, when given, is shared by all apps.
        folder: where it keeps everything.
    """

    def __init__(self, spec: BackingSpec, folder: Path) -> None:
        self.name = spec.name
        self._spec = spec
        self._home = Home(folder, spec.name)
        self._user = user_for("postgres")

    def prepare(self) -> Launch:
        """Make the data folder if there is none yet; end a predecessor. Blocks, for seconds.

        Raises:
            BackingError: not installed, data of another version, port taken, ``initdb`` failed.
        """
        self._home.make()
        data = self._data()
        binary = self._binary(data)
        if data.is_dir():
            lock = data / "postmaster.pid"
            end_leftover(lock, str(data), signal.SIGINT, 10.0)
            if id_is_a_strangers(lock, str(data)):
                lock.unlink()  # the server would take the stranger for itself, and refuse
        else:
            self._init(binary.resolve().with_name("initdb"), data)
        port = self._home.settle_port("server", self._spec.port)
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",  # their paths may be 107 bytes, and folders are deep
            "logging_collector": "off",
            "log_destination": "stderr",
        }
        options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        return Launch(
            argv=as_user(self._user, str(binary), "-D", str(data), "-p", str(port), *options),
            cwd=data,
            env={"LC_ALL": "C", "HOME": str(data)},
            stop=signal.SIGINT,  # "fast": ends sessions instead of waiting for them
        )

    async def ready(self) -> bool:
        """Whether it takes sessions: it asks for a password (protocol 3.0, start-up message)."""
        words = f"user\0{USER}\0database\0postgres\0\0".encode()
        message = struct.pack("!II", 8 + len(words), _PROTOCOL_3) + words
        return await exchange(self._home.port("server", self._spec.port), message, 1) == b"R"

    async def provide(self, app: str) -> str:
        """The URL for ``app``, whose database is made when it is not there yet.

        Raises:
            BackingError: the server refused.
        """
        psql = next(find_binaries("psql", places=_PLACES), None)
        if psql is None:
            raise missing(self.name, "PostgreSQL's psql", "postgresql-client", "libpq")
        database = self._database(app)
        port = self._home.port("server", self._spec.port)
        process = await asyncio.create_subprocess_exec(
            *(str(psql), "-X", "-v", "VERBOSITY=sqlstate", "-h", "127.0.0.1", "-p", str(port)),
            *("-U", USER, "-d", "postgres", "-c", f'CREATE DATABASE "{database}"'),
            env={**os.environ, "PGPASSWORD": self._home.secret(), "LC_ALL": "C"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        if process.returncode and not _THERE.search(said):
            reason = said.decode("utf-8", "replace").strip()
            raise BackingError(f"{self.name}: no database for {app}: {reason}")
        return self.url(app)

    def url(self, app: str) -> str:
        """Stable from start to start, unless somebody else takes the port in between."""
        port = self._home.port("server", self._spec.port)
        password = self._home.secret()
        return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{self._database(app)}"

    def _database(self, app: str) -> str:
        if self._spec.database:
            return self._spec.database
        name = app.replace("-", "_")
        return f"{name}_app" if name in ("postgres", "template0", "template1") else name

    def _data(self) -> Path:
        """The data folder, absolute and without links; it need not exist."""
        data = self._home.folder / "data"
        folder = self._home.folder.resolve()
        if self._user is None or data.is_dir() or reachable(folder, self._user):
            return data.resolve()
        outside = SYSTEM_FOLDER / self._home.keep("system_folder", lambda: secrets.token_hex(8))
        outside.mkdir(parents=True, exist_ok=True)
        for place in (SYSTEM_FOLDER, outside):
            place.chmod(0o755)
        data.unlink(missing_ok=True)  # a link whose target has gone
        data.symlink_to(outside / "data")
        return data.resolve()

    def _init(self, initdb: Path, data: Path) -> None:
        fresh = data.with_name("data.new")
        password = data.with_name("password")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700, parents=True)
        password.write_text(self._home.secret())
        password.chmod(0o600)
        if self._user is not None:
            for place in (fresh, password):
                os.chown(place, self._user.pw_uid, self._user.pw_gid)
        try:
            done = subprocess.run(
                as_user(
                    self._user,
                    *(str(initdb), "-D", str(fresh), "-U", USER, f"--pwfile={password}"),
                    *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
                    *("--no-sync", "--no-instructions"),
                ),
                cwd=fresh,
                env={**os.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            password.unlink()
        if done.returncode:
            raise BackingError(
                f"{self.name}: initdb failed: {(done.stderr or done.stdout).strip()}"
            )
        fresh.rename(data)

    def _binary(self, data: Path) -> Path:
        """The server to start: where there is data, of the version that wrote it."""
        found = list(find_binaries("postgres", places=_PLACES))
        if not found:
            raise missing(self.name, "PostgreSQL", "postgresql", "postgresql@17")
        try:
            wanted = (data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return found[0]
        versions = {_major(binary): binary for binary in reversed(found)}
        if wanted not in versions:
            raise BackingError(
                f"{self.name}: the data in {data} was written by PostgreSQL {wanted}, installed is "
                f"{', '.join(versions)}: install {wanted} too, or delete the folder to begin anew"
            )
        return versions[wanted]


def _major(binary: Path) -> str:
    """Its major version: ``postgres (PostgreSQL) 15.6`` → ``15``."""
    command = [str(binary), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", said)
    return found[1] if found else "?"
