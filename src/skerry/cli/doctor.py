"""``skerry doctor``: is everything here that a fleet needs, and if not, what to do."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Literal, NamedTuple

from .output import echo_json, paint

_MARKS = {"ok": ("✓", "green"), "none": ("-", "dim"), "warn": ("!", "yellow"), "fail": ("✗", "red")}
_OLDEST = (3, 11)
_FILES_EACH = 64  # descriptors that an instance may want: sockets, pipes, connections
_FILES_LEAST = 1024
# Extras of people who work on Skerry itself.
_OURS = frozenset({"bench", "check", "dev", "test", "tuition"})
_NAME = re.compile(r"[\w.-]+")
_EXTRA = re.compile(r"""extra\s*==\s*["']([\w.-]+)["']""")


class Finding(NamedTuple):
    """One thing looked at.

    Attributes:
        verdict: ``none`` is not here and need not be; ``warn`` may become a problem; ``fail``
            is one.
    """

    what: str
    verdict: Literal["ok", "none", "warn", "fail"]
    detail: str
    todo: str = ""


def doctor(as_json: bool, file: str) -> int:
    """Look, and tell; 1 if something must be done first."""
    from .checkup import fleet

    findings = [python(), *packages(), *open_files(), *fleet(file)]
    if as_json:
        echo_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            mark, colour = _MARKS[finding.verdict]
            print(f"{paint(mark, colour)} {finding.what}: {finding.detail}")
            if finding.todo:
                print(f"    {finding.todo}")
    return int(any(finding.verdict == "fail" for finding in findings))


def python() -> Finding:
    said = f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}"
    if sys.version_info >= _OLDEST:
        return Finding("Python", "ok", said)
    oldest = ".".join(map(str, _OLDEST))
    return Finding("Python", "fail", said, f"Skerry needs Python {oldest} or newer")


def packages() -> Iterator[Finding]:
    """What Skerry's own metadata asks for, and what its extras would bring."""
    try:
        wanted = metadata.requires("skerry") or []
    except metadata.PackageNotFoundError:
        yield Finding("skerry", "warn", "runs from its sources, not installed", "pip install -e .")
        return
    extras: dict[str, list[Finding]] = {}
    for requirement in wanted:
        text, _, marker = requirement.partition(";")
        extra = _EXTRA.search(marker)
        name = _NAME.match(text.strip())
        if name is None or (extra is not None and extra[1] in _OURS):
            continue
        least = re.search(r">=\s*([\d.]+)", text)
        found = package(name[0], least[1] if least else "")
        if extra is not None:
            extras.setdefault(extra[1], []).append(found)
        elif found.verdict == "ok" or not _elsewhere(marker):
            yield found
    for extra_name, findings in extras.items():
        missing = [finding.what for finding in findings if finding.verdict != "ok"]
        todo = f"if you use it: pip install 'skerry[{extra_name}]'"
        if missing:
            detail = f"without {', '.join(missing)}"
            yield Finding(f"extra {extra_name}", "none", detail, todo)
        else:
            detail = ", ".join(f"{finding.what} {finding.detail}" for finding in findings)
            yield Finding(f"extra {extra_name}", "ok", detail)


def package(name: str, least: str) -> Finding:
    """Whether a package is installed in a version that will do."""
    todo = f"pip install '{name}>={least}'" if least else f"pip install {name}"
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, "fail", "is not installed", todo)
    if _numbers(found) < _numbers(least):
        return Finding(name, "fail", f"{found} is older than {least}", todo)
    return Finding(name, "ok", found)


def _elsewhere(marker: str) -> bool:
    """Whether a requirement is not for this platform: uvloop is for CPython on Unix."""
    here = sys.platform != "win32" and platform.python_implementation() == "CPython"
    return "sys_platform" in marker and not here


def _numbers(version: str) -> list[int]:
    numbers = re.match(r"[\d.]*", version)
    return [int(part) for part in (numbers[0] if numbers else "").split(".") if part]


def open_files() -> Iterator[Finding]:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _FILES_LEAST:
        yield Finding("open files", "ok", f"up to {soft}: some {soft // _FILES_EACH} instances")
        return
    more = _FILES_LEAST if hard == resource.RLIM_INFINITY else min(hard, _FILES_LEAST)
    detail = f"up to {soft} only, which is enough for some {soft // _FILES_EACH} instances"
    yield Finding("open files", "warn", detail, f"ulimit -n {more}")
