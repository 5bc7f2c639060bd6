"""Journeys as tests: ``pytest journeys/``.

Loaded with pytest (entry point ``pytest11``), so it imports next to nothing until there is a
file of journeys. Those are the files below a folder ``journeys`` that have ``@journey`` in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

_FOLDER = "journeys"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("journeys", "journeys: acceptance tests across apps (Skerry)")
    group.addoption(
        "--journey-fleet",
        metavar="FILE",
        default="",
        help="the fleet's file or its folder; else the nearest fleet.toml upward",
    )
    group.addoption(
        "--journey-url",
        metavar="APP=URL",
        action="append",
        default=[],
        help="where an app is; front=URL, the front door; may be given several times",
    )
    group.addoption(
        "--journey-in-process",
        action="store_true",
        help="run the apps of the fleet in this process, on empty data",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix != ".py" or _FOLDER not in file_path.parts:
        return None
    from .find import has_journeys, is_of_tests

    if is_of_tests(file_path) or not has_journeys(file_path):
        return None
    return JourneyFile.from_parent(parent, path=file_path)


def pytest_unconfigure(config: pytest.Config) -> None:
    session = config.stash.get(_SESSION, None)
    if session is not None:
        session.close()


class JourneyFile(pytest.File):
    """A file of journeys."""

    def collect(self) -> Iterable[pytest.Item]:
        from skerry.core.errors import ConfigError

        from .find import in_file

        try:
            for journey in in_file(self.path):
                journey.needs  # noqa: B018 - what is wrong with it is found when it is collected
                yield JourneyItem.from_parent(self, name=journey.name, journey=journey)
        except ConfigError as error:
            raise self.CollectError(str(error)) from error


class JourneyItem(pytest.Item):
    """A journey as a test."""

    def __init__(self, *, journey: Any, **options: Any) -> None:
        super().__init__(**options)
        self._journey = journey

    def runtest(self) -> None:
        from .perform import perform

        session = self.config.stash.get(_SESSION, None)
        if session is None:
            session = self.config.stash[_SESSION] = Session(self.config)
        place = session.place(self._asked_for())
        result = session.run(perform(self._journey, place))
        self.user_properties.append(("trace", result.trace))
        self.add_report_section("call", "journey", _steps(result))
        if not result.ok:
            raise JourneyFailed(result)

    def _asked_for(self) -> bool:
        """Whether journeys are what pytest was asked for, and do not come along with others."""
        config = self.config
        given = [str(one).partition("::")[0] for one in config.invocation_params.args]
        named = [path for one in given if (path := Path(one)).exists() and one[:1] != "-"]
        options = config.option
        return bool(options.journey_fleet or options.journey_url) or any(
            _FOLDER in path.absolute().parts and self.path.is_relative_to(path.absolute())
            for path in named
        )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, JourneyFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self._journey.line - 1, f"journey {self.name}"


class JourneyFailed(Exception):
    """A journey did not come to its end; says where, and what its steps were."""

    def __init__(self, result: Any) -> None:
        self.result = result
        error = result.error
        shots = [f"screenshot {shot.name}: {shot.file}" for shot in result.screenshots]
        parts = [
            error.stack.rstrip(),
            f"{error.type}: {error.message}" if error.message not in error.stack else "",
            f"in step {error.step!r}" if error.step else "",
            _steps(result),
            *shots,
        ]
        super().__init__("\n".join(part for part in parts if part))


class NoFleet(Exception):
    """There is no fleet that runs."""


class Session:
    """The place of all journeys of a session, and the event loop in which it is."""

    def __init__(self, config: pytest.Config) -> None:
        self._options = config.option
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._place: Any = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def place(self, asked_for: bool) -> Any:
        """Where journeys run, made once.

        Args:
            asked_for: that there is no such place is a failure, and no reason to skip.
        """
        if self._place is None:
            from skerry.core.errors import Error

            said = absent = ""
            try:
                self._place = self.run(self._opened())
            except NoFleet as error:
                absent = f"{error}; or --journey-in-process, or --journey-url APP=https://…"
            except Error as error:
                said = str(error)
            if absent and not asked_for:
                pytest.skip(absent)
            if said or absent:
                pytest.fail(said or absent, pytrace=False)
        return self._place

    async def _opened(self) -> Any:
        from .place import reach

        options = self._options
        if options.journey_in_process:
            from skerry.spec import load

            from .inprocess import fleet_inside

            folder = self._stack.enter_context(TemporaryDirectory(prefix="skerry-journeys-"))
            inside = fleet_inside(load(_fleet(options.journey_fleet)), Path(folder))
            return await self._stack.enter_async_context(inside)
        urls = dict(one.partition("=")[::2] for one in options.journey_url)
        given = options.journey_fleet
        control = "" if urls and not given else _control(given)
        place = reach(urls, control)
        self._stack.push_async_callback(place.close)
        return place

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._runner.close()


def _fleet(given: str) -> Path:
    """The fleet's file.

    Raises:
        SpecError: there is none.
    """
    from skerry.spec import FILE, find

    if not given:
        return find(Path.cwd())
    path = Path(given)
    return path / FILE if path.is_dir() else path


def _control(given: str) -> str:
    """The socket of the fleet that runs.

    Raises:
        NoFleet: none does.
    """
    from skerry.fleet.client import Control, NotRunning
    from skerry.spec import SpecError

    try:
        control = Control(_fleet(given).resolve().parent)
        control.status()
    except (NotRunning, SpecError) as error:
        raise NoFleet(str(error)) from error
    return str(control.socket)


def _steps(result: Any) -> str:
    lines = [
        f"{'  ' * step.depth}{'✓' if step.ok else '✗'} {step.name} {step.ms:.3g} ms"
        + (" slow" if step.slow else "")
        for step in result.steps
    ]
    return "\n".join([*lines, f"trace {result.trace}"])


_SESSION: pytest.StashKey[Session] = pytest.StashKey()
