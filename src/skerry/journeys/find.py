"""Finds journeys: in folders, files and modules, with messages for all that can be wrong there."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from skerry.core.errors import ConfigError, nearest

from .declare import Journey

FOLDER = "journeys"
"""The folder beside ``fleet.toml`` where journeys are by default."""

_DECLARED = re.compile(r"^@(?:\w+\.)*journey\b", re.MULTILINE)
_OTHERS = ("test_", "conftest.", "__init__.")
_PREFIX = "skerry_journeys_"


def find(places: Iterable[str | Path]) -> list[Journey]:
    """The journeys in ``places``, sorted by name.

    Args:
        places: folders, looked through with those below; Python files; names of modules.

    Raises:
        ConfigError: there are none, or two of one name; a file cannot be imported; an argument
            of a journey is of no type that can be given.
    """
    named = [str(place) for place in places]
    found: dict[str, Journey] = {}
    for journey in _all(named):
        other = found.setdefault(journey.name, journey)
        if other is not journey:
            raise ConfigError(
                f"two journeys are called {journey.name!r}: {_where(other)} and {_where(journey)}; "
                "@journey(name=…) calls one of them something else"
            )
        journey.needs  # noqa: B018 - found to be wrong now, and not in the middle of the night
    if not found:
        raise ConfigError(
            f"there are no journeys in {', '.join(named) or 'no place at all'}: a journey is an "
            "async def with @journey, from skerry import journey"
        )
    return [found[name] for name in sorted(found)]


def chosen(journeys: list[Journey], names: Iterable[str]) -> list[Journey]:
    """Those that are named; all of them if none is.

    Raises:
        ConfigError: there is none of a name.
    """
    names = list(names)
    by_name = {journey.name: journey for journey in journeys}
    for name in names:
        if name not in by_name:
            raise ConfigError(f"there is no journey {name!r}.{nearest(name, by_name)}")
    return [by_name[name] for name in dict.fromkeys(names)] if names else journeys


def in_file(file: Path) -> list[Journey]:
    """The journeys that a file declares, in its order.

    Raises:
        ConfigError: it cannot be imported.
    """
    return sorted(_declared(_imported_file(file)), key=lambda journey: journey.line)


def is_of_tests(file: Path) -> bool:
    """Whether a file is pytest's, or no module of its own."""
    return file.name.startswith(_OTHERS)


def has_journeys(file: Path) -> bool:
    """Whether a file declares any, by its text: nothing is imported to find out."""
    try:
        return _DECLARED.search(file.read_text("utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


def names_below(folder: Path) -> Iterator[str]:
    """The names of journeys in a folder, by their text: for whoever only wants to name one."""
    for file in sorted(folder.rglob("*.py")):
        if _may_have(file, folder):
            with suppress(SyntaxError):
                for node in ast.parse(file.read_text("utf-8")).body:
                    if isinstance(node, ast.AsyncFunctionDef) and any(
                        map(_says_so, node.decorator_list)
                    ):
                        yield node.name


def _says_so(decorator: ast.expr) -> bool:
    """Whether it is ``@journey``, called or not."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (called.attr if isinstance(called, ast.Attribute) else ast.unparse(called)) == "journey"


def _all(places: list[str]) -> Iterator[Journey]:
    seen: set[Path] = set()
    for place in places:
        path = Path(place)
        if path.is_dir():
            files = sorted(file for file in path.rglob("*.py") if _may_have(file, path))
        elif path.is_file():
            files = [path]
        elif place.endswith(".py") or "/" in place:
            raise ConfigError(f"{place}: there is no such file or folder")
        else:
            yield from _declared(_imported(place, place))
            continue
        for file in files:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield from in_file(file)


def _may_have(file: Path, below: Path) -> bool:
    if is_of_tests(file):
        return False
    parts = file.relative_to(below).parts[:-1]
    hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
    return not hidden and has_journeys(file)


def _declared(module: ModuleType) -> list[Journey]:
    """Those of a module, not those it has imported."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, Journey) and value.function.__module__ == module.__name__
    ]


def _imported_file(file: Path) -> ModuleType:
    """The module of a file: part of its package if it is in one, else a module of its own.

    Its folder is at the end of the path, where the journeys' own helpers and clients are found
    and nobody else's modules are hidden.
    """
    file = file.resolve()
    root, parts = file.parent, [file.stem]
    while (root / "__init__.py").is_file():
        parts.insert(0, root.name)
        root = root.parent
    if str(root) not in sys.path:
        sys.path.append(str(root))
    if len(parts) > 1:
        return _imported(".".join(parts), str(file))
    name = _PREFIX + re.sub(r"\W", "_", str(file))
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception | SystemExit):
            raise _unusable(str(file), error) from error
        raise
    return module


def _imported(name: str, said: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise _unusable(said, error) from error


def _unusable(where: str, error: BaseException) -> ConfigError:
    from .browser import INSTALL

    if isinstance(error, ModuleNotFoundError):
        if (error.name or "").partition(".")[0] == "playwright":
            return ConfigError(f"{where} drives a browser: {INSTALL}")
        if error.name == where:
            return ConfigError(f"there is no module, file or folder {where!r}")
    at, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file != __file__ and "importlib" not in file:
            at = f" (at {file}:{trace.tb_lineno})"
        trace = trace.tb_next
    if isinstance(error, ConfigError):
        return ConfigError(str(error))
    return ConfigError(f"{where} cannot be imported: {type(error).__name__}: {error}{at}")


def _where(journey: Journey) -> str:
    return f"{journey.file}:{journey.line}"
