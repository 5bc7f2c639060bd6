"""Looking for journeys, and what can be wrong where they should be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from skerry import ConfigError
from skerry.journeys.find import chosen, find, names_below

from .support import write

PAY = """
@journey(every="1m")
async def pay(http: Http) -> None:
    '''Pays.'''
"""


@pytest.fixture(autouse=True)
def _paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_folders_files_and_modules(tmp_path: Path) -> None:
    write(tmp_path, "journeys/pay.py", PAY)
    write(tmp_path, "journeys/deep/refund.py", PAY.replace("pay", "refund"))
    write(tmp_path, "journeys/helper.py", "VALUE = 1")
    write(tmp_path, "journeys/test_x.py", "raise RuntimeError")
    write(tmp_path, "journeys/.hidden/x.py", PAY.replace("pay", "hidden"))
    assert [one.name for one in find([tmp_path / "journeys"])] == ["pay", "refund"]
    assert [one.name for one in find([tmp_path / "journeys" / "pay.py"])] == ["pay"]
    both = [tmp_path / "journeys", tmp_path / "journeys" / "pay.py"]
    assert [one.name for one in find(both)] == ["pay", "refund"]
    write(tmp_path, "acceptance_pkg/__init__.py", "")
    write(tmp_path, "acceptance_pkg/pay.py", "from .common import NAME\n" + PAY)
    (tmp_path / "acceptance_pkg" / "common.py").write_text("NAME = 'x'")
    assert [one.name for one in find([tmp_path / "acceptance_pkg"])] == ["pay"]
    assert [one.name for one in find(["acceptance_pkg.pay"])] == ["pay"]


def test_a_file_may_import_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path, "journeys/neighbour_of_pay.py", "async def sign_in() -> None: ...")
    write(tmp_path, "journeys/pay.py", "from neighbour_of_pay import sign_in" + PAY)
    assert [one.name for one in find([tmp_path / "journeys"])] == ["pay"]


def test_what_a_file_imports_is_not_its_own(tmp_path: Path) -> None:
    write(tmp_path, "journeys/first_of_two.py", PAY)
    write(
        tmp_path, "journeys/zweite.py", "from first_of_two import pay\n" + PAY.replace("pay", "b")
    )
    assert sorted(one.name for one in find([tmp_path / "journeys" / "zweite.py"])) == ["b"]


def test_two_of_one_name(tmp_path: Path) -> None:
    write(tmp_path, "journeys/a.py", PAY)
    write(tmp_path, "journeys/b.py", PAY)
    with pytest.raises(ConfigError, match=r"two journeys are called 'pay': .*a.py:\d+ and .*b.py"):
        find([tmp_path / "journeys"])
    write(tmp_path, "journeys/b.py", PAY.replace('every="1m"', 'name="pay_again"'))
    for name in [name for name in sys.modules if name.startswith("skerry_journeys_")]:
        del sys.modules[name]
    assert [one.name for one in find([tmp_path / "journeys"])] == ["pay", "pay_again"]


def test_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no journeys in .*: a journey is an async def"):
        find([tmp_path])
    with pytest.raises(ConfigError, match="no place at all"):
        find([])
    with pytest.raises(ConfigError, match="there is no such file or folder"):
        find([str(tmp_path / "gone")])
    with pytest.raises(ConfigError, match="there is no module, file or folder 'nothing_here'"):
        find(["nothing_here"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nobody_has_this", "cannot be imported: ModuleNotFoundError: .*nobody_has_this"),
        ("1 / 0", r"cannot be imported: ZeroDivisionError: .* \(at .*pay.py:2\)"),
        ("def x(:", "cannot be imported: SyntaxError"),
        ("raise SystemExit(2)", "cannot be imported: SystemExit"),
        ("@journey\ndef x() -> None: ...", "a journey is an async def"),
        ("@journey\nasync def x(y: int) -> None: ...", "nothing provides 'y': int"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "journeys" / "pay.py"
    write(tmp_path, "journeys/pay.py", "")
    file.write_text(f"from skerry import journey\n{text}\n@journey\nasync def pay() -> None: ...\n")
    with pytest.raises(ConfigError, match=said):
        find([tmp_path / "journeys"])


def test_a_browser_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright", None)
    monkeypatch.delitem(sys.modules, "playwright.async_api", raising=False)
    write(tmp_path, "journeys/pay.py", "from playwright.async_api import Page" + PAY)
    with pytest.raises(ConfigError, match=r"pip install 'skerry\[browser\]'"):
        find([tmp_path / "journeys"])


def test_some_of_them(tmp_path: Path) -> None:
    write(tmp_path, "journeys/pay.py", PAY + PAY.replace("pay", "refund"))
    journeys = find([tmp_path / "journeys"])
    assert chosen(journeys, []) == journeys
    assert [one.name for one in chosen(journeys, ["refund", "refund"])] == ["refund"]
    with pytest.raises(ConfigError, match=r"no journey 'pai'\. Did you mean 'pay'\?"):
        chosen(journeys, ["pai"])


def test_names_without_importing(tmp_path: Path) -> None:
    write(tmp_path, "journeys/pay.py", PAY + "\n1 / 0\n")
    write(tmp_path, "journeys/broken.py", "@journey\nasync def (")
    assert list(names_below(tmp_path / "journeys")) == ["pay"]
