"""Posts spans to one back end, over a connection that is kept.

A back end that is slow or away costs the spans that were on their way to it, and nothing else.
"""

from __future__ import annotations

import gzip
import http.client
import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from skerry.core.clock import system

from .destination import Destination
from .spans import Span

log = logging.getLogger("skerry.telemetry")

_AGAIN = frozenset({429, 502, 503, 504})
_TRIES = 3
_WORTH = 1024  # bytes from which a body is compressed


class Sender:
    """One back end.

    Args:
        resource: attributes of the process.
        outcome: is told how many spans were taken (True) or lost.

    Attributes:
        last: the process ends: nothing is tried a second time.
    """

    def __init__(
        self,
        destination: Destination,
        resource: Mapping[str, str],
        outcome: Callable[[bool, int], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.last = False
        self._to = destination
        self._resource = resource
        self._outcome = outcome
        self._sleep = sleep
        self._trouble = ""
        self._connection: http.client.HTTPConnection | None = None

    def deliver(self, spans: Sequence[Span]) -> bool:
        """Send some; whether they were taken. Blocks."""
        taken = self._delivered(spans)
        self._outcome(taken, len(spans))
        return taken

    def _delivered(self, spans: Sequence[Span]) -> bool:
        offset = system.wall() - system.now()
        try:
            body = self._to.encode(self._resource, spans, offset)
        except Exception:  # an attribute that somebody has set
            log.exception("spans could not be encoded")
            return False
        tries = 1 if self.last or self._trouble else _TRIES
        for number in range(tries):
            wait = self._post(body)
            if wait is None:
                return True
            if wait < 0:
                break
            if number + 1 < tries:
                self._sleep(max(wait, 0.1 * 2**number))
        return False

    def _post(self, body: bytes) -> float | None:
        """None when it was taken; else seconds after which to try again, below 0 for never."""
        headers = {"content-type": self._to.media_type, **self._to.headers}
        if self._to.compress and len(body) >= _WORTH:
            body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
        try:
            connection = self._connection or self._connect()
            connection.request("POST", self._target, body, headers)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._close()
            self._say(str(error) or type(error).__name__)
            return 0.0
        if answer.will_close:
            self._close()
        if answer.status < 300:
            if self._trouble:
                log.info("spans are sent to %s again", self._to.url)
                self._trouble = ""
            return None
        self._say(f"{answer.status} {said[:200].decode('utf-8', 'replace')}")
        return _after(answer.getheader("retry-after")) if answer.status in _AGAIN else -1.0

    @property
    def _target(self) -> str:
        parts = urlsplit(self._to.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _connect(self) -> http.client.HTTPConnection:
        parts, timeout = urlsplit(self._to.url), self._to.timeout
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self._to.ca or None)
            if self._to.certificate:
                context.load_cert_chain(self._to.certificate, self._to.key or None)
            self._connection = http.client.HTTPSConnection(
                host, parts.port, timeout=timeout, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(host, parts.port, timeout=timeout)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _say(self, trouble: str) -> None:
        if not self._trouble:
            log.warning("spans cannot be sent to %s: %s", self._to.url, trouble)
        self._trouble = trouble


class Apart:
    """A sender with a thread of its own, so that one back end does not wait for another.

    Args:
        room: spans that may wait for it.
    """

    def __init__(self, sender: Sender, outcome: Callable[[bool, int], None], room: int) -> None:
        self._sender = sender
        self._outcome = outcome
        self._room = room
        self._count = 0
        self._waiting: deque[Sequence[Span]] = deque()
        self._news = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="spans to one", daemon=True)
        self._thread.start()

    def deliver(self, spans: Sequence[Span]) -> None:
        """Have them sent; lost if too many wait."""
        with self._news:
            if self._count + len(spans) <= self._room:
                self._waiting.append(spans)
                self._count += len(spans)
                self._news.notify()
                return
        self._outcome(False, len(spans))

    def stop(self, patience: float) -> None:
        """Send what waits, if that takes no longer. Blocks."""
        with self._news:
            self._stopping = self._sender.last = True
            self._news.notify()
        self._thread.join(patience)

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._stopping)
                if not self._waiting:
                    return
                spans = self._waiting.popleft()
                self._count -= len(spans)
            self._sender.deliver(spans)


def _after(text: str | None) -> float:
    try:
        return min(max(0.0, float(text or "0")), 30.0)
    except ValueError:  # a date
        return 1.0
