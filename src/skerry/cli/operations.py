"""From a contract and the words of a command line to a request.

Works on the OpenAPI document as it was parsed: reading it into types takes longer than a call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from .output import fail, nearest

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_AS_TYPED = "surrogateescape"  # also where it is not UTF-8; what that means is the app's to say
_FOLLOWED = 20  # references to references, before it must be a circle


class Sent(NamedTuple):
    """A request: what stands on its first line, and what comes after."""

    method: str
    target: str
    headers: dict[str, str]
    content: bytes | None


class Operation(NamedTuple):
    """One operation of a contract.

    Attributes:
        name: what it is called, ``quotes.create_quote``.
        path: with ``{name}`` for its parameters.
        parameters: as the document has them, references followed, by name.
        bodies: schemas by media type.
        must: whether a body is required.
    """

    name: str
    method: str
    path: str
    parameters: dict[str, dict[str, Any]]
    bodies: dict[str, Any]
    must: bool
    document: Mapping[str, Any]

    @property
    def json(self) -> str:
        """Its JSON media type; empty when its body is none or something else."""
        return next((kind for kind in self.bodies if _is_json(kind)), "")

    def members(self) -> dict[str, Any]:
        """Schemas of the members of its JSON body, where that is an object."""
        found: dict[str, Any] = {}
        schema = self._followed(self.bodies.get(self.json, {}))
        for part in (*(self._followed(one) for one in schema.get("allOf", ())), schema):
            found |= part.get("properties", {})
        return found

    def request(self, words: Sequence[str], body: bytes | None, media_type: str) -> Sent:
        """The request that these arguments make.

        Args:
            words: ``NAME=VALUE``: parameters, and members of the body.
            body: what was given as the body, of ``media_type``.

        Raises:
            Failed: a word means nothing here, or something is missing.
        """
        parameters: dict[str, list[str]] = {}
        members: dict[str, Any] = {}
        known = self.members()
        for word in words:
            name, sign, text = word.partition("=")
            if not sign:
                fail(f"{word!r}: arguments are written NAME=VALUE; a body is given with --json", 2)
            if name in self.parameters:
                parameters.setdefault(name, []).append(text)
            elif name in known:
                members[name] = self._value(known[name], text)
            else:
                names = [*self.parameters, *known]
                fail(f"{self.name} takes no {name!r}.{nearest(name, names)}", 2)
        target, headers = self._target(parameters)
        content = self._content(members, body, media_type)
        if content is not None:
            headers["content-type"] = media_type or self.json
        return Sent(self.method, target, headers, content)

    def _target(self, given: dict[str, list[str]]) -> tuple[str, dict[str, str]]:
        path, headers = self.path, {}
        query: list[tuple[str, str]] = []
        for name, parameter in self.parameters.items():
            texts, where = given.get(name, []), parameter["in"]
            if not texts:
                if parameter.get("required"):
                    fail(f"{self.name} needs {name}=VALUE, which goes into the {where}", 2)
            elif where == "path":
                path = path.replace(f"{{{name}}}", quote(texts[-1], "", errors=_AS_TYPED))
            elif where == "query":
                apart = parameter.get("explode", True)
                query += [(name, text) for text in (texts if apart else [",".join(texts)])]
            elif where == "header":
                headers[name] = ",".join(texts)
            else:
                pair = f"{name}={quote(texts[-1], errors=_AS_TYPED)}"
                headers["cookie"] = f"{headers['cookie']}; {pair}" if "cookie" in headers else pair
        text = urlencode(query, errors=_AS_TYPED)
        return f"{path}?{text}" if text else path, headers

    def _content(
        self, members: dict[str, Any], body: bytes | None, media_type: str
    ) -> bytes | None:
        if body is not None and not self.bodies:
            fail(f"{self.name} takes no body", 2)
        if body is not None and _is_json(media_type) and not self.json:
            kinds = " or ".join(self.bodies)
            fail(f"{self.name} takes {kinds}, not JSON: give it with --data", 2)
        if members:
            whole = {} if body is None else json.loads(body)
            if not isinstance(whole, dict):
                fail("NAME=VALUE sets members of an object; --json gives something else", 2)
            return json.dumps(whole | members).encode()
        if body is None and self.must:
            wanted = ", ".join(self.members())
            what = f"with {wanted}" if wanted else " or ".join(self.bodies)
            how = "--json '{…}', or NAME=VALUE for its members" if self.json else "--data @FILE"
            fail(f"{self.name} needs a body {what}: {how}", 2)
        return body

    def _value(self, schema: Any, text: str) -> Any:
        """``text`` as its schema has it: what may be a string is one, the rest is JSON."""
        if "string" in self._types(schema):
            return text
        try:
            return json.loads(text)
        except ValueError:
            return text  # the app says what is wrong with it, and where

    def _types(self, schema: Any) -> set[str]:
        schema = self._followed(schema)
        kinds = schema.get("type", [])
        found = {kinds} if isinstance(kinds, str) else set(kinds)
        if any(isinstance(value, str) for value in (*schema.get("enum", ()), schema.get("const"))):
            found.add("string")
        for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
            found |= self._types(choice)
        return found

    def _followed(self, schema: Any) -> dict[str, Any]:
        return resolved(schema, self.document)


def operations(document: Mapping[str, Any], app: str) -> dict[str, Operation]:
    """Every operation of a contract by its name; by method and path where it has none."""
    found = {}
    for path, item in document.get("paths", {}).items():
        item = resolved(item, document)
        shared = item.get("parameters", [])
        for method in _METHODS:
            if method not in item:
                continue
            said = item[method]
            parameters = (resolved(one, document) for one in (*shared, *said.get("parameters", ())))
            body = resolved(said.get("requestBody") or {}, document)
            content = body.get("content", {})
            name = said.get("operationId") or f"{method} {path}"
            found[name] = Operation(
                f"{app}.{name}",
                method.upper(),
                path,
                {one["name"]: one for one in parameters},
                {kind: media.get("schema", {}) for kind, media in content.items()},
                bool(body.get("required")),
                document,
            )
    return found


def resolved(node: Any, document: Mapping[str, Any]) -> dict[str, Any]:
    """What a node refers to, or itself; an empty object where that cannot be found."""
    for _ in range(_FOLLOWED):
        if not isinstance(node, dict):
            break
        reference = node.get("$ref")
        if not isinstance(reference, str):
            return node
        node = document
        for step in reference.removeprefix("#/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            node = node.get(key) if isinstance(node, dict) else None
    return {}


def _is_json(media_type: str) -> bool:
    kind = media_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")
