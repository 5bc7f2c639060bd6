"""``skerry doctor``: is everything here that a fleet needs, and if not, what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from skerry.fleet.client import Control, ControlError

from .output import echo_json, paint

_BASE = ("msgspec", "uvicorn", "httptools", "uvloop", "opentelemetry-api", "typer", "rich")
_EXTRAS = {
    "data": ("sqlalchemy", "alembic"),
    "postgres": ("psycopg",),
    "pydantic": ("pydantic",),
    "wsgi": ("a2wsgi",),
    "aiohttp": ("aiohttp",),
    "pyreqwest": ("pyreqwest",),
}
_SERVERS = {"redis": "redis-server", "rabbitmq": "rabbitmq-server", "postgresql": "postgres"}
_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


@dataclass(frozen=True)
class Finding:
    """One thing looked at; ``verdict`` is ``ok``, ``warn`` or ``fail``."""

    what: str
    verdict: str
    detail: str
    todo: str = ""


def doctor(file: str, as_json: bool) -> int:
    findings = [*_python(), *_packages(), *_fleet(file), *_limits()]
    if as_json:
        echo_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark, colour = _MARKS[finding.verdict]
            print(f"{paint(mark, colour)} {finding.what}: {finding.detail}")
            if finding.todo:
                print(f"    → {finding.todo}")
    return int(any(finding.verdict == "fail" for finding in findings))


def _python() -> Iterator[Finding]:
    good = sys.version_info >= (3, 11)
    todo = "" if good else "install Python 3.11 or newer"
    yield Finding("Python", "ok" if good else "fail", platform.python_version(), todo)


def _packages() -> Iterator[Finding]:
    for name in _BASE:
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            windows = name == "uvloop" and sys.platform == "win32"
            verdict = "warn" if windows else "fail"
            yield Finding(name, verdict, "not installed", "" if windows else f"pip install {name}")
    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        if missing:
            todo = f"pip install 'skerry[{extra}]', if you use it"
            yield Finding(f"extra {extra}", "warn", f"{', '.join(missing)} not installed", todo)
        else:
            yield Finding(f"extra {extra}", "ok", "installed")


def _fleet(file: str) -> Iterator[Finding]:
    from skerry.spec import SpecError, find, load

    try:
        path = Path(file) if file else find()
        fleet = load(path)
    except SpecError as error:
        if not file and not error.file.exists():
            yield Finding(
                "fleet.toml", "warn", "none here", "skerry init, or skerry new fleet NAME"
            )
        else:
            yield Finding("fleet.toml", "fail", str(error), "correct what it names")
        return
    yield Finding("fleet.toml", "ok", f"{fleet.file}: {len(fleet.apps)} apps")
    for note in fleet.notes:
        yield Finding("fleet.toml", "warn", note)
    for name, backing in fleet.backings.items():
        yield _backing(name, backing.kind, bool(backing.url))
    yield _state(fleet.root)


def _backing(name: str, kind: str, given: bool) -> Finding:
    if given:
        return Finding(f"backing {name}", "ok", "given by URL")
    program = _SERVERS.get(kind, kind)
    places = [str(path) for path in Path("/usr/lib/postgresql").glob("*/bin")]
    found = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), *places]))
    if found:
        return Finding(f"backing {name}", "ok", found)
    package = "postgresql" if kind == "postgresql" else program
    todo = f"apt-get install {package}, or brew install {kind}; or give it a url"
    return Finding(f"backing {name}", "fail", f"{program} is not installed", todo)


def _state(root: Path) -> Finding:
    if not (root / ".skerry").exists():
        return Finding("state", "ok", "no fleet has run here yet")
    try:
        status = Control(root).status()
    except ControlError as error:
        left = [p.name for p in (root / ".skerry").glob("control.*")]
        if left and error.status:
            return Finding("state", "warn", str(error), "skerry down, then skerry up")
        return Finding("state", "ok", "no fleet is running")
    except OSError as error:
        return Finding("state", "warn", str(error), "skerry up takes over what was left")
    bad = [i["id"] for i in status["instances"] if i["state"] in ("crashed", "backoff")]
    if bad:
        todo = f"skerry logs {bad[0]}"
        return Finding("state", "warn", f"running; {', '.join(bad)} not well", todo)
    return Finding("state", "ok", f"running, supervisor {status['pid']}")


def _limits() -> Iterator[Finding]:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1024:
        todo = f"ulimit -n {min(hard, 4096) if hard > 0 else 4096}"
        yield Finding("open files", "warn", f"at most {soft}; a large fleet needs more", todo)
    else:
        yield Finding("open files", "ok", f"at most {soft}")
