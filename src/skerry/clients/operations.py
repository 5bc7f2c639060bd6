"""The paths of an OpenAPI document into operations, and the whole document into an ``Api``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .asyncapi import Events
from .document import Document, DocumentError, Node, load
from .looks import says_something
from .refusals import Refusals
from .schemas import Schemas
from .shapes import (
    NO_DEFAULT,
    Answer,
    AnswerKind,
    Anything,
    Api,
    Argument,
    ListOf,
    Nullable,
    Operation,
    Payload,
    Scalar,
    Shape,
    Where,
)

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PLACES: dict[str, Where] = {
    "path": "path",
    "query": "query",
    "header": "header",
    "cookie": "cookie",
}
# OpenAPI: a parameter so named is to be ignored; bodies and security describe these.
_IGNORED_HEADERS = frozenset({"accept", "content-type", "authorization"})
_STREAMS = (
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/json-seq",
    "text/event-stream",
)


class _Unsupported(Exception):
    """An operation that cannot be called from here, and why."""


def read(source: str | Path | Mapping[str, Any] | Document, *, name: str = "") -> Api:
    """Everything a contract says.

    Args:
        source: as ``load`` takes it, or what it returned.

    Raises:
        DocumentError: with the place of what is wrong.
    """
    document = source if isinstance(source, Document) else load(source, name=name)
    try:
        return _Reader(document).api()
    except RecursionError:
        raise DocumentError(document.source, "is nested too deeply") from None


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._root = document.root
        self._schemas = Schemas(self._root)
        self._refusals = Refusals(self._schemas)
        self._left_out: list[tuple[str, str]] = []

    def api(self) -> Api:
        operations: list[Operation] = []
        for path, place in self._root.children("paths"):
            if path.startswith("x-"):
                continue
            item = place.follow().object()
            for method in METHODS:
                node = item.step(method)
                if node is None:
                    continue
                label = f"{method.upper()} {path}"
                if not path.startswith("/"):
                    place.fail("a path begins with a slash")
                try:
                    operations.append(self._operation(path, method, item, node.follow().object()))
                except _Unsupported as error:
                    self._left_out.append((label, str(error)))
        info = self._root.child("info")
        events = Events(self._document, self._schemas)
        return Api(
            title=self._document.title.strip(),
            version=self._document.version,
            description=info.prose("description") or info.prose("summary"),
            # AsyncAPI's servers are brokers, which have no part in the addresses of events.
            url="" if "asyncapi" in self._root.value else self._server(self._root)[0],
            digest=self._document.digest,
            operations=operations,
            named=self._schemas.in_order() | events.copies,
            refusals=self._refusals.found,
            left_out=[*self._left_out, *events.left_out],
            events=events.found,
        )

    def _server(self, node: Node) -> tuple[str, str]:
        """Scheme and host of the first server, and the path that goes before all paths."""
        for server in node.items("servers")[:1]:
            url = server.object().text("url")
            for name, variable in server.children("variables"):
                url = url.replace("{" + name + "}", str(variable.object().value.get("default", "")))
            try:
                split = urlsplit(url)
            except ValueError as error:
                server.fail(f"{url!r} is no URL: {error}")
            base = split.path.rstrip("/")
            if split.scheme in ("http", "https") and split.netloc:
                return f"{split.scheme}://{split.netloc}", base
            return "", base if base.startswith("/") else ""
        return "", ""

    def _base(self, *levels: Node) -> str:
        for node in levels:
            if node.items("servers"):
                return self._server(node)[1]
        return ""

    def _operation(self, path: str, method: str, item: Node, node: Node) -> Operation:
        operation = Operation(
            id=node.text("operationId") or _derived(method, path),
            method=method.upper(),
            path=self._base(node, item, self._root) + path,
            summary=node.prose("summary") or item.prose("summary"),
            description=node.prose("description"),
            deprecated=node.flag("deprecated"),
        )
        operation.arguments = self._arguments(item, node, operation)
        operation.payload = self._payload(node, operation)
        self._responses(node, operation)
        return operation

    def _arguments(self, item: Node, node: Node, operation: Operation) -> list[Argument]:
        found: dict[tuple[str, str], Argument] = {}
        for place in [*item.items("parameters"), *node.items("parameters")]:
            parameter = place.follow().object()
            name, where = parameter.text("name"), parameter.text("in")
            if where not in _PLACES or not name:
                place.fail("a parameter has a name and is in path, query, header or cookie")
            if where == "header" and name.lower() in _IGNORED_HEADERS:
                continue
            argument = self._argument(parameter, name, _PLACES[where], operation)
            found[(where, name.lower() if where == "header" else name)] = argument
        in_path = re.findall(r"{([^{}]+)}", operation.path)
        if len(set(in_path)) != len(in_path):
            node.fail(f"the path {operation.path} has one parameter twice")
        for name in in_path:  # undeclared, which happens; the path itself says that it is needed
            found.setdefault(("path", name), Argument(name, "path", Scalar("str"), True))
        first = [found[("path", name)] for name in in_path]
        return first + [a for (where, _), a in found.items() if where != "path"]

    def _argument(self, node: Node, name: str, where: Where, operation: Operation) -> Argument:
        style = node.text("style")
        explode = node.value.get("explode")
        schema = node.step("schema")
        if schema is None:
            for _media, content in node.children("content"):
                schema, style = content.object().step("schema"), "json"
                break
        if where == "path" and style in ("label", "matrix"):
            raise _Unsupported(f"the path parameter {name!r} is written in the style {style!r}")
        shape = self._schemas.read(schema, f"{operation.id} {name}") if schema else Scalar("str")
        default: Any = NO_DEFAULT
        if schema is not None and isinstance(schema.follow().value, dict):
            default = schema.follow().value.get("default", NO_DEFAULT)
        required = where == "path" or node.flag("required")
        return Argument(
            name,
            where,
            shape.inner if isinstance(shape, Nullable) else shape,
            required,
            node.prose("description"),
            default,
            style,
            explode if isinstance(explode, bool) else None,
            node.flag("deprecated"),
            mint=where == "header" and name.lower() == "idempotency-key",
        )

    def _payload(self, node: Node, operation: Operation) -> Payload | None:
        if node.value.get("requestBody") is None:
            return None
        place = node.child("requestBody")
        contents = {
            media.partition(";")[0].strip().lower(): content.object()
            for media, content in place.children("content")
        }
        if not contents:
            return None
        hint = f"{operation.id} body"
        required = place.flag("required")
        description = place.prose("description")
        media = next((m for m in contents if _is_json(m)), "")
        for wanted in ("multipart/form-data", "application/x-www-form-urlencoded"):
            if not media and wanted in contents:
                media = wanted
        if not media:
            media = next((m for m in contents if m in _STREAMS), "") or next(iter(contents))
        content = contents[media]
        if media.startswith("text/") and media not in _STREAMS:
            return Payload("text", media, Scalar("str"), required, description)
        schema = content.step("itemSchema") or content.step("schema")
        shape = self._schemas.read(schema, hint) if schema is not None else Anything()
        shape = shape.inner if isinstance(shape, Nullable) else shape
        if media in _STREAMS:
            item = shape.item if isinstance(shape, ListOf) else shape
            return Payload("lines", media, item, required, description)
        if _is_json(media):
            return Payload("json", media, shape, required, description)
        if media == "multipart/form-data":
            return Payload("multipart", media, shape, required, description)
        if media == "application/x-www-form-urlencoded":
            deep = tuple(
                name
                for name, encoding in content.children("encoding")
                if encoding.object().value.get("style") == "deepObject"
            )
            return Payload("form", media, shape, required, description, deep)
        media = "application/octet-stream" if media in ("*/*", "") else media
        return Payload("bytes", media, Scalar("bytes"), required, description)

    def _responses(self, node: Node, operation: Operation) -> None:
        declared: dict[int | str, Node] = {}
        for code, place in node.children("responses"):
            if code.startswith("x-"):
                continue
            declared[_status(code, place)] = place.follow().object()
        success = [s for s in declared if s == "2XX" or (isinstance(s, int) and 200 <= s < 300)]
        headers: dict[str, None] = {}
        for status, place in declared.items():
            if status in success:
                operation.answers.append(self._answer(status, place, operation))
                headers.update((name, None) for name, _ in place.children("headers"))
            elif status == "default" and not success:
                operation.answers.append(self._answer("2XX", place, operation))
            if _is_error(status):
                operation.raises[status] = self._refusals.read(place, status, operation.id)
        if told := [name for name in headers if name.lower() != "content-type"]:
            operation.notes.append(f"Header fields of the answer: {', '.join(told)}.")
        if not operation.answers:
            redirects = [
                s for s in declared if isinstance(s, int) and s in (301, 302, 303, 307, 308)
            ]
            operation.answers = [
                Answer(status, "redirect", Anything()) for status in redirects
            ] or [Answer("2XX", "none", Anything())]

    def _answer(self, status: int | str, place: Node, operation: Operation) -> Answer:
        contents = {
            media.partition(";")[0].strip().lower(): content.object()
            for media, content in place.children("content")
        }
        description = place.prose("description")
        if not contents or status in (204, 205) or operation.method == "HEAD":
            return Answer(status, "none", Anything(), "", description)
        media, kind = _choose(contents)
        schema = contents[media].step("itemSchema") or contents[media].step("schema")
        if kind in ("text", "bytes"):
            return Answer(status, kind, Anything(), media, description)
        shape: Shape = Anything()
        if schema is not None:
            label = "" if status in (200, 201, "2XX") else f" {status}"
            shape = self._schemas.read(schema, f"{operation.id} response{label}")
        if kind == "items" and isinstance(shape, ListOf):
            shape = shape.item
        if kind == "json" and schema is not None and not says_something(schema):
            shape = Anything()
        if shape == Scalar("file"):
            return Answer(status, "bytes", Anything(), media, description)
        return Answer(status, kind, shape, media, description)


def _choose(contents: Mapping[str, Node]) -> tuple[str, AnswerKind]:
    """The representation to ask for: JSON, a stream of it, text, then whatever there is."""
    for media in contents:
        if media == "application/json":
            return media, "json"
    for media in contents:
        if _is_json(media):
            return media, "json"
    for media in contents:
        if media in _STREAMS:
            return media, "items"
    for media in contents:
        if media.startswith("text/"):
            return media, "text"
    if "*/*" in contents:
        schema = contents["*/*"].step("schema")
        if schema is not None and schema.follow().value != {"type": "string", "format": "binary"}:
            return "*/*", "json"
    return next(iter(contents)), "bytes"


def _is_json(media: str) -> bool:
    return media == "application/json" or (media.endswith("+json") and "problem" not in media)


def _status(code: str, place: Node) -> int | str:
    if code == "default":
        return code
    if re.fullmatch(r"[1-5][xX]{2}", code):
        return code.upper()
    if re.fullmatch(r"[1-5][0-9]{2}", code):
        return int(code)
    return place.fail(f"{code!r} is no status; 100 to 599, 1XX to 5XX and default are")


def _is_error(status: int | str) -> bool:
    return status in ("4XX", "5XX", "default") or (isinstance(status, int) and status >= 400)


def _derived(method: str, path: str) -> str:
    """What to call an operation without an id: ``get_schools_by_school_id_fees``."""
    return f"{method} " + re.sub(r"{([^{}]*)}", r"by \1", path).replace("/", " ")
