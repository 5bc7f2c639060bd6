"""What a fleet in the foreground shows: every line with the name of whoever printed it.

Writing to a terminal can take for ever (somebody has pressed Ctrl-S, or reads slowly through a
pipe), and the supervisor must not wait for that. So a thread writes, from a queue that has an
end: what does not fit is counted and said, and stands in the log files as always.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TextIO

from msgspec import structs

from .loglines import Line, understood
from .logtext import readable

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_QUEUE = 20_000


class Console:
    """Shows lines on ``stream``, in colour if it is a terminal.

    Args:
        width: of the column of names; it grows when a longer one comes.
    """

    def __init__(self, stream: TextIO, width: int = 0) -> None:
        self._stream = stream
        self._width = width
        self._colours: dict[str, int] | None = {} if stream.isatty() else None
        self._queue: queue.Queue[Line | None] = queue.Queue(_QUEUE)
        self._lost = 0
        self._thread = threading.Thread(target=self._write, name="console", daemon=True)
        self._thread.start()

    def show(self, line: Line) -> None:
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._lost += 1

    def close(self, timeout: float = 2.0) -> None:
        """Write what is left, if that is possible in time."""
        deadline = time.monotonic() + timeout
        while self._thread.is_alive() and time.monotonic() < deadline:
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=0.02)
                break
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _write(self) -> None:
        while (line := self._queue.get()) is not None:
            text = self.formatted(line)
            lost, self._lost = self._lost, 0
            if lost:
                text += f"({lost} lines not shown; see skerry logs)\n"
            try:
                self._stream.write(text)
                if self._queue.empty():
                    self._stream.flush()
            except (OSError, ValueError):
                return  # nobody looks any more
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def formatted(self, line: Line) -> str:
        self._width = max(self._width, len(line.source))
        prefix = f"{line.source.ljust(self._width)} |"
        if self._colours is not None:
            app = line.source.rpartition("-")[0] or line.source
            colour = self._colours.setdefault(app, _COLOURS[len(self._colours) % len(_COLOURS)])
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        text = readable(structs.asdict(understood(line)), self._colours is not None)
        return "".join(f"{prefix} {one}\n" for one in text.split("\n"))
