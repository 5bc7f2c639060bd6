"""The thread that looks at what has come in, again and again: see ``skerry.observe.watch``."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

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
        promises: files that say what apps have promised; each is read again when it changes.
        console: its address, for links in what people are told; empty for none.
    """

    def __init__(self, store: Store, promises: Sequence[Path], console: str) -> None:
        self._store = store
        self._files = [_File(path) for path in promises]
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
        changed = [file.changed() for file in self._files]
        if any(changed):
            said = [file.said for file in self._files]
            # Of an app that several speak of, the first is believed.
            apps = {name: app for one in reversed(said) for name, app in one.apps.items()}
            self.promises = Promises(apps, said[0].alerts)
            self.watch.promise(self.promises)

    def _callees(self, app: str) -> Iterable[str]:
        now = time.time()
        edges = self._store.edges(now - _CALLS, now)
        return {edge.callee for edge in edges if edge.caller == app}


class _File:
    """One that says what apps have promised.

    Attributes:
        said: nothing, while it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.said = Promises()
        self._path = path
        self._read = 0.0

    def changed(self) -> bool:
        """Read it, if it has changed; whether it says something else now."""
        before = self.said
        try:
            written = self._path.stat().st_mtime
            if written == self._read:
                return False
            raw = self._path.read_bytes()
            self._read = written
            self.said = msgspec.json.decode(raw, type=Promises)
        except OSError:
            self._read, self.said = 0.0, Promises()
        except msgspec.DecodeError as error:
            log.warning("what apps promise is as before: %s: %s", self._path, error)
        return self.said != before


def _link(console: str, alert: Alert) -> str:
    return f"{console}/#/alerts/{quote(alert.id, safe='')}" if console else ""
