"""RabbitMQ from a local binary, with nothing of it outside of its folder.

Its start scripts take everything from the environment: node name, ports, folders, the cookie
(in ``HOME``). Two things of Erlang's are less polite. The port mapper ``epmd`` is a daemon that
outlives every node; so each fleet has its own, in the foreground, in the server's process
group, and Erlang finds it running and starts no other. And Debian's ``rabbitmq-server`` on
``PATH`` is a wrapper that insists on root; the real script is looked for first.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

from skerry.spec import BackingSpec

from .localserver import (
    BackingError,
    Home,
    Launch,
    end_leftover,
    exchange,
    find_binaries,
    missing,
)

USER = "skerry"

_PLACES = (
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)
# epmd has to be there before any Erlang looks for it, or that starts a daemon of its own.
_START = """
"$1" -address 127.0.0.1 -port "$ERL_EPMD_PORT" &
echo $! > epmd.pid
tries=0
until "$1" -port "$ERL_EPMD_PORT" -names >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || exit 1
    sleep 0.05
done
shift
exec "$@"
"""


class RabbitMQ:
    """A RabbitMQ server, with one virtual host, named like the fleet.

    Args:
        spec: what ``fleet.toml`` says.
        folder: where it keeps everything.
        fleet: the fleet's name.
    """

    def __init__(self, spec: BackingSpec, folder: Path, fleet: str) -> None:
        self.name = spec.name
        self._spec = spec
        self._home = Home(folder, spec.name)
        self._fleet = fleet

    def prepare(self) -> Launch:
        """Write its configuration; end a predecessor. Blocks.

        Raises:
            BackingError: not installed, port taken.
        """
        script = next(_scripts(), None)
        epmd = next(find_binaries("epmd", places=("/usr/lib/erlang/erts-*/bin",)), None)
        if script is None or epmd is None:
            raise missing(self.name, "RabbitMQ", "rabbitmq-server", "rabbitmq")
        self._home.make()
        folder = self._home.folder.resolve()
        if " " in str(folder):
            raise BackingError(
                f"{self.name}: RabbitMQ cannot work in a folder with a space in its path: {folder}"
            )
        end_leftover(folder / "rabbitmq.pid", f"-skerry {folder}", signal.SIGTERM, 20.0)
        mark = f"-port {self._home.port('epmd')}"
        end_leftover(folder / "epmd.pid", mark, signal.SIGTERM, 2.0)
        mapper, distribution = (self._home.settle_port(it) for it in ("epmd", "distribution"))
        port = self._home.settle_port("server", self._spec.port)
        return Launch(
            argv=(
                "/bin/sh",
                "-c",
                _START,
                "rabbitmq",
                str(epmd),
                str(script),
                "-skerry",
                str(folder),
            ),
            cwd=folder,
            env=self._environment(folder, port, mapper, distribution),
            grace=20.0,
        )

    async def ready(self) -> bool:
        """Whether it speaks AMQP 0-9-1: it answers a greeting with a method frame."""
        return await exchange(self._port(), b"AMQP\0\0\x09\x01", 1) == b"\x01"

    async def provide(self, app: str) -> str:
        return self.url(app)

    def url(self, app: str) -> str:
        return f"amqp://{USER}:{self._home.secret()}@127.0.0.1:{self._port()}/{self._fleet}"

    def _port(self) -> int:
        return self._home.port("server", self._spec.port)

    def _environment(self, folder: Path, port: int, epmd: int, distribution: int) -> dict[str, str]:
        settings = folder / "rabbitmq.conf"
        settings.write_text(
            f"default_user = {USER}\n"
            f"default_pass = {self._home.secret()}\n"
            f"default_vhost = {self._fleet}\n"
            "loopback_users = none\n"
            "log.console.level = warning\n"
        )
        settings.chmod(0o600)
        (folder / "enabled_plugins").write_text("[].\n")
        return {
            "HOME": str(folder),  # Erlang's cookie lives there
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(epmd),
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),  # none: not the system's
            "RABBITMQ_CONFIG_FILE": str(settings),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }


def _scripts() -> Iterator[Path]:
    """The server's own start scripts.

    Never Debian's wrapper on ``PATH``: run under its own name, which following its link would
    do, that calls itself without end.
    """
    for found in find_binaries("rabbitmq-server", places=_PLACES):
        script = found.resolve()
        if script.name == "rabbitmq-server" and (script.parent / "rabbitmq-env").is_file():
            yield script
