from __future__ import annotations

import sys
from pathlib import Path

import pytest

from skerry.bus.embedded import Embedded
from skerry.bus.urls import absolute, driver_of, file_url, path_of, shown
from skerry.core.errors import ConfigError


@pytest.mark.parametrize("path", ["bus.db", "/a/bus.db", "/with space/100%/#1?.db"])
def test_a_file_and_its_url(path: str) -> None:
    assert path_of(file_url(Path(path))) == Path(path)
    driver = driver_of(file_url(Path(path)))
    assert isinstance(driver, Embedded) and driver.path == Path(path)


def test_urls_of_files() -> None:
    assert file_url(Path("/a/bus.db")) == "sqlite:////a/bus.db"
    assert absolute("sqlite:///bus.db", Path("/a")) == "sqlite:////a/bus.db"
    assert absolute("sqlite:////b/bus.db", Path("/a")) == "sqlite:////b/bus.db"
    assert absolute("amqp://h/v", Path("/a")) == "amqp://h/v"


def test_a_file_may_be_less_durable() -> None:
    url = absolute("sqlite:///bus.db?durability=process", Path("/a"))
    assert url == "sqlite:////a/bus.db?durability=process"
    driver = driver_of(url)
    assert isinstance(driver, Embedded)
    assert (driver.path, driver.durability) == (Path("/a/bus.db"), "process")
    assert driver_of("sqlite:///bus.db").durability == "power"  # type: ignore[attr-defined]
    for settings in ("durability=none", "durability=", "sync=off", "durability=power&sync=off"):
        with pytest.raises(ConfigError, match="its only setting is durability"):
            driver_of(f"sqlite:///bus.db?{settings}")


@pytest.mark.parametrize("url", ["kafka://x", "sqlite://x", "sqlite:///", "bus.db", ""])
def test_what_is_no_bus_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=f"{url}' is no bus: it is sqlite:///"):
        driver_of(url)


def test_other_peoples_drivers_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "mine-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[skerry.bus]\nmine = mine_bus:Mine\n")
    (tmp_path / "mine_bus.py").write_text("class Mine:\n    def __init__(s, url): s.url = url\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert vars(driver_of("mine://host/")) == {"url": "mine://host/"}
    with pytest.raises(ConfigError, match="is no bus"):
        driver_of("yours://host/")


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "skerry.bus.rabbitmq", raising=False)
    monkeypatch.setitem(sys.modules, "aiormq", None)
    monkeypatch.setitem(sys.modules, "aiormq.exceptions", None)
    with pytest.raises(ConfigError, match=r"pip install 'skerry\[rabbitmq\]'"):
        driver_of("amqp://localhost/")


def test_passwords_are_not_shown() -> None:
    assert shown("amqp://user:p%40s:s@host:1/v?heartbeat=1") == "amqp://user@host:1/v?heartbeat=1"
    assert shown("amqp://host/v") == "amqp://host/v"
    assert shown("sqlite:////a:b@c/bus.db") == "sqlite:////a:b@c/bus.db"
