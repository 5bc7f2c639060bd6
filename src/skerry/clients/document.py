"""OpenAPI and AsyncAPI documents as they lie about: files in JSON and YAML that refer to each
other.

``load`` reads one; a ``Node`` is a value in it that knows its place, so that whatever is wrong
is said with where it is. What the values mean is read in ``schemas`` and ``operations``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urljoin, urlsplit

from skerry.contract.openapi import fingerprint
from skerry.core.errors import ConfigError

from .twins import twins

_MAX_BYTES = 64 * 1024 * 1024
_DEPTH = 50  # of references on the way to what a reference leads to


class DocumentError(ConfigError):
    """A document that cannot be read.

    Args:
        where: the file and the place in it: ``schools.yaml#/paths/~1schools/get``.
        detail: what is wrong there.
    """

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(f"{where}: {detail}")
        self.where = where
        self.detail = detail


@dataclass(slots=True)
class Document:
    """A document and the files it refers to.

    Attributes:
        source: where it came from, as given: a path, a URL, or a name for messages.
        files: every file read so far; the document itself under ``""``, others by path.
        folder: what relative references start from; None where there is no folder.
        twins: what stands in for components of the events' document: the same of this one.
    """

    source: str
    files: dict[str, Any]
    folder: Path | None = None
    twins: dict[str, Node] = field(default_factory=dict)
    _open_references: int = 0

    @property
    def root(self) -> Node:
        return Node(self, "", "", self.files[""])

    @property
    def events(self) -> Node | None:
        """The AsyncAPI document: this one, or what it says is beside it, if that was found."""
        root = self.root
        if "asyncapi" in root.value:
            return root
        name = root.prose("x-asyncapi")
        return Node(self, name, "", self.files[name]) if name in self.files else None

    @property
    def title(self) -> str:
        return self.root.child("info").text("title") or "API"

    @property
    def version(self) -> str:
        return str(self.root.child("info").value.get("version", ""))

    @property
    def digest(self) -> str:
        """A hash of what the document says, the files it refers to included; formatting and
        the order of keys have no part in it."""
        whole = self.files[""] if len(self.files) == 1 else self.files
        return fingerprint(whole)

    def resolve(self, reference: str, at: Node) -> Node:
        """The node that a ``$ref`` points to."""
        # The way to a node may itself lead over references, and back to where it started.
        if self._open_references > _DEPTH:
            at.fail(f"the reference {reference!r} leads back to itself")
        self._open_references += 1
        try:
            found = self._resolve(reference, at)
            return self.twins.get(found.id, found)
        finally:
            self._open_references -= 1

    def _resolve(self, reference: str, at: Node) -> Node:
        file, _, fragment = reference.partition("#")
        name = self._open(file, at) if file else at.file
        if fragment and not fragment.startswith("/"):
            at.fail(f"the reference {reference!r} is not a JSON pointer")
        node = Node(self, name, "", self.files[name])
        for step in fragment.split("/")[1:]:
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if "$ref" in (node.value if isinstance(node.value, Mapping) else ()):
                node = node.follow()
            found = node.step(key)
            if found is None:
                at.fail(f"the reference {reference!r} points to nothing: there is no {key!r}")
            node = found
        return node

    def _open(self, file: str, at: Node) -> str:
        """The name under which the file is kept, read if it has not been."""
        if re.match(r"([a-zA-Z][a-zA-Z0-9+.-]+:|//)", file):
            at.fail(
                f"the reference to {file} leads to the network; "
                "save that file beside this one and refer to it by its path"
            )
        folder = self.folder
        if folder is None:
            at.fail(f"the reference to {file} needs a file beside this document; it has no folder")
        here = (folder / at.file).parent if at.file else folder
        path = (here / unquote(file)).resolve()
        name = str(_relative(path, folder))
        if name not in self.files:
            try:
                self.files[name] = parse(path.read_bytes(), str(path))
            except OSError as error:
                at.fail(f"the reference to {file} cannot be followed: {error.strerror}")
        return name


def _relative(path: Path, folder: Path) -> Path:
    """``path`` from ``folder``, with ``..`` where need be: the same on every machine."""
    up = Path()
    for base in (folder.resolve(), *folder.resolve().parents):
        if path.is_relative_to(base):
            return up / path.relative_to(base)
        up = up / ".."
    return path


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a document, and its place there."""

    document: Document
    file: str
    pointer: str
    value: Any

    @property
    def where(self) -> str:
        name = self.document.source if not self.file else self.file
        return f"{name}#{self.pointer}"

    @property
    def id(self) -> str:
        """The place as a key: the same for every way that leads here."""
        return f"{self.file}#{self.pointer}"

    @property
    def key(self) -> str:
        """The last step of the way here."""
        return self.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")

    def fail(self, detail: str) -> NoReturn:
        raise DocumentError(self.where, detail)

    def step(self, key: str) -> Node | None:
        """The child under a key or an index, if there is one; nothing is checked."""
        value = self.value
        if isinstance(value, Mapping) and key in value:
            return self._at(key, value[key])
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            return self._at(key, value[int(key)])
        return None

    def _at(self, key: str, value: Any) -> Node:
        escaped = key.replace("~", "~0").replace("/", "~1")
        return Node(self.document, self.file, f"{self.pointer}/{escaped}", value)

    def child(self, key: str) -> Node:
        """The object under ``key``, references followed; an empty one where there is none."""
        found = self.step(key)
        if found is None or found.value is None:
            return self._at(key, {})
        return found.follow().object()

    def children(self, key: str) -> Iterator[tuple[str, Node]]:
        """The members of the object under ``key``, as they stand."""
        parent = self.child(key)
        for name, value in parent.value.items():
            yield name, parent._at(name, value)

    def items(self, key: str) -> list[Node]:
        """The elements of the array under ``key``, as they stand; none where there is none."""
        found = self.step(key)
        if found is None or found.value is None:
            return []
        if not isinstance(found.value, list):
            found.fail(f"an array is expected here, not {_kind(found.value)}")
        return [found._at(str(index), value) for index, value in enumerate(found.value)]

    def text(self, key: str) -> str:
        """The string under ``key``; empty where there is none."""
        value = self.value.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self._at(key, value).fail(f"a string is expected here, not {_kind(value)}")
        return str(value)

    def prose(self, key: str) -> str:
        """Text for people; anything else there is not worth an error."""
        value = self.value.get(key)
        return value if isinstance(value, str) else ""

    def flag(self, key: str) -> bool:
        return self.value.get(key) is True

    def object(self) -> Node:
        if not isinstance(self.value, Mapping):
            self.fail(f"an object is expected here, not {_kind(self.value)}")
        return self

    def follow(self) -> Node:
        """What this refers to, where it is a reference; otherwise itself."""
        node, seen = self, set()
        while isinstance(node.value, Mapping) and isinstance(node.value.get("$ref"), str):
            if node.id in seen:
                self.fail(f"the reference {self.value['$ref']!r} leads back to itself")
            seen.add(node.id)
            node = self.document.resolve(node.value["$ref"], node)
        return node


def load(
    source: str | Path | Mapping[str, Any],
    *,
    name: str = "",
    events: Mapping[str, Any] | None = None,
) -> Document:
    """Read an OpenAPI 3.0 or 3.1 document, and the AsyncAPI document that it says is beside it;
    or an AsyncAPI 3 document alone.

    Args:
        source: a path, a URL (http or https), or the document as it was parsed elsewhere.
        name: what messages and generated files call it, where ``source`` does not say.
        events: the AsyncAPI document, for a ``source`` that has no place.

    Raises:
        DocumentError: it cannot be read, or is not such a document.
    """
    if isinstance(source, Mapping):
        document = Document(name or "the document", {"": source})
    elif isinstance(source, str) and urlsplit(source).scheme in ("http", "https"):
        document = Document(source, {"": parse(_download(source), source)})
    else:
        path = Path(source)
        document = Document(name or str(source), {"": _read(path)}, path.parent)
    _check(document)
    _join(document, events)
    return document


def _read(path: Path) -> Any:
    try:
        return parse(path.read_bytes(), str(path))
    except OSError as error:
        raise DocumentError(str(path), f"cannot be read: {error.strerror}") from None


def _join(document: Document, events: Mapping[str, Any] | None) -> None:
    """Put the document of the events beside that of the operations. Of files, one may have been
    carried off alone; what is served is served whole."""
    root = document.root
    name = root.prose("x-asyncapi")
    parts = urlsplit(name)
    if "asyncapi" in root.value or not name or parts.scheme or parts.netloc:
        return
    if events is not None:
        document.files[name] = events
    elif urlsplit(document.source).scheme in ("http", "https"):
        url = urljoin(document.source, name)
        document.files[name] = parse(_download(url), url)
    elif document.folder is not None and (document.folder / name).is_file():
        document.files[name] = _read(document.folder / name)
    found = document.events
    if found is None:
        return
    _check_events(found.object())
    schemas = root.child("components").child("schemas")
    for same in twins(root.value, found.value):
        twin = schemas.step(same)
        assert twin is not None
        document.twins[f"{name}{twin.id}"] = twin


def _check(document: Document) -> None:
    root = document.root.object()
    if "asyncapi" in root.value:
        _check_events(root)
        return
    version = str(root.value.get("openapi", ""))
    if version.startswith(("3.0", "3.1")):
        root.child("info")
        return
    if "swagger" in root.value:
        root.fail(
            f"this is Swagger {root.value['swagger']}; OpenAPI 3.0 or 3.1 is needed "
            "(the project's own tools, or converter.swagger.io's code, can convert it)"
        )
    root.fail(
        f"OpenAPI {version} is not supported; 3.0 and 3.1 are"
        if version
        else "this is not an OpenAPI document: it has no 'openapi' field"
    )


def _check_events(root: Node) -> None:
    version = str(root.value.get("asyncapi", ""))
    if not version.startswith("3."):
        root.fail(
            f"AsyncAPI {version} is not supported; 3.0 is (AsyncAPI's own converter makes it)"
            if version
            else "this is not an AsyncAPI document: it has no 'asyncapi' field"
        )
    root.child("info")


def _download(url: str) -> bytes:
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    request = Request(
        url, headers={"accept": "application/json, application/yaml;q=0.9, */*;q=0.1"}
    )
    try:
        with urlopen(request, timeout=30) as response:
            content: bytes = response.read(_MAX_BYTES + 1)
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DocumentError(url, f"cannot be fetched: {reason}") from None
    if len(content) > _MAX_BYTES:
        raise DocumentError(url, f"is over {_MAX_BYTES >> 20} MiB")
    return content


def parse(content: bytes, where: str) -> Any:
    """JSON or YAML, whichever it is, with every key a string."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(where, f"is not UTF-8 (byte {error.start})") from None
    if text.lstrip().startswith(("{", "[")):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            if not where.endswith((".yaml", ".yml")):
                raise DocumentError(where, f"is not JSON: {error.msg} ({place})") from None
        except RecursionError:
            raise DocumentError(where, "is nested too deeply") from None
    return _parse_yaml(text, where)


def _parse_yaml(text: str, where: str) -> Any:
    try:
        yaml: Any = import_module("yaml")
    except ImportError:
        raise DocumentError(
            where, "is not JSON, and reading YAML needs PyYAML: pip install pyyaml"
        ) from None
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """YAML as JSON's values: no dates, and ``no`` is a country."""

        yaml_implicit_resolvers = {
            first: [
                (tag, pattern)
                for tag, pattern in resolvers
                if tag.rpartition(":")[2] not in ("timestamp", "bool", "merge", "value")
                or tag.endswith("merge")
            ]
            for first, resolvers in base.yaml_implicit_resolvers.items()
        }

    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:bool",
        re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
        list("tTfF"),
    )
    try:
        return _plain(yaml.load(text, Loader), {}, where)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise DocumentError(
            where, f"is not YAML: {getattr(error, 'problem', None) or error}{place}"
        ) from None
    except RecursionError:
        raise DocumentError(where, "is nested too deeply") from None


def _plain(value: Any, seen: dict[int, Any], where: str) -> Any:
    """With string keys throughout. What anchors share stays shared."""
    if isinstance(value, dict | list):
        if id(value) in seen:
            if seen[id(value)] is None:
                raise DocumentError(where, "has an alias inside its own anchor")
            return seen[id(value)]
        seen[id(value)] = None
        if isinstance(value, dict):
            made: Any = {_key(key): _plain(item, seen, where) for key, item in value.items()}
        else:
            made = [_plain(item, seen, where) for item in value]
        seen[id(value)] = made
        return made
    return value


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return names.get(type(value), "a number")
