"""``skerry call``: one operation of a running app, by the contract it serves."""

from __future__ import annotations

import http.client
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from .operations import Operation, Sent, operations
from .output import coloured, duration, fail, nearest, note, paint
from .place import control
from .pretty import indented, is_json
from .running import app_in

_LINES = ("application/x-ndjson", "application/jsonl", "application/json-seq", "text/event-stream")
_JSON = "application/json"


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
    url = address(control(file).status(), app)
    operation = _operation(url, app, name, timeout)
    content, media_type = _body(operation, body, data)
    sent = operation.request(values, content, media_type)
    began = time.perf_counter()
    answer = ask(url, sent, timeout)
    if verbose:
        note(f"{sent.method} {url}{sent.target}")
        note(f"{answer.status} {answer.reason} in {duration(time.perf_counter() - began)}")
        for field, value in answer.getheaders():
            note(f"{field}: {value}")
    return _show(answer, url)


def address(status: dict[str, Any], app: str) -> str:
    """Where an instance of ``app`` can be called.

    Raises:
        Failed: there is no such app, or none of its instances is ready.
    """
    state = app_in(status, app)
    for instance in status["instances"]:
        if instance["app"] == app and instance["state"] == "ready" and instance["url"]:
            return str(instance["url"])
    if state["kind"] == "outside":
        fail(f"{app} runs elsewhere; only apps of this fleet can be called")
    return fail(f"no instance of {app} is ready; `skerry logs {app}` says why")


def ask(url: str, sent: Sent, timeout: float) -> http.client.HTTPResponse:
    """The answer, with its body still to come.

    Raises:
        Failed: there is none.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=timeout)
    try:
        connection.request(
            sent.method, parts.path.rstrip("/") + sent.target, sent.content, sent.headers
        )
        return connection.getresponse()
    except TimeoutError:
        fail(f"{url} has not answered within {timeout:g} s; --timeout says how long to wait")
    except (OSError, http.client.HTTPException, ValueError) as error:
        fail(
            f"{url}{sent.target}: {str(error) or type(error).__name__}; `skerry ps` says how it is"
        )


def contract(url: str, app: str, timeout: float = 10.0) -> dict[str, Any]:
    """The OpenAPI document that ``app`` serves.

    Raises:
        Failed: it serves none.
    """
    answer = ask(url, Sent("GET", "/openapi.json", {}, None), timeout)
    said = f"{app} serves no contract at {url}/openapi.json"
    if answer.status != 200:
        fail(f"{said}: it answers {answer.status}")
    try:
        document = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        fail(f"{said}: {error}")
    if not isinstance(document, dict):
        fail(f"{said}: it answers something else")
    return document


def _operation(url: str, app: str, name: str, timeout: float) -> Operation:
    known = operations(contract(url, app, timeout), app)
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
