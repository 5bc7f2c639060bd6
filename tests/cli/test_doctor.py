"""What is missing, and what to do."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from skerry.bus.driver import Failure, Subscription
from skerry.bus.embedded import Embedded
from skerry.bus.message import Message
from skerry.cli import doctor as module
from skerry.cli.doctor import Finding, package, packages
from skerry.fleet.state import Lock, State


@pytest.fixture
def findings(run: Callable[..., Any]) -> Callable[[], dict[str, Any]]:
    def findings() -> dict[str, Any]:
        done = run("doctor", "--json")
        found = json.loads(done.out)
        assert done.status == int(any(one["verdict"] == "fail" for one in found))
        return {one["what"]: one for one in found}

    return findings


def test_outside_of_a_fleet(empty: Path, findings: Callable[[], dict[str, Any]]) -> None:
    found = findings()
    assert found["Python"]["verdict"] == "ok" and found["msgspec"]["verdict"] == "ok"
    assert found["fleet.toml"]["verdict"] == "none"


def test_a_fleet(planted: Path, run: Callable[..., Any]) -> None:
    done = run("doctor")
    assert done.status == 0
    assert "✓ fleet.toml:" in done.out and "- fleet: not running" in done.out


def test_mistakes_in_the_file(planted: Path, findings: Callable[[], dict[str, Any]]) -> None:
    (planted / "fleet.toml").write_text("[flet]\n")
    assert "fleet.toml:1" in findings()["fleet.toml"]["detail"]


def test_backings(
    planted: Path, findings: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (planted / "fleet.toml").open("a") as file:
        file.write('[backings.cache]\nkind = "redis"\n')
        file.write('[backings.db]\nkind = "postgresql"\nurl = "postgresql://x/y"\n')
    from skerry.cli import checkup

    monkeypatch.setattr(checkup, "find_binaries", lambda *names, places: iter(()))
    found = findings()
    assert found["backing cache"]["verdict"] == "fail"
    assert "apt-get install redis-server" in found["backing cache"]["todo"]
    assert found["backing db"]["verdict"] == "ok"
    monkeypatch.setattr(checkup, "find_binaries", lambda *names, places: iter([Path("/r")]))
    assert findings()["backing cache"]["detail"] == "/r"


def test_the_bus(
    planted: Path, findings: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKERRY_BUS", raising=False)
    assert "apps make it" in findings()["bus"]["detail"]
    path = planted / ".skerry" / "bus.db"

    async def bury() -> None:
        driver = Embedded(path)
        await driver.open()
        book = Subscription("ledger.book", ("a.settled",))
        await driver.declare([book])
        await driver.publish([Message("1", "a.settled", 1, b"{}")])
        async with driver.consume(book, 1) as deliveries:
            await (await anext(deliveries)).bury(Failure("it broke"))
        await driver.close()

    asyncio.run(bury())
    found = findings()["bus"]
    assert found["verdict"] == "warn" and "1 subscription, 1 dead letter" in found["detail"]
    path.write_bytes(b"no database" * 1000)
    assert findings()["bus"]["verdict"] == "fail"
    monkeypatch.setenv("SKERRY_BUS", "amqp://user:secret@127.0.0.1:1/")
    found = findings()["bus"]
    assert found["verdict"] == "fail" and "secret" not in found["detail"]
    monkeypatch.setattr("skerry.cli.checkup.find_spec", lambda name: None)
    assert findings()["bus"]["todo"] == "pip install 'skerry[rabbitmq]'"
    monkeypatch.undo()
    monkeypatch.chdir(planted)
    with (planted / "fleet.toml").open("a") as file:
        file.write('[backings.broker]\nkind = "rabbitmq"\n[bus]\nbacking = "broker"\n')
    assert findings()["bus"]["detail"] == "is carried by backing broker"


def test_ports(planted: Path, findings: Callable[[], dict[str, Any]]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (planted / "fleet.toml").open("a") as file:
            file.write(f'[front]\nport = {port}\nroutes = {{ "/" = "plain" }}\n')
        finding = findings()[f"port {port}"]
        assert finding["verdict"] == "fail" and "the front door" in finding["detail"]
    assert findings()[f"port {port}"]["verdict"] == "ok"


def test_what_earlier_runs_left(planted: Path, findings: Callable[[], dict[str, Any]]) -> None:
    state = State(planted / ".skerry")
    state.prepare()
    state.control.touch()
    assert "no harm" in findings()["fleet"]["detail"]
    with Lock(state):
        finding = findings()["fleet"]
        assert finding["verdict"] == "warn" and finding["todo"] == "skerry down ends it"


def test_apps_from_git(
    planted: Path, findings: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (planted / "fleet.toml").open("a") as file:
        file.write('[apps.far]\ngit = "https://example.com/far.git"\ntag = "v1"\n')
    monkeypatch.setattr("shutil.which", lambda name, **more: "/usr/bin/git")
    assert findings()["app far"]["todo"] == "skerry up fetches it"
    monkeypatch.setattr("shutil.which", lambda name, **more: None)
    assert findings()["app far"]["verdict"] == "fail"


def test_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [
        "msgspec>=0.1",
        "skerry-nowhere>=2",
        'uvloop-elsewhere>=1; sys_platform != "win32"',
        "skerry-nothing>=1; extra == 'more'",
        'msgspec; extra == "same"',
        "pytest>=900; extra == 'test'",
    ]
    monkeypatch.setattr(metadata, "requires", lambda name: wanted)
    monkeypatch.setattr(module.sys, "platform", "win32")
    found = {finding.what: finding for finding in packages()}
    assert set(found) == {"msgspec", "skerry-nowhere", "extra more", "extra same"}
    assert found["skerry-nowhere"] == Finding(
        "skerry-nowhere", "fail", "is not installed", "pip install 'skerry-nowhere>=2'"
    )
    assert found["extra more"].todo == "if you use it: pip install 'skerry[more]'"
    assert found["extra same"].verdict == "ok"


def test_versions() -> None:
    assert package("msgspec", "0.1").verdict == "ok"
    old = package("msgspec", "99.1")
    assert old.verdict == "fail" and old.todo == "pip install 'msgspec>=99.1'"


def test_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 4096))
    (finding,) = module.open_files()
    assert (finding.verdict, finding.todo) == ("warn", "ulimit -n 1024")


def test_python(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.python().verdict == "ok"
    monkeypatch.setattr(module, "_OLDEST", (99, 1))
    assert "99.1" in module.python().todo
