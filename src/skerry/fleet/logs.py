"""What instances print: read from pipes, kept in files, shown with a prefix.

Each process writes to a pipe of its own. Reading is bounded per process: one that prints
without end fills its own pipe and waits there, and nobody else does. Nothing is lost when a
process dies, since what it had written is still in the pipe.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from weakref import WeakSet

from .loglines import Line

CHUNK = 64 * 1024
RATE = 8 * 1024 * 1024
"""Bytes per second read from one process, chunk by chunk; more waits in its pipe."""

LONGEST_LINE = 64 * 1024
FILE_SIZE = 5 * 1024 * 1024
FILES_KEPT = 3
TIME_LENGTH = len("2025-01-01T00:00:00.000Z")


class LogFile:
    """An append-only file that starts over when it is full, keeping some of those before.

    Args:
        path: ``quotes-1.log``; older ones are ``quotes-1.log.1`` and up.
    """

    def __init__(self, path: Path, size: int = FILE_SIZE, kept: int = FILES_KEPT) -> None:
        self._path = path
        self._size = size
        self._kept = kept
        self._file = path.open("ab", buffering=0)
        self._written = self._file.tell()

    def write(self, data: bytes) -> None:
        if self._written and self._written + len(data) > self._size:
            self._rotate()
        self._file.write(data)
        self._written += len(data)

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._kept - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                older(self._path, number).replace(older(self._path, number + 1))
        self._path.replace(older(self._path, 1))
        self._file = self._path.open("ab", buffering=0)
        self._written = 0

    def close(self) -> None:
        self._file.close()


def older(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


class Splitter:
    """Cuts bytes into lines; a line that grows too long is cut where the limit is."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        while len(self._rest) > LONGEST_LINE:
            lines.append(self._rest[:LONGEST_LINE])
            self._rest = self._rest[LONGEST_LINE:]
        return [_text(line) for line in lines]

    def finish(self) -> list[str]:
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "backslashreplace")


def stamp(wall: float) -> str:
    """UTC with milliseconds, in the form of RFC 3339."""
    whole, part = divmod(int(wall * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{part:03d}Z"


class Pipe:
    """Reads what one process prints, until its last holder closes the other end.

    Args:
        lines: gets the lines of each chunk, in order.
    """

    def __init__(self, lines: Callable[[list[str]], None]) -> None:
        self._read, self.write_end = os.pipe()
        os.set_blocking(self._read, False)
        self._lines = lines
        self._splitter = Splitter()
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._read, self._readable)

    def opened(self) -> None:
        """The process has its end now: close ours, so that its end is the end."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def _readable(self) -> None:
        size = self._take()
        if size == 0:
            self.close()
        elif size and size >= CHUNK // 2:
            self._loop.remove_reader(self._read)
            self._pause = self._loop.call_later(size / RATE, self._resume)

    def _resume(self) -> None:
        self._pause = None
        if self._read >= 0:
            self._loop.add_reader(self._read, self._readable)

    def _take(self) -> int | None:
        """Read one chunk; its size, 0 at the end, None when there is nothing now."""
        try:
            data = os.read(self._read, CHUNK)
        except BlockingIOError:
            return None
        lines = self._splitter.feed(data) if data else self._splitter.finish()
        if lines:
            self._lines(lines)
        return len(data)

    def drain(self) -> None:
        """Read what is in the pipe now: the last words of a process that has ended."""
        for _ in range(1024):  # a child that lives on may write for ever
            if self._read < 0 or not self._take():
                break

    def close(self) -> None:
        if self._read < 0:
            return
        lines = self._splitter.finish()
        if lines:
            self._lines(lines)
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._read)
        os.close(self._read)
        self._read = -1
        self.opened()


class LogBook:
    """All logs of a fleet.

    Args:
        folder: where the files go.
        show: gets every line too, for the terminal; None when nobody looks.
    """

    def __init__(self, folder: Path, show: Callable[[Line], None] | None = None) -> None:
        self.folder = folder
        self._show = show
        self._files: dict[str, LogFile] = {}
        # Weak: a reader that has gone takes its follower along, however it went.
        self._followers: WeakSet[Follower] = WeakSet()

    def pipe(self, source: str, also: Callable[[list[str]], None]) -> Pipe:
        """A new pipe whose lines belong to ``source``; ``also`` gets them too."""

        def lines(texts: list[str]) -> None:
            also(texts)
            self.write(source, texts)

        return Pipe(lines)

    def write(self, source: str, lines: Iterable[str]) -> None:
        """Note lines as if ``source`` had printed them now."""
        now = stamp(time.time())
        entries = [Line(now, source, text) for text in lines]
        data = "".join(f"{entry.time} {entry.text}\n" for entry in entries)
        with contextlib.suppress(OSError):  # a full disk must not stop the fleet
            self._file(source).write(data.encode("utf-8", "backslashreplace"))
        for entry in entries:
            if self._show is not None:
                self._show(entry)
            for follower in list(self._followers):
                follower.add(entry)

    def _file(self, source: str) -> LogFile:
        file = self._files.get(source)
        if file is None:
            file = self._files[source] = LogFile(self.folder / f"{source}.log")
        return file

    def follow(self, sources: Callable[[str], bool]) -> Follower:
        """What is printed from now on by the sources that are wanted, while it is held."""
        follower = Follower(sources)
        self._followers.add(follower)
        return follower

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()


class Follower:
    """Lines as they come, for one reader. A slow reader loses the oldest, and is told."""

    def __init__(self, sources: Callable[[str], bool], limit: int = 10_000) -> None:
        self._sources = sources
        self._lines: deque[Line] = deque()
        self._limit = limit
        self._lost = 0
        self._news = asyncio.Event()

    def add(self, line: Line) -> None:
        if self._sources(line.source):
            if len(self._lines) >= self._limit:
                self._lines.popleft()
                self._lost += 1
            self._lines.append(line)
            self._news.set()

    def __aiter__(self) -> AsyncIterator[list[Line]]:
        return self

    async def __anext__(self) -> list[Line]:
        await self._news.wait()
        self._news.clear()
        lines, self._lines = list(self._lines), deque()
        if self._lost:
            lines.insert(0, Line(lines[0].time, "skerry", f"({self._lost} lines not shown)"))
            self._lost = 0
        return lines


def tail(folder: Path, sources: Callable[[str], bool], count: int) -> list[Line]:
    """The last lines of the sources that are wanted, in the order they were read.

    Works on the files alone, so also when no fleet is running.
    """
    lines: list[Line] = []
    for file in sorted(folder.glob("*.log")):
        source = file.name.removesuffix(".log")
        if sources(source):
            lines.extend(_last(file, source, count))
    lines.sort(key=lambda line: line.time)  # stable: within a source the order stays
    return lines[-count:] if count else []


def _last(file: Path, source: str, count: int) -> list[Line]:
    texts: list[str] = []
    for path in (file, *(older(file, number) for number in range(1, FILES_KEPT + 1))):
        if len(texts) >= count:
            break
        with contextlib.suppress(FileNotFoundError):
            texts = [*_last_texts(path, count - len(texts)), *texts]
    return [Line(text[:TIME_LENGTH], source, text[TIME_LENGTH + 1 :]) for text in texts]


def _last_texts(path: Path, count: int) -> list[str]:
    """The last ``count`` lines of a file, read from its end."""
    data = b""
    with path.open("rb") as file:
        at = file.seek(0, os.SEEK_END)
        while at > 0 and data.count(b"\n") <= count:
            step = min(at, CHUNK)
            at -= step
            file.seek(at)
            data = file.read(step) + data
    return data.decode("utf-8", "backslashreplace").split("\n")[:-1][-count:] if count else []
