"""The thread that looks at what has come in, again and again: see ``skerry.observe.watch``."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from skerry.observe.alerts import Alert
from skerry.observe.notify import Notifier
from skerry.observe.store import Store
from skerry.observe.watch import Promises, Watch

log = logging.getLogger("skerry.observe")

_EVERY = 0.5  # seconds between two rounds
_SAVED = 5.0  # seconds between two writes of what has changed
_CALLS = 900.0  # seconds within which an app counts as called by another


class Watching:
    """A ``Watch`` over a store, with its thread.

    Args:
        promises: a file that says what apps have promised; it is read again when it changes. None
            for none.
        console: its address, for links in what people are told; empty for none.
    """

    def __init__(self, store: Store, promises: Path | None, console: str) -> None:
        self._store = store
        self._file = promises
        self._read = 0.0
        self.promises = Promises()
        self.notifier = Notifier(lambda alert: _link(console, alert))
        self.watch = Watch(store.path.parent, store.trace, self._callees, self.notifier.tell)
        self._load()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what has changed, and tell what waits to be told."""
        self._stopping.set()
        self._thread.join()
        self.notifier.close()

    def _run(self) -> None:
        saved = time.monotonic()
        while not self._stopping.wait(_EVERY):
            try:
                self._load()
                self.watch.round()
                if time.monotonic() - saved >= _SAVED:
                    self.watch.save()
                    saved = time.monotonic()
            except Exception:
                log.exception("incidents and objectives could not be brought up to date")
        try:
            self.watch.save()
        except Exception:
            log.exception("incidents and objectives could not be written")

    def _load(self) -> None:
        """Read what apps have promised, if that has changed."""
        if self._file is None:
            return
        try:
            written = self._file.stat().st_mtime
            if written == self._read:
                return
            raw = self._file.read_bytes()
        except OSError:
            return  # not there yet: what held before holds
        self._read = written
        try:
            self.promises = msgspec.json.decode(raw, type=Promises)
        except msgspec.DecodeError as error:
            log.warning("what apps promise is as before: %s: %s", self._file, error)
        else:
            self.watch.promise(self.promises)

    def _callees(self, app: str) -> Iterable[str]:
        now = time.time()
        edges = self._store.edges(now - _CALLS, now)
        return {edge.callee for edge in edges if edge.caller == app}


def _link(console: str, alert: Alert) -> str:
    return f"{console}/#/alerts/{alert.id}" if console else ""
