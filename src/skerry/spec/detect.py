"""Where an app's application object is, when ``fleet.toml`` does not say.

Files are read and parsed, never imported: looking at a fleet must not run it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_VARIABLES = ("app", "application", "api", "asgi", "wsgi")
_SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']""")


class NoApp(LookupError):
    """Nothing in the folder looks like an application; the message says what was looked at."""


def detect(name: str, folder: Path) -> str:
    """The reference, ``package.module:variable``, of the app called ``name`` in ``folder``.

    Looked at, in this order: the package of the app's name (``app.py``, ``main.py``,
    ``__init__.py``), ``app.py``, ``main.py``, ``asgi.py``, ``wsgi.py``, ``app/main.py`` and
    what Django's ``manage.py`` points to. A file counts when it has a variable ``app``,
    ``application``, ``api``, ``asgi`` or ``wsgi`` at its top level.

    Raises:
        NoApp: nothing fits.
    """
    without: list[str] = []
    for module, file in _candidates(name, folder):
        if file.is_file():
            variable = _variable(file)
            if variable is not None:
                return f"{module}:{variable}"
            without.append(file.relative_to(folder).as_posix())
    package = name.replace("-", "_")
    if without:
        found = f"{', '.join(without)} there has no variable called app"
    else:
        found = f"there is no {package}/app.py, app.py, main.py, asgi.py or manage.py in it"
    raise NoApp(
        f'no application object in {folder.name or folder}: {found}; say app = "module:variable", '
        f'or command = "…" for one that starts itself'
    )


def _candidates(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    package = name.replace("-", "_")
    for module in (f"{package}.app", f"{package}.main"):
        yield module, folder / (module.replace(".", "/") + ".py")
    yield package, folder / package / "__init__.py"
    for module in ("app", "main", "asgi", "wsgi", "app.main", "app.app", "src.main"):
        yield module, folder / (module.replace(".", "/") + ".py")
    yield "app", folder / "app" / "__init__.py"
    project = _django_project(folder / "manage.py")
    if project:
        for module in (f"{project}.asgi", f"{project}.wsgi"):
            yield module, folder / (module.replace(".", "/") + ".py")


def _django_project(manage: Path) -> str | None:
    """The package that Django's settings are in, from ``manage.py``."""
    try:
        match = _SETTINGS.search(manage.read_text("utf-8", "replace"))
    except OSError:
        return None
    # mysite.settings and mysite.settings.local both belong to the project mysite.
    return match[1].partition(".settings")[0] if match else None


def _variable(file: Path) -> str | None:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        # A broken file is still the app: it will say so itself, with a traceback, when it runs.
        return _VARIABLES[0] if file.name != "__init__.py" else None
    defined = {name for statement in tree.body for name in _defined(statement)}
    return next((name for name in _VARIABLES if name in defined), None)


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
    elif isinstance(statement, ast.AsyncFunctionDef):  # a bare ASGI application
        yield statement.name
    elif isinstance(statement, ast.If | ast.Try | ast.With):
        for inner in statement.body:
            yield from _defined(inner)
