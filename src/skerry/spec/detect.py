"""Where an app's application object is, when ``fleet.toml`` does not say.

Files are read and parsed, never imported: looking at a fleet must not run it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

_VARIABLES = ("app", "application", "api", "asgi", "wsgi")
_FACTORIES = ("create_app", "make_app", "build_app", "get_app", "app_factory")
_MODULES = ("app", "main", "asgi", "wsgi")
_SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']""")
_NOT_APPS = frozenset({"test", "tests", "docs", "migrations", "alembic", "scripts", "node_modules"})


_Modules: TypeAlias = Iterable[tuple[str, Path]]


class NoApp(LookupError):
    """Nothing in the folder looks like an application; the message says what was looked at."""


def detect(name: str, folder: Path) -> str:
    """The reference, ``package.module:variable``, of the app called ``name`` in ``folder``.

    Looked at, in this order: the package of the app's name (``app.py``, ``main.py``,
    ``asgi.py``, ``wsgi.py``, ``__init__.py``), ``app.py``, ``main.py``, ``asgi.py``, ``wsgi.py``,
    ``app/main.py`` and the like, what Django's ``manage.py`` points to, and at last any other
    package in the folder, if it is one alone. A file counts when it has a variable or an
    application function ``app``, ``application``, ``api``, ``asgi`` or ``wsgi`` at its top level.
    When none has, a function ``create_app`` that needs no arguments does.

    Raises:
        NoApp: nothing fits, or several packages do.
    """
    named, others = list(_candidates(name, folder)), list(_packages(folder))
    for find in (_variable, _factory):
        for found in _found(find, named):
            return found
        several = list(_found(find, others))
        if len({one.partition(".")[0] for one in several}) > 1:
            raise NoApp(f"{', '.join(several)} could each be it; say app = with the one it is")
        if several:
            return several[0]
    without = [file.relative_to(folder).as_posix() for _, file in named if file.is_file()]
    package = name.replace("-", "_")
    if without:
        said = f"{', '.join(without)} there has no variable called app, and no create_app()"
    else:
        said = f"there is no {package}/app.py, app.py, main.py, asgi.py or manage.py in it"
    raise NoApp(
        f'no application object in {folder.name or folder}: {said}; say app = "module:variable", '
        f'or command = "…" for one that starts itself'
    )


def _found(find: Callable[[Path], str | None], modules: _Modules) -> Iterator[str]:
    for module, file in modules:
        expression = find(file) if file.is_file() else None
        if expression is not None:
            yield f"{module}:{expression}"


def _candidates(name: str, folder: Path) -> _Modules:
    """Modules and their files, in the order in which they are looked at."""
    package = name.replace("-", "_")
    yield from _of(folder, package)
    for module in (*_MODULES, "src.main", "src.app"):
        yield module, folder / (module.replace(".", "/") + ".py")
    yield from _of(folder, "app")
    for project in _django_projects(folder / "manage.py"):
        for module in (f"{project}.asgi", f"{project}.wsgi"):
            yield module, folder / (module.replace(".", "/") + ".py")


def _packages(folder: Path) -> _Modules:
    """The modules of every package in the folder."""
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    except OSError:
        return
    for name in names:
        if name.isidentifier() and name.lower() not in _NOT_APPS:
            yield from _of(folder, name)


def _of(folder: Path, package: str) -> _Modules:
    for module in _MODULES:
        yield f"{package}.{module}", folder / package / f"{module}.py"
    yield package, folder / package / "__init__.py"


def _django_projects(manage: Path) -> list[str]:
    """Packages that may be the project, from the settings that ``manage.py`` names."""
    try:
        match = _SETTINGS.search(manage.read_text("utf-8", "replace"))
    except OSError:
        return []
    # mysite.settings and mysite.settings.local both belong to the project mysite.
    return [match[1].partition(".settings")[0], match[1].partition(".")[0]] if match else []


def _variable(file: Path) -> str | None:
    tree = _parsed(file)
    if tree is None:
        # A broken file is still the app: it will say so itself, with a traceback, when it runs.
        return _VARIABLES[0] if file.name != "__init__.py" else None
    defined = {name for statement in tree.body for name in _defined(statement)}
    return next((name for name in _VARIABLES if name in defined), None)


def _factory(file: Path) -> str | None:
    """``create_app()``: the call of a function that makes the application."""
    tree = _parsed(file)
    made = {
        statement.name
        for statement in (tree.body if tree else ())
        if isinstance(statement, ast.FunctionDef) and _required(statement) == 0
    }
    return next((f"{name}()" for name in _FACTORIES if name in made), None)


def _parsed(file: Path) -> ast.Module | None:
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _defined(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id
    elif isinstance(statement, ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name
    elif isinstance(statement, ast.AsyncFunctionDef) or (
        # A bare ASGI application; a bare WSGI one, (environ, start_response).
        isinstance(statement, ast.FunctionDef) and _required(statement) == 2
    ):
        yield statement.name
    elif isinstance(statement, ast.If | ast.Try | ast.With):
        for inner in statement.body:
            yield from _defined(inner)


def _required(function: ast.FunctionDef) -> int:
    """How many arguments a call of it must have."""
    given = function.args
    keywords = sum(default is None for default in given.kw_defaults)
    return len(given.posonlyargs) + len(given.args) - len(given.defaults) + keywords
