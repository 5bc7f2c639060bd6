"""Verbs are found, or the nearest is named; failures are sentences."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skerry.cli import main as entry
from skerry.cli import serving
from skerry.cli.verbs import GROUPS, VERBS

from .conftest import Ran


def test_help_lists_every_verb(run: Callable[..., Any]) -> None:
    for words in (("--help",), ("-h",), ("help",)):
        done = run(*words)
        assert done.status == 0
        for name, verb in VERBS.items():
            assert f"  {name}" in done.out and verb.summary in done.out
        assert all(f"  {name}" in done.out for name in ("-C DIR", "--file FILE", "--debug"))


def test_without_a_verb_it_is_a_mistake(run: Callable[..., Any]) -> None:
    assert run().status == 2
    assert run("client").status == 2


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_help(name: str, run: Callable[..., Any]) -> None:
    done = run(*name.split(), "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"usage: skerry {name}")
    assert run("help", *name.split()).out == done.out


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_help(group: str, run: Callable[..., Any]) -> None:
    done = run(group, "--help")
    assert done.status == 0
    assert all(name in done.out for name in VERBS if name.startswith(f"{group} "))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pss",), "Did you mean 'ps'?"),
        (("clent", "add"), "Did you mean 'client'?"),
        (("client", "ad"), "Did you mean 'add'?"),
        (("--verson",), "there is no option '--verson'. Did you mean '--version'?"),
        (("-c", "x", "ps"), "there is no option '-c'. Did you mean '-C'?"),
        (("-C",), "-C needs a value"),
        (("--file=", "ps"), "--file needs a value"),
        (("--file", "x", "init"), "skerry init: it speaks of no fleet, and takes no --file"),
        (("ps", "--jsn"), "Did you mean '--json'?"),
        (("down", "now"), "'now' is one argument too many"),
        (("scale", "one", "many"), "'many' is not a number from 0 up"),
        (("restart",), "APP"),
        (("ps", "--watch", "0"), "'0' is not a number of seconds above 0"),
        (("ps", "--watch", "nan"), "'nan' is not a number of seconds above 0"),
        (("call", "a.b", "--timeout", "soon"), "'soon' is not a number of seconds above 0"),
        (("logs", "-n", "-1"), "'-1' is not a number"),
        (("run", "a:b", "--port", "65536"), "there is no port 65536"),
    ],
)
def test_mistakes(words: tuple[str, ...], said: str, run: Callable[..., Any]) -> None:
    done = run(*words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert "--help" in done.err or "Did you mean" in done.err


def test_version(run: Callable[..., Any]) -> None:
    from skerry import __version__

    assert run("version").out == run("--version").out == f"{__version__}\n"
    assert f'"skerry": "{__version__}"' in run("version", "--json").out


def _raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(as_json: bool) -> int:
        raise error

    monkeypatch.setattr(serving, "version", version)


def test_a_fault_of_ours_is_a_sentence_too(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKERRY_DEBUG", raising=False)
    _raising(ZeroDivisionError("oh"), monkeypatch)
    done = run("version")
    assert done.status == 1
    assert "skerry version: ZeroDivisionError: oh" in done.err
    assert "--debug" in done.err and "Traceback" not in done.err


def test_debug_shows_the_traceback(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_DEBUG", "1")
    _raising(ZeroDivisionError("oh"), monkeypatch)
    with pytest.raises(ZeroDivisionError):
        run("version")


def test_errors_of_the_system_name_the_file(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _raising(PermissionError(13, "Permission denied", "/etc/x"), monkeypatch)
    assert run("version").err == "skerry version: /etc/x: Permission denied\n"


@pytest.mark.parametrize("words", [("--debug", "version"), ("version", "--debug")])
def test_the_option_does_too(
    words: tuple[str, str], run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKERRY_DEBUG", raising=False)
    assert run(*words).status == 0
    _raising(ZeroDivisionError("oh"), monkeypatch)
    with pytest.raises(ZeroDivisionError):
        run(*words)
    assert run("version", "--", "--debug").status == 2


def test_a_verb_is_done_elsewhere(planted: Path, run: Callable[..., Any]) -> None:
    """Like the verb's own ``--file``, and from the folder of ``-C``."""
    (planted / "sub").mkdir()
    asked = ("logs", "greeter")
    said = run(*asked)
    assert said.status == 1 and f"no fleet has run in {planted} yet" in said.err
    for before in (
        ("-C", str(planted)),
        ("-C", str(planted / "sub"), "-C", ".."),
        ("-C", str(planted / "sub"), "--file", "../fleet.toml"),
        (f"--file={planted}",),
        ("--file", "nowhere", "--file", str(planted)),
    ):
        assert run("-C", "/", *before, *asked) == said
    assert "nowhere: there is no such fleet file" in run("--file", "nowhere", *asked).err
    own = run("--file", "nowhere", *asked, "--file", str(planted))
    assert own == said
    assert run("-C", "nowhere", "version").err == "skerry: nowhere: No such file or directory\n"


def test_the_current_folder_is_gone(empty: Path, run: Callable[..., Any]) -> None:
    (empty / "gone").mkdir()
    os.chdir(empty / "gone")
    (empty / "gone").rmdir()
    done = run("ps")
    assert done.status == 1 and "skerry -C DIR" in done.err


@pytest.mark.parametrize(
    ("shell", "ran"),
    [
        ('"$@" version >&-', Ran(0, "", "")),
        ('"$@" pss 2>&-', Ran(2, "", "")),
        ('"$@" version --json <&- >&- 2>&-', Ran(0, "", "")),
    ],
)
def test_streams_that_are_closed(shell: str, ran: Ran) -> None:
    command = ["sh", "-c", shell, "sh", sys.executable, "-m", "skerry.cli.main"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == ran


def test_ctrl_c_is_quiet(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(KeyboardInterrupt(), monkeypatch)
    assert run("version") == (130, "", "")


def test_the_status_of_those_who_exit(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _raising(SystemExit(3), monkeypatch)
    assert run("version").status == 3


def test_what_cannot_be_written_is_escaped(tmp_path: Path) -> None:
    code = (
        "import sys; from skerry.cli import main, serving\n"
        "serving.version = lambda as_json: print('\\ud800 \\u2713') or 0\n"
        "sys.exit(main.main(['version']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "\\ud800 \\u2713\n"), done.stderr


def test_nobody_reads(empty: Path) -> None:
    """More than a pipe holds, to a reader that is gone before it comes."""
    code = (
        "import sys; from skerry.cli import main, serving\n"
        "serving.version = lambda as_json: print('x' * 1_000_000) or 0\n"
        "sys.exit(main.main(['version']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(20) == 141


def test_the_script_is_this_function() -> None:
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="skerry")
    assert script.load() is entry.main
