"""What ``skerry new`` writes runs as it is, and hurts nothing that was there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from skerry.core.errors import ConfigError
from skerry.fleet.scaffold import new_app, new_fleet
from skerry.spec import SpecError, load

ODD = b'\xef\xbb\xbf# mine\r\n[fleet]\r\nname = "odd"   # \xc3\xbc\r\n\r\n[apps.other]\r\nurl="http://x"'


def test_a_new_fleet_loads_and_takes_apps(tmp_path: Path) -> None:
    file = new_fleet(tmp_path / "harbour")
    assert load(file).name == "harbour"
    assert load(file).apps == {}
    before = file.read_bytes()
    folder = new_app(file.parent, "refunds")
    new_app(file.parent, "money-flow")
    fleet = load(file)
    assert {name: app.app for name, app in fleet.apps.items()} == {
        "refunds": "refunds.app:app",
        "money-flow": "money_flow.app:app",
    }
    assert fleet.apps["refunds"].path == folder
    assert file.read_bytes() == before + b"\n[apps.refunds]\n\n[apps.money-flow]\n"
    assert {item.name for item in file.parent.iterdir()} == {
        *("fleet.toml", ".gitignore", "refunds", "money-flow")
    }


def test_a_new_app_passes_its_own_test(tmp_path: Path) -> None:
    file = new_fleet(tmp_path / "harbour")
    folder = new_app(file.parent, "money-flow")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_a_new_app_is_formatted(tmp_path: Path) -> None:
    if not shutil.which("ruff", path=str(Path(sys.executable).parent)):
        pytest.skip("ruff is not installed: pip install ruff")
    folder = new_app(new_fleet(tmp_path / "harbour").parent, "refunds")
    for command in (("format", "--check"), ("check", "--select", "E,F,W,B,UP,RUF")):
        argv = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(folder)]
        subprocess.run(argv, check=True, capture_output=True)


def test_every_byte_of_the_fleet_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_bytes(ODD)
    file.chmod(0o640)
    new_app(tmp_path, "refunds")
    assert file.read_bytes() == ODD + b"\r\n\r\n[apps.refunds]\r\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert set(load(file).apps) == {"other", "refunds"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Refunds", 'did you mean "refunds"'),
        ("a_b", 'did you mean "a-b"'),
        ("../x", 'did you mean "x"'),
        ("", "is not a name"),
        ("class", "Python takes no package called class"),
        ("2fa", "Python takes no package called 2fa"),
        ("json", "would hide the module json"),
        ("other", "there is an app called other already"),
        ("taken", "taken: is there already"),
    ],
)
def test_names_that_cannot_be(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "fleet.toml").write_bytes(ODD)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").write_text("mine")
    with pytest.raises(ConfigError, match=message):
        new_app(tmp_path, name)
    assert (tmp_path / "fleet.toml").read_bytes() == ODD
    assert {item.name for item in tmp_path.iterdir()} == {"fleet.toml", "taken"}


def test_a_file_that_cannot_be_added_to_is_left_alone(tmp_path: Path) -> None:
    text = 'apps = { other = { url = "http://x" } }\n'
    (tmp_path / "fleet.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"\[apps.refunds\] cannot be added at its end"):
        new_app(tmp_path, "refunds")
    assert (tmp_path / "fleet.toml").read_text() == text
    assert not (tmp_path / "refunds").exists()


def test_a_fleet_with_faults_is_not_added_to(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[appz]\n")
    with pytest.raises(SpecError, match="appz"):
        new_app(tmp_path, "refunds")
    with pytest.raises(ConfigError, match="no such file"):
        new_app(tmp_path / "nowhere", "refunds")


@pytest.mark.parametrize("name", ["Harbour", "my_fleet"])
def test_a_fleet_needs_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is not a name"):
        new_fleet(tmp_path / name)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "harbour").mkdir()
    new_fleet(tmp_path / "harbour")  # empty: fine
    with pytest.raises(ConfigError, match="is there already"):
        new_fleet(tmp_path / "harbour")
