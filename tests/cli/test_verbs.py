"""The table of verbs fits the functions behind it, and the page that documents it."""

from __future__ import annotations

import inspect
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from skerry.cli.examples import EXAMPLES
from skerry.cli.main import _GLOBAL, _split
from skerry.cli.verbs import GROUPS, VERBS

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")


@pytest.mark.parametrize("name", VERBS)
def test_its_function_takes_its_options(name: str) -> None:
    verb = VERBS[name]
    module, _, function = verb.place.partition(":")
    taken = inspect.signature(getattr(import_module(f"skerry.cli.{module}"), function)).parameters
    given = {action.dest for action in verb.parser(name)._actions} - {"help"}
    assert given == set(taken)


@pytest.mark.parametrize("name", VERBS)
def test_it_is_documented_with_every_option(name: str) -> None:
    found = re.search(rf"^### `skerry {name}`\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S)
    assert found, f"docs/cli.md has no section for skerry {name}"
    for action in VERBS[name].parser(name)._actions:
        for option in action.option_strings:
            if option not in ("-h", "--help"):
                # With nothing of a longer option's name after it.
                assert re.search(rf"{option}(?![\w-])", found[1]), f"skerry {name} {option}"


def test_nothing_is_documented_that_is_not_there() -> None:
    assert set(re.findall(r"^### `skerry (.*)`$", PAGE, re.M)) == set(VERBS)
    options = {
        option
        for name, verb in VERBS.items()
        for action in verb.parser(name)._actions
        for option in action.option_strings
    }
    options |= {name.split()[0] for name in _GLOBAL}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) <= options


def _shown_on_the_page() -> list[str]:
    blocks = re.findall(r"^```\n(.*?)^```", PAGE, re.M | re.S)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if re.match(r"(cd \w+ && )?skerry [^…]*$", line)]


def test_every_verb_has_examples() -> None:
    assert set(EXAMPLES) == set(VERBS)
    assert len(_shown_on_the_page()) > 5


@pytest.mark.parametrize(
    "line", [*(line for lines in EXAMPLES.values() for line in lines), *_shown_on_the_page()]
)
def test_examples_are_command_lines(line: str) -> None:
    command = re.split(r" [|<] ", line.rpartition("&& ")[2])[0]
    words = shlex.split(command)
    assert words[0] == "skerry"
    if words[1] == "-C":
        del words[1:3]
    name, rest = _split(words[1:])
    assert VERBS[name].parser(name).read(rest)


@pytest.mark.parametrize("name", VERBS)
def test_an_example_is_of_its_verb(name: str) -> None:
    assert all(line.startswith(f"skerry {name}") for line in EXAMPLES[name])


@pytest.mark.parametrize("name", _GLOBAL)
def test_what_stands_before_a_verb_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE.partition("\n## ")[0]


def test_groups_are_those_that_have_verbs() -> None:
    assert {name.partition(" ")[0] for name in VERBS if " " in name} == set(GROUPS)
