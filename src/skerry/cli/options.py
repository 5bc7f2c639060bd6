"""How a verb says what it takes, and how a command line is read by it.

``argparse`` does the reading: ``docs/design/cli.md`` tells why it and nothing larger. What is
added here: every complaint is a ``Failed`` like any other, with the nearest word that exists.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

from .output import Failed, nearest

_LAST_PORT = 65535


class Option(NamedTuple):
    """One argument of a verb, as ``argparse.add_argument`` takes it.

    Attributes:
        names: ``--only``, or the name of a positional.
        settings: the rest; ``dest`` is the name of the function's parameter.
    """

    names: tuple[str, ...]
    settings: dict[str, Any]


def option(*names: str, **settings: Any) -> Option:
    return Option(names, settings)


def switch(*names: str, help: str, dest: str = "") -> Option:
    """An option without a value."""
    settings = {"dest": dest} if dest else {}
    return Option(names, {"action": "store_true", "help": help, **settings})


def seconds(text: str) -> float:
    """A time, longer than none."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:  # which NaN is not
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def count(text: str) -> int:
    """A number of things, 0 at least."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return int(text)


def port(text: str) -> int:
    """A TCP port; 0 is any that is free."""
    value = count(text)
    if value > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"there is no port {value}: the last is {_LAST_PORT}")
    return value


class Verb(NamedTuple):
    """One verb.

    Attributes:
        place: ``module:function`` below ``skerry.cli``; imported when the verb runs. The
            function takes its options as arguments and returns the exit status.
        summary: one line.
        options: what it takes.
        more: what its help says after them.
    """

    place: str
    summary: str
    options: tuple[Option, ...] = ()
    more: str = ""

    def run(self, name: str, arguments: Sequence[str]) -> int:
        """Read the arguments and do it; the exit status.

        Raises:
            SystemExit: help was asked for, and has been printed.
        """
        found = self.parser(name).read(arguments)
        module, _, function = self.place.partition(":")
        status: int = getattr(import_module(f"skerry.cli.{module}"), function)(**found)
        return status

    def parser(self, name: str) -> Parser:
        parser = Parser(
            verb=name,
            prog=f"skerry {name}",
            description=f"{self.summary[0].upper()}{self.summary[1:]}.",
            epilog=self.more,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        for names, settings in self.options:
            parser.add_argument(*names, **settings)
        return parser


class Parser(argparse.ArgumentParser):
    """Fails the way everything here fails; its help ends with examples."""

    def __init__(self, verb: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._verb = verb

    def format_help(self) -> str:
        from .examples import EXAMPLES

        lines = "".join(f"  {line}\n" for line in EXAMPLES[self._verb])
        return f"{super().format_help()}\nexamples:\n{lines}"

    def read(self, arguments: Sequence[str]) -> dict[str, Any]:
        """The options by name; they may stand before, between and after other arguments."""
        found, unknown = self.parse_known_intermixed_args(list(arguments))
        for word in unknown:
            name = word.partition("=")[0]
            if name.startswith("-"):
                self.error(f"there is no option {name}.{nearest(name, self._known_options())}")
            self.error(f"{word!r} is one argument too many")
        return vars(found)

    def error(self, message: str) -> NoReturn:
        raise Failed(f"{message}\n  `{self.prog} --help` says what it takes", 2)

    def _known_options(self) -> list[str]:
        return [name for action in self._actions for name in action.option_strings]


FILE = option(
    "--file", default="", help="the fleet's file or its folder; else the nearest fleet.toml upward"
)
JSON = switch("--json", dest="as_json", help="print JSON")
APP = option("name", metavar="APP", help="an app of the fleet")
