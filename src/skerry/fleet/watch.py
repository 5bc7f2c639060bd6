"""Which files belong to an app, and which of them have changed.

By looking at modification times now and then: it needs no library, works on every file system
and, at the size of a fleet's sources, costs less than the kernel's notifications would to set
up. Looking is spaced out when it takes long, so that it never takes more than a hundredth of
one core.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from pathlib import Path

_SUFFIXES = frozenset(
    [
        ".py",
        ".pyi",
        ".toml",
        ".ini",
        ".cfg",
        ".env",
        ".html",
        ".jinja",
        ".jinja2",
        ".j2",
        ".mako",
        ".sql",
        ".rb",
        ".ru",
        ".erb",
        ".js",
        ".mjs",
        ".cjs",
        ".ts",
        ".go",
        ".php",
        ".ex",
        ".exs",
        ".java",
        ".kt",
        ".rs",
        ".lua",
        ".pl",
        ".sh",
    ]
)
_SKIPPED = frozenset(("__pycache__", "node_modules", "site-packages", "venv", "tests"))
_SHARE = 100  # looking takes at most one part in this many of the time
_SETTLE = 0.1  # seconds without a further change that end a burst of them

Snapshot = Mapping[str, tuple[int, int]]


def files(folder: Path, suffixes: frozenset[str] = _SUFFIXES) -> Iterator[os.DirEntry[str]]:
    """The source files below a folder; hidden folders, environments and caches are left out."""
    waiting = [os.fspath(folder)]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue  # gone, or not ours to read
        for entry in entries:
            name = entry.name
            if name.startswith(".") and name != ".env":
                continue
            if entry.is_dir(follow_symlinks=False):
                if name not in _SKIPPED and not os.path.exists(f"{entry.path}/pyvenv.cfg"):
                    waiting.append(entry.path)
            elif os.path.splitext(name)[1] in suffixes or name == ".env":
                yield entry


def look(folders: Iterable[Path]) -> Snapshot:
    """Modification time and size of every source file, by path."""
    seen: dict[str, tuple[int, int]] = {}
    for folder in folders:
        if folder.is_file():
            stat = folder.stat()
            seen[os.fspath(folder)] = (stat.st_mtime_ns, stat.st_size)
            continue
        for entry in files(folder):
            if entry.path not in seen:
                try:
                    stat = entry.stat()
                except OSError:
                    continue
                seen[entry.path] = (stat.st_mtime_ns, stat.st_size)
    return seen


def differences(before: Snapshot, after: Snapshot) -> set[str]:
    """Files that came, went or were changed."""
    return {path for path in {*before, *after} if before.get(path) != after.get(path)}


async def changes(folders: Callable[[], Iterable[Path]], every: float) -> AsyncIterator[set[str]]:
    """Sets of files that changed, each once nothing has changed for a moment.

    Args:
        folders: what to look at, asked each time; a file stands for itself.
        every: seconds between two looks, at least.
    """
    watched = list(folders())
    before = await asyncio.to_thread(look, watched)
    while True:
        began = time.perf_counter()
        now_watched = list(folders())
        if now_watched != watched:  # what has been added is not thereby changed
            added = await asyncio.to_thread(look, [f for f in now_watched if f not in watched])
            before, watched = {**added, **before}, now_watched
        after = await asyncio.to_thread(look, watched)
        took = time.perf_counter() - began
        changed = differences(before, after)
        if changed:
            while True:
                await asyncio.sleep(_SETTLE)
                settled = await asyncio.to_thread(look, watched)
                more = differences(after, settled)
                after = settled
                if not more:
                    break
                changed |= more
            yield changed
        before = after
        await asyncio.sleep(max(every, _SHARE * took))


def owners(path: str, folders: Mapping[str, Path]) -> set[str]:
    """Whose file this is: the names whose folder contains it most closely.

    Args:
        folders: by name; one folder may be inside another's, and several may share one.
    """
    best = -1
    found: set[str] = set()
    for name, folder in folders.items():
        root = os.fspath(folder)
        if path == root or path.startswith(root + os.sep):
            if len(root) > best:
                best, found = len(root), set()
            if len(root) == best:
                found.add(name)
    return found
