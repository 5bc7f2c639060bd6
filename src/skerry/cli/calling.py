"""``skerry call``: one operation of a running app, by its contract."""

from __future__ import annotations

import http.client
import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from .output import duration, fail, nearest, note, paint
from .place import control


def call(file: str, target: str, body: str | None, values: list[str], verbose: bool) -> int:
    app, _, name = target.partition(".")
    where = control(file)
    status = where.status()
    known = [entry["app"] for entry in status["apps"]]
    if app not in known:
        fail(f"there is no app {app!r} in this fleet.{nearest(app, known)}")
    url = next(
        (i["url"] for i in status["instances"] if i["app"] == app and i["state"] == "ready"), ""
    )
    if not url:
        fail(f"no instance of {app} is ready; `skerry ps` and `skerry logs {app}` say why")
    document = _contract(url, app)
    operations = _operations(document)
    if name not in operations:
        fail(f"{app} has no operation {name!r}.{nearest(name, sorted(operations))}")
    method, path, operation = operations[name]
    target, headers = _target(path, operation, document, _given(values), f"{app}.{name}")
    content = _content(body, operation, f"{app}.{name}")
    began = time.perf_counter()
    answer, answered = _ask(url, method, target, content, headers)
    took = time.perf_counter() - began
    if verbose:
        note(f"{method} {url}{target}")
        note(f"{answer.status} {answer.reason} in {duration(took)}")
        for field, value in answer.getheaders():
            note(f"{field}: {value}")
    text = _pretty(answered)
    if answer.status >= 400:
        note(paint(text or f"{answer.status} {answer.reason}", "red", sys.stderr))
        return 1
    if text:
        print(text)
    return 0


def _ask(
    url: str, method: str, target: str, content: bytes | None, headers: dict[str, str]
) -> tuple[http.client.HTTPResponse, bytes]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=60)
    if content is not None:
        headers = {"content-type": "application/json", **headers}
    try:
        connection.request(method, parts.path.rstrip("/") + target, content, headers)
        answer = connection.getresponse()
        return answer, answer.read()
    except OSError as error:
        fail(f"{url}: {error}; `skerry ps` says whether it is ready")


def _contract(url: str, app: str) -> dict[str, Any]:
    answer, content = _ask(url, "GET", "/openapi.json", None, {})
    if answer.status != 200:
        fail(f"{app} serves no contract at /openapi.json (status {answer.status})")
    document: dict[str, Any] = json.loads(content)
    return document


def _operations(document: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    found = {}
    for path, item in document.get("paths", {}).items():
        shared = item.get("parameters", [])
        for method, operation in item.items():
            if method in ("get", "put", "post", "delete", "patch", "head", "options", "trace"):
                merged = {**operation, "parameters": [*shared, *operation.get("parameters", [])]}
                name = operation.get("operationId") or f"{method} {path}"
                found[name] = (method.upper(), path, merged)
    return found


def _given(values: list[str]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for value in values:
        name, sign, text = value.partition("=")
        if not sign:
            fail(f"{value!r}: arguments are written NAME=VALUE; the body is given with --json")
        given.setdefault(name, []).append(text)
    return given


def _target(
    path: str,
    operation: dict[str, Any],
    document: dict[str, Any],
    given: dict[str, list[str]],
    called: str,
) -> tuple[str, dict[str, str]]:
    """The path with its query, and the headers, that the arguments make."""
    query: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    parameters = [_resolve(parameter, document) for parameter in operation["parameters"]]
    names = [parameter["name"] for parameter in parameters]
    for name in given:
        if name not in names:
            fail(f"{called} has no parameter {name!r}.{nearest(name, names)}")
    for parameter in parameters:
        name, texts = parameter["name"], given.get(parameter["name"], [])
        if not texts:
            if parameter.get("required"):
                fail(f"{called} needs {name}=VALUE ({parameter['in']})")
            continue
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", quote(texts[0], safe=""))
        elif parameter["in"] == "query":
            query += [(name, text) for text in texts]
        elif parameter["in"] == "header":
            headers[name] = ",".join(texts)
        else:
            headers["cookie"] = f"{name}={quote(texts[0])}"
    return (f"{path}?{urlencode(query)}" if query else path), headers


def _resolve(parameter: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    ref = parameter.get("$ref", "")
    if not ref:
        return parameter
    found: Any = document
    for part in ref.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    resolved: dict[str, Any] = found
    return resolved


def _content(body: str | None, operation: dict[str, Any], called: str) -> bytes | None:
    wanted = operation.get("requestBody")
    if body is None:
        if wanted and wanted.get("required"):
            fail(f"{called} needs a body: --json '{{…}}', --json @FILE, or --json - to read it")
        return None
    if not wanted:
        fail(f"{called} takes no body")
    if body == "-":
        body = sys.stdin.read()
    elif body.startswith("@"):
        try:
            body = Path(body[1:]).read_text("utf-8")
        except OSError as error:
            fail(f"{body[1:]}: {error.strerror}")
    try:
        json.loads(body)
    except ValueError as error:
        fail(f"--json is not JSON: {error}")
    return body.encode()


def _pretty(content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text.rstrip("\n")
