"""``skerry call``: one operation of a running app, by the contract it serves."""

from __future__ import annotations

import http.client
import json
import math
import sys
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .operations import Operation, Sent, operations
from .output import coloured, duration, fail, nearest, note, paint
from .place import control
from .pretty import indented, is_json
from .running import app_in

_LINES = ("application/x-ndjson", "application/jsonl", "application/json-seq", "text/event-stream")
_JSON = "application/json"
_HOPEFUL = ("ready", "starting", "stopping")  # there is somebody, or will be in a moment
_MOST_SECONDS = 99_999_999  # that fit into the header


def call(
    target: str,
    values: list[str],
    body: str | None,
    data: str | None,
    timeout: float,
    verbose: bool,
    file: str,
) -> int:
    """Call ``APP.OPERATION``; 1 when the answer is a problem."""
    app, dot, name = target.partition(".")
    if not dot or not name:
        fail(f"{target!r}: say APP.OPERATION; `skerry contract show {app}` lists what there is", 2)
    door = way(control(file).status(), app)
    operation = _operation(door, app, name, timeout)
    content, media_type = _body(operation, body, data)
    sent = operation.request(values, content, media_type)
    began = time.perf_counter()
    answer = ask(door, sent, timeout)
    if verbose:
        note(f"{sent.method} {door.shown}{sent.target}")
        note(f"{answer.status} {answer.reason} in {duration(time.perf_counter() - began)}")
        for field, value in answer.getheaders():
            note(f"{field}: {value}")
    return _show(answer, door.shown)


class Way(NamedTuple):
    """How an app is reached.

    Attributes:
        shown: its URL, for people.
        url: where to connect to; a path in it goes before that of each request.
        host: by which the front door knows the app; empty when it is the app that is asked.
    """

    shown: str
    url: str
    host: str = ""

    def headers(self, timeout: float) -> dict[str, str]:
        """Those of every request that is waited for so many seconds."""
        if not self.host:
            return {}
        # A moment more than ours, so that it is us who say that time is up.
        left = min(math.ceil(timeout + 1), _MOST_SECONDS)
        return {"host": self.host, "grpc-timeout": f"{left}S"}


def way(status: dict[str, Any], app: str) -> Way:
    """The way to ``app`` that a call of another app would take: through a client stack, to
    whichever instance is best. The front door has one, and knows every app as a host.

    Raises:
        Failed: there is no such app, or nobody who could answer for it.
    """
    state = app_in(status, app)
    instances = [row for row in status["instances"] if row["app"] == app]
    if state["kind"] != "outside":
        if not any(row["state"] in _HOPEFUL for row in instances):
            fail(f"no instance of {app} is ready; `skerry logs {app}` says why")
        if not any(row["url"] for row in instances):
            fail(f"{app} serves nothing that could be called: http = false in fleet.toml")
    port = urlsplit(status["front"]).port
    if port is None or not any(row["state"] == "ready" for row in status["edges"]):
        # Nobody is at the front door, or somebody else has its port.
        url = state["url"] or next(row["url"] for row in instances if row["url"])
        return Way(url, url)
    host = f"{app}.localhost:{port}"
    return Way(state["url"] or f"http://{host}", status["front"], host)


def ask(way: Way, sent: Sent, timeout: float) -> http.client.HTTPResponse:
    """The answer, with its body still to come.

    Raises:
        Failed: there is none.
    """
    parts = urlsplit(way.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=timeout)
    target = parts.path.rstrip("/") + sent.target
    try:
        connection.request(sent.method, target, sent.content, way.headers(timeout) | sent.headers)
        return connection.getresponse()
    except TimeoutError:
        fail(f"{way.shown} has not answered within {timeout:g} s; --timeout says how long to wait")
    except (OSError, http.client.HTTPException, ValueError) as error:
        said = str(error) or type(error).__name__
        fail(f"{way.shown}{sent.target}: {said}; `skerry ps` says how it is")


DOCUMENTS = {"contract": "/openapi.json", "events": "/asyncapi.json"}
"""Where apps serve what they promise."""


def contract(way: Way, app: str, timeout: float = 10.0, what: str = "contract") -> dict[str, Any]:
    """The OpenAPI document that ``app`` serves, or its AsyncAPI document.

    Args:
        what: one of ``DOCUMENTS``.

    Raises:
        Failed: it serves none.
    """
    answer = ask(way, Sent("GET", DOCUMENTS[what], {}, None), timeout)
    said = f"{app} serves no {what} at {way.shown}{DOCUMENTS[what]}"
    try:
        content = answer.read()
        if answer.status != 200:
            fail(f"{said}: it answers {answer.status}{_detail(content)}")
        document = json.loads(content)
    except (OSError, http.client.HTTPException, ValueError) as error:
        fail(f"{said}: {error}")
    if not isinstance(document, dict):
        fail(f"{said}: it answers something else")
    return document


def _detail(content: bytes) -> str:
    """What a problem says of itself, for the end of a sentence."""
    try:
        problem = json.loads(content)
    except ValueError:
        return ""
    detail = problem.get("detail") if isinstance(problem, dict) else None
    return f": {detail}" if detail else ""


def _operation(way: Way, app: str, name: str, timeout: float) -> Operation:
    known = operations(contract(way, app, timeout), app)
    if name not in known:
        fail(f"{app} has no operation {name!r}.{nearest(name, sorted(known))}", 2)
    return known[name]


def _body(operation: Operation, body: str | None, data: str | None) -> tuple[bytes | None, str]:
    """What is sent, and its media type."""
    if data is not None:
        if body is not None:
            fail("--json and --data both give the body: only one can", 2)
        return _given("--data", data), next(iter(operation.bodies), "")
    if body is None:
        return None, ""
    content = _given("--json", body)
    try:
        json.loads(content)
    except (ValueError, RecursionError) as error:
        fail(f"--json is not JSON: {error}", 2)
    return content, operation.json or _JSON


def _given(option: str, text: str) -> bytes:
    if text == "-":
        return sys.stdin.buffer.read()
    if not text.startswith("@"):
        return text.encode("utf-8", "surrogateescape")  # as it was typed
    try:
        with open(text[1:], "rb") as file:
            return file.read()
    except OSError as error:
        fail(f"{option} {text}: {error.strerror}", 2)


def _show(answer: http.client.HTTPResponse, url: str) -> int:
    failed = answer.status >= 400
    kind = (answer.getheader("content-type") or "").partition(";")[0].strip().lower()
    try:
        if kind in _LINES and not failed:
            for line in answer:
                sys.stdout.write(line.decode("utf-8", "replace"))
                sys.stdout.flush()
            return 0
        content = answer.read()
    except BrokenPipeError:
        raise
    except (OSError, http.client.HTTPException) as error:
        fail(f"{url}: the answer broke off: {str(error) or type(error).__name__}")
    if failed:
        text = readable(content) or f"{answer.status} {answer.reason}"
        note(paint(text, "red", sys.stderr))
        return 1
    _print(content)
    return 0


def _print(content: bytes) -> None:
    if not content:
        return
    text = readable(content, coloured(sys.stdout))
    if text is not None:
        print(text)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    if sys.stdout.isatty() and not content.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


def readable(content: bytes, colour: bool = False) -> str | None:
    """JSON indented; other text as it is, None for what is neither."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return indented(text, colour) if is_json(text) else text.rstrip("\n")
