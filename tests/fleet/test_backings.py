"""One suite for every backing: it starts, stops, is killed, and is the same afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from skerry.fleet import localserver, postgresql
from skerry.fleet.backings import Backing, Outside, backing_for, running
from skerry.fleet.localserver import BackingError, command_line, exchange, free_port
from skerry.spec import BackingSpec, Fleet


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that other users may pass through, as ``tmp_path`` is not."""
    folder = Path(tempfile.mkdtemp(prefix="skerry-test-"))
    folder.chmod(0o755)
    yield folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)


def make(root: Path, kind: str, **more: object) -> Backing:
    spec = BackingSpec(name="store", kind=kind, **more)  # type: ignore[arg-type]
    fleet = Fleet("harbour", root, root / "fleet.toml", apps={}, backings={"store": spec})
    return backing_for(spec, fleet)


async def psql(url: str, statement: str) -> str:
    found = next(localserver.find_binaries("psql", places=postgresql._PLACES))
    process = await asyncio.create_subprocess_exec(
        *(str(found), "-XAt", "-v", "ON_ERROR_STOP=1", url, "-c", statement),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().strip()


async def write_row(backing: Backing) -> None:
    url = await backing.provide("quotes")
    await psql(url, "CREATE TABLE kept (text text); INSERT INTO kept VALUES ('kept')")


async def read_row(backing: Backing) -> bool:
    return await psql(await backing.provide("quotes"), "SELECT text FROM kept") == "kept"


async def write_key(backing: Backing) -> None:
    port = urlsplit(backing.url("quotes")).port or 0
    assert await exchange(port, b"SET kept yes\r\nWAITAOF 1 0 500\r\n", 5) == b"+OK\r\n"
    await asyncio.sleep(1.1)  # the append-only file is flushed once a second


async def read_key(backing: Backing) -> bool:
    port = urlsplit(backing.url("quotes")).port or 0
    return await exchange(port, b"GET kept\r\n", 9) == b"$3\r\nyes\r\n"


async def nothing(backing: Backing) -> None:
    return None


async def logs_in(backing: Backing) -> bool:
    """RabbitMQ: the URL's user and password open its virtual host (AMQP 0-9-1, section 2.2.4)."""
    url = urlsplit(backing.url("quotes"))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(b"AMQP\0\0\x09\x01")
    plain = f"\0{url.username}\0{url.password}".encode()
    start_ok = (
        *(b"\0\x0a\0\x0b", b"\0\0\0\0", b"\x05PLAIN"),
        *(len(plain).to_bytes(4, "big"), plain, b"\x05en_US"),
    )
    vhost = url.path[1:].encode()
    tune_ok = b"\0\x0a\0\x1f" + b"\0\x0a" + (131072).to_bytes(4, "big") + b"\0\0"
    opening = b"\0\x0a\0\x28" + bytes([len(vhost)]) + vhost + b"\0\0"
    methods = []
    for answer in ((b"".join(start_ok),), (tune_ok, opening), ()):
        head = await reader.readexactly(7)
        payload = await reader.readexactly(int.from_bytes(head[3:7], "big") + 1)
        methods.append((payload[1], payload[3]))
        for method in answer:
            writer.write(b"\x01\0\0" + len(method).to_bytes(4, "big") + method + b"\xce")
    writer.close()
    return methods == [(10, 10), (10, 30), (10, 41)]  # start, tune, open-ok


@dataclass(frozen=True)
class Server:
    kind: str
    binary: tuple[str, ...]
    install: str
    write: Callable[[Backing], Awaitable[None]]
    works: Callable[[Backing], Awaitable[bool]]


SERVERS = [
    Server("postgresql", ("postgres",), "apt-get install postgresql", write_row, read_row),
    Server(
        "redis", ("redis-server", "valkey-server"), "apt-get install redis", write_key, read_key
    ),
    Server("rabbitmq", ("rabbitmq-server",), "apt-get install rabbitmq-server", nothing, logs_in),
]


@pytest.fixture(params=SERVERS, ids=lambda server: server.kind)
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.param
    places = (*postgresql._PLACES, "/usr/sbin")
    if not any(localserver.find_binaries(*found.binary, places=places)):
        pytest.skip(f"{found.kind} is not installed: {found.install}")
    return found


async def test_is_the_same_after_a_stop_and_after_a_kill(server: Server, root: Path) -> None:
    log = root / "log"
    backing = make(root, server.kind)
    async with running(backing, log) as first:
        assert first is not None
        await server.write(backing)
        url = backing.url("quotes")

        # The supervisor is gone and its successor starts: nobody has stopped the first one.
        again = make(root, server.kind)
        async with running(again, log) as second:
            assert second is not None
            await asyncio.wait_for(first.wait(), 5)
            assert again.url("quotes") == url
            assert await server.works(again)

            os.killpg(second.pid, signal.SIGKILL)
            await second.wait()

    backing = make(root, server.kind)
    async with running(backing, log):
        assert backing.url("quotes") == url
        assert await server.works(backing)
    assert not await backing.ready()
    await nothing_is_left(root)


async def test_moves_when_somebody_else_has_its_port(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(localserver, "_LINGER", 0.0)
    backing = make(root, server.kind)
    backing.prepare()
    old = urlsplit(backing.url("quotes")).port
    with socket.create_server(("127.0.0.1", old or 0)):
        backing.prepare()
        assert urlsplit(backing.url("quotes")).port != old


def test_a_pinned_port_that_is_taken_is_an_error(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(localserver, "_LINGER", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BackingError, match=f"store: port {port} is in use"):
            make(root, server.kind, port=port).prepare()


@pytest.mark.parametrize("kind", ["postgresql", "redis", "rabbitmq"])
def test_says_how_to_install_what_is_missing(
    kind: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(root))
    monkeypatch.setattr(localserver, "glob", lambda pattern: [])
    with pytest.raises(BackingError, match=r"is not installed.*apt-get install .*brew install"):
        make(root, kind).prepare()


def needs_postgresql() -> None:
    if not any(localserver.find_binaries("postgres", places=postgresql._PLACES)):
        pytest.skip("postgresql is not installed: apt-get install postgresql")


async def test_every_app_has_its_own_database(root: Path) -> None:
    needs_postgresql()
    backing = make(root, "postgresql")
    async with running(backing, root / "log"):
        urls = [await backing.provide(app) for app in ("quotes", "money-flow", "template1")]
        names = [await psql(url, "SELECT current_database()") for url in urls]
        assert names == ["quotes", "money_flow", "template1_app"]
        assert await backing.provide("quotes") == urls[0]  # again is no error
    await nothing_is_left(root)


async def test_a_database_may_be_raced_for(root: Path) -> None:
    needs_postgresql()
    backing = make(root, "postgresql", database="shop")
    async with running(backing, root / "log"):
        urls = await asyncio.gather(*(backing.provide(f"app-{number}") for number in range(8)))
        assert set(urls) == {backing.url("any")}
    await nothing_is_left(root)


async def test_a_named_database_is_shared(root: Path) -> None:
    backing = make(root, "postgresql", database="shop")
    assert backing.url("web") == backing.url("worker")
    assert backing.url("web").endswith("/shop")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
async def test_data_goes_where_its_user_can_reach_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_postgresql()
    elsewhere = root / "system"
    closed = root / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(postgresql, "SYSTEM_FOLDER", elsewhere)
    backing = make(closed, "postgresql")
    async with running(backing, root / "log"):
        assert await psql(await backing.provide("quotes"), "SELECT 1") == "1"
    data = (closed / ".skerry/backings/store/data").resolve()
    assert data.is_relative_to(elsewhere)
    assert data.stat().st_uid != 0


async def test_a_start_that_was_killed_half_way_is_begun_again(root: Path) -> None:
    needs_postgresql()
    half = root / ".skerry/backings/store/data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("15\n")
    backing = make(root, "postgresql")
    async with running(backing, root / "log"):
        assert await backing.ready()
    assert not half.exists()


async def test_a_lock_whose_id_is_a_strangers_by_now(root: Path) -> None:
    needs_postgresql()
    backing = make(root, "postgresql")
    backing.prepare()
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    lock = root / ".skerry/backings/store/data/postmaster.pid"
    lock.write_text(f"{stranger.pid}\n")
    async with running(backing, root / "log"):
        assert await backing.ready()
    assert stranger.returncode is None
    stranger.kill()
    await stranger.wait()


def test_data_of_another_version_is_left_alone(root: Path) -> None:
    needs_postgresql()
    data = root / ".skerry/backings/store/data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(BackingError, match="was written by PostgreSQL 9, installed is"):
        make(root, "postgresql").prepare()
    assert data.is_dir()


async def test_what_it_said_last_is_in_the_error(root: Path) -> None:
    class Broken(Outside):
        def prepare(self) -> localserver.Launch:  # type: ignore[override]
            return localserver.Launch(("/bin/sh", "-c", "echo no disk; exit 3"), root)

        async def ready(self) -> bool:
            return False

    backing = Broken(BackingSpec("store", "x", "x://"))
    with pytest.raises(BackingError, match=r"store ended with code 3:\n    no disk"):
        async with running(backing, root / "log"):
            pass


async def test_a_backing_that_runs_elsewhere() -> None:
    port = free_port()
    outside = Outside(BackingSpec("store", "redis", f"redis://127.0.0.1:{port}/3"))
    assert outside.prepare() is None
    assert await outside.provide("a") == outside.url("b") == f"redis://127.0.0.1:{port}/3"
    assert not await outside.ready()
    with socket.create_server(("127.0.0.1", port)):
        assert await outside.ready()


def test_secrets_are_for_the_owner_alone(root: Path) -> None:
    home = localserver.Home(root / "home", "store")
    assert home.secret() == localserver.Home(root / "home", "store").secret()
    assert (root / "home/backing.json").stat().st_mode & 0o077 == 0


async def nothing_is_left(root: Path) -> None:
    """No process works in ``root`` any more; those that were killed get a moment to go."""
    for _ in range(40):
        left = processes_of(root)
        if not left:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"left behind: {left}")


def processes_of(root: Path) -> list[str]:
    """Command lines and working folders that speak of ``root``: what a test left behind."""
    left = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            where = os.readlink(entry / "cwd")
        except OSError:
            continue
        said = command_line(int(entry.name))
        if said and (str(root) in said or where.startswith(str(root))):
            left.append(said)
    return left
