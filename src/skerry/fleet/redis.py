"""Redis, or Valkey, from a local binary. It asks for no password, as it does everywhere."""

from __future__ import annotations

import signal
from pathlib import Path

from skerry.spec import BackingSpec

from .localserver import Home, Launch, end_leftover, exchange, find_binaries, missing


class Redis:
    """A Redis server; all apps share database 0.

    What it was told is in an append-only file, flushed every second: a server that is killed
    loses at most that second.

    Args:
        spec: what ``fleet.toml`` says.
        folder: where it keeps everything.
    """

    def __init__(self, spec: BackingSpec, folder: Path) -> None:
        self.name = spec.name
        self._spec = spec
        self._home = Home(folder, spec.name)

    def prepare(self) -> Launch:
        """End a predecessor. Blocks.

        Raises:
            BackingError: not installed, port taken.
        """
        binary = next(find_binaries("redis-server", "valkey-server"), None)
        if binary is None:
            raise missing(self.name, "Redis", "redis-server", "redis")
        self._home.make()
        folder = self._home.folder.resolve()
        # A server's title has its port and not its folder: the port is its mark.
        port = self._port()
        end_leftover(folder / "redis.pid", f":{port}", signal.SIGTERM, 10.0)
        port = self._home.settle_port("server", self._spec.port)
        settings = {
            "port": str(port),
            "bind": "127.0.0.1",
            "dir": str(folder),
            "pidfile": str(folder / "redis.pid"),
            "appendonly": "yes",
            "save": "",
            "daemonize": "no",
        }
        options = [text for name, value in settings.items() for text in (f"--{name}", value)]
        return Launch((str(binary), *options), cwd=folder)

    async def ready(self) -> bool:
        """Whether it answers, its data loaded."""
        return await exchange(self._port(), b"PING\r\n", 7) == b"+PONG\r\n"

    async def provide(self, app: str) -> str:
        return self.url(app)

    def url(self, app: str) -> str:
        return f"redis://127.0.0.1:{self._port()}/0"

    def _port(self) -> int:
        return self._home.port("server", self._spec.port)
