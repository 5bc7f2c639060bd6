"""Talking to a running fleet from the command line, over the control API's Unix socket.

A verb like ``skerry ps`` lives for a tenth of a second, so this is the standard library alone,
and little of it: ``http.client`` would take longer to import than the answer takes to come.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

_PATIENCE = 10.0  # seconds until an answer begins


class ControlError(Exception):
    """The fleet has refused.

    Attributes:
        status: of its answer.
        problem: the problem document it sent.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        detail = problem.get("detail") or problem.get("title") or f"status {status}"
        errors = "; ".join(str(e.get("detail")) for e in problem.get("errors", ()))
        super().__init__(f"{detail}: {errors}" if errors else str(detail))


class NotRunning(ControlError):
    """No fleet runs in this folder, or it has just ended."""

    def __init__(self, root: Path) -> None:
        detail = f"no fleet is running in {root}; start it with skerry up"
        super().__init__(0, {"detail": detail})


class Control:
    """The control API of the fleet in ``root``.

    Args:
        root: the folder of its ``fleet.toml``.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    @property
    def socket(self) -> Path:
        """Where it listens: in the state folder, or where that points to."""
        folder = self.root / ".skerry"
        try:
            return Path((folder / "control.path").read_text().strip())
        except OSError:
            return folder / "control.sock"

    # -- verbs -----------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """What ``skerry ps`` shows; see ``skerry.fleet.status.FleetStatus``."""
        status: dict[str, Any] = self.request("GET", "/instances")
        return status

    def address(self, app: str) -> str | None:
        """The URL of an instance of ``app`` that can be called now."""
        for instance in self.status()["instances"]:
            if instance["app"] == app and instance["state"] == "ready" and instance["url"]:
                return str(instance["url"])
        return None

    def restart(self, app: str) -> dict[str, Any]:
        """Replace every instance, one after the other; the app's state afterwards."""
        state: dict[str, Any] = self.request(
            "POST", f"/apps/{quote(app, safe='')}/restart", patience=600.0
        )
        return state

    def scale(self, app: str, instances: int) -> dict[str, Any]:
        """Run so many instances; the app's state afterwards."""
        path = f"/apps/{quote(app, safe='')}/scale"
        state: dict[str, Any] = self.request("POST", path, {"instances": instances}, 600.0)
        return state

    def stop(self, app: str) -> dict[str, Any]:
        """End all its instances; the app's state afterwards."""
        path = f"/apps/{quote(app, safe='')}/stop"
        state: dict[str, Any] = self.request("POST", path, patience=600.0)
        return state

    def start(self, app: str) -> dict[str, Any]:
        """Run as many as ``fleet.toml`` says, if none runs; the app's state afterwards."""
        path = f"/apps/{quote(app, safe='')}/start"
        state: dict[str, Any] = self.request("POST", path, patience=600.0)
        return state

    def stacks(self, app: str) -> dict[str, Any]:
        """Its stacks, and how they are doing; see ``control_stacks.AppStacks``."""
        found: dict[str, Any] = self.request("GET", f"/apps/{quote(app, safe='')}/stacks")
        return found

    def bus(self) -> str:
        """The URL of the bus; empty while its broker is not ready."""
        return str(self.request("GET", "/bus")["url"])

    def down(self) -> None:
        """Ask the fleet to end; it has when ``NotRunning`` is raised by the next question."""
        self.request("POST", "/down")

    def logs(
        self,
        name: str = "",
        *,
        lines: int = 100,
        follow: bool = False,
        trace: str = "",
        level: str = "",
        grep: str = "",
    ) -> Iterator[dict[str, Any]]:
        """Lines as ``{"time", "source", "text"}``, and of lines of JSON ``level``, ``logger``,
        ``trace``, ``span`` and ``fields``; with ``follow`` they go on until it ends.

        Args:
            name: an app, a backing, an instance, a process, or ``fleet``; empty for all.
            trace, level, grep: only what was logged in this trace; is that bad, or worse; has
                this text in it.

        Raises:
            NotRunning: nobody listens.
            ControlError: nothing of that name runs.
        """
        query = {"app": name, "lines": lines, "follow": "true" if follow else "false"}
        query |= {"trace": trace, "level": level, "grep": grep}
        exchange = _Exchange(self, "GET", f"/logs?{urlencode(query)}", None, None)

        def decoded() -> Iterator[dict[str, Any]]:
            with exchange:
                for line in exchange.lines():
                    yield json.loads(line)

        return decoded()

    def request(self, method: str, path: str, body: Any = None, patience: float = _PATIENCE) -> Any:
        """One exchange: the decoded JSON of the answer, None if it has no body.

        Raises:
            NotRunning: nobody listens.
            ControlError: the answer is a problem.
        """
        with _Exchange(self, method, path, body, patience) as exchange:
            content = b"".join(exchange.chunks())
            return json.loads(content) if content else None


class _Exchange:
    """One request and its response on a connection of its own."""

    def __init__(
        self, control: Control, method: str, path: str, body: Any, patience: float | None
    ) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.settimeout(patience)
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        try:
            self._connection.connect(os.fspath(control.socket))
            self._connection.sendall(head.encode() + content)
            self._stream = self._connection.makefile("rb")
            status_line = self._stream.readline()
            if not status_line:
                raise ConnectionResetError
            self.status = int(status_line.split()[1])
            self._headers = dict(self._fields())
        except OSError:
            self._connection.close()
            raise NotRunning(control.root) from None
        if self.status >= 300:
            with self:
                raise ControlError(self.status, self._problem())

    def _fields(self) -> Iterator[tuple[bytes, bytes]]:
        while (line := self._stream.readline().rstrip()) != b"":
            name, _, value = line.partition(b":")
            yield name.lower(), value.strip()

    def _problem(self) -> dict[str, Any]:
        try:
            document = json.loads(b"".join(self.chunks()))
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}

    def chunks(self) -> Iterator[bytes]:
        """The body as it comes (RFC 9112, 6 and 7.1)."""
        if b"chunked" not in self._headers.get(b"transfer-encoding", b""):
            length = self._headers.get(b"content-length")
            yield self._stream.read() if length is None else self._stream.read(int(length))
            return
        while size := int(self._stream.readline().partition(b";")[0] or b"0", 16):
            yield self._stream.read(size)
            self._stream.readline()

    def lines(self) -> Iterator[bytes]:
        rest = b""
        for chunk in self.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line for line in lines if line.strip())
        if rest.strip():
            yield rest

    def __enter__(self) -> _Exchange:
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_stream"):
            self._stream.close()
        self._connection.close()
