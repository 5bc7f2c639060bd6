"""A contract as a page for people: everything in one file, nothing from another host.

It is made from the document and not from the contract, so it shows what clients are generated
from. Every word of the document is escaped, and a content security policy allows the one script
that is in the page and no other.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from .sample import sample

Json = dict[str, Any]
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_CONSTRAINTS = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minProperties": "at least {} members",
    "maxProperties": "at most {} members",
}


def html(document: dict[str, Any]) -> str:
    """The page of an OpenAPI 3.1 document."""
    return _Page(document).whole()


class _Page:
    def __init__(self, document: Json) -> None:
        self._document = document
        self._schemas: Json = document.get("components", {}).get("schemas", {})
        self._operations = [
            (path, method, item[method])
            for path, item in document.get("paths", {}).items()
            for method in _METHODS
            if method in item
        ]

    def whole(self) -> str:
        info = self._document["info"]
        style, script = _asset("page.css"), _asset("page.js")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy = (
            f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
            "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
        )
        title, version = escape(str(info["title"])), escape(str(info["version"]))
        return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title} {version}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">To the operations</a>
<div class="layout">
<nav aria-label="Contents">{self._contents()}</nav>
<main id="main">
<h1>{title} <small>{version}</small></h1>
{prose(info.get("description", ""))}
<p class="quiet">{self._documents()}</p>
{self._sections()}
<h2 id="schemas">Schemas</h2>
{"".join(self._component(name, schema) for name, schema in self._schemas.items())}
</main>
</div>
<script>{script}</script>
</body>
</html>
"""

    def _documents(self) -> str:
        events = self._document.get("x-asyncapi")
        found = ["openapi.json", *([str(events)] if events else [])]
        return " ".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in found)

    def _by_tag(self) -> dict[str, list[tuple[str, str, Json]]]:
        groups: dict[str, list[tuple[str, str, Json]]] = {}
        for path, method, operation in self._operations:
            tag = (operation.get("tags") or ["Operations"])[0]
            groups.setdefault(tag, []).append((path, method, operation))
        return groups

    def _contents(self) -> str:
        parts = []
        for tag, group in self._by_tag().items():
            links = "".join(
                f'<li><a href="#{_id("op", _name(path, method, operation))}">'
                f"{_method(method)}<span>{escape(_name(path, method, operation))}</span></a></li>"
                for path, method, operation in group
            )
            parts.append(f"<h2>{escape(tag)}</h2><ul>{links}</ul>")
        links = "".join(
            f'<li><a href="#{_id("schema", name)}">{escape(name)}</a></li>'
            for name in self._schemas
        )
        return "".join(parts) + f"<h2>Schemas</h2><ul>{links}</ul>"

    def _sections(self) -> str:
        return "".join(
            f"<h2>{escape(tag)}</h2>" + "".join(self._operation(*one) for one in group)
            for tag, group in self._by_tag().items()
        )

    def _operation(self, path: str, method: str, operation: Json) -> str:
        name = _name(path, method, operation)
        old = operation.get("deprecated", False)
        body = operation.get("requestBody")
        parts = [
            prose(operation.get("description", "")),
            self._parameters(operation.get("parameters", [])),
            self._body(body) if body else "",
            self._responses(operation["responses"]),
            self._form(path, method, operation),
        ]
        return (
            f'<details class="card{" deprecated" if old else ""}" id="{_id("op", name)}">'
            f'<summary>{_method(method)}<span class="path">{escape(path)}</span>'
            f'<span class="quiet">{escape(operation.get("summary", ""))}'
            f"{' (deprecated)' if old else ''}</span></summary>"
            f'<div class="inside">{"".join(parts)}</div></details>'
        )

    def _resolved(self, entry: tuple[str, Json]) -> tuple[str, Json]:
        status, response = entry
        if "$ref" in response:
            name = response["$ref"].rpartition("/")[2]
            response = self._document["components"]["responses"][name]
        return status, response

    def _parameters(self, parameters: list[Json]) -> str:
        if not parameters:
            return ""
        rows = [
            (
                f"<code>{escape(one['name'])}</code>{_needed(one.get('required'))}"
                f'<br><span class="quiet">{escape(one["in"])}</span>',
                self._type(one["schema"]),
                prose(one.get("description", "")),
            )
            for one in parameters
        ]
        return "<h4>Parameters</h4>" + _table(("Name", "Type", "Description"), rows)

    def _body(self, body: Json) -> str:
        return (
            f"<h4>Request body{_needed(body.get('required'))}</h4>"
            f"{prose(body.get('description', ''))}<p>{self._content(body)}</p>"
        )

    def _responses(self, responses: Json) -> str:
        rows = [
            (f"<code>{escape(status)}</code>", prose(one["description"]), self._content(one))
            for status, one in map(self._resolved, responses.items())
        ]
        return "<h4>Responses</h4>" + _table(("Status", "When", "Body"), rows)

    def _content(self, holder: Json) -> str:
        return "<br>".join(
            f"{self._type(content.get('schema', {}))} "
            f'<span class="quiet">{escape(media)} {escape(content.get("x-item-description", ""))}'
            "</span>"
            for media, content in holder.get("content", {}).items()
        )

    def _form(self, path: str, method: str, operation: Json) -> str:
        name = _name(path, method, operation)
        parts = [f"<h4>Try {escape(name)}</h4>"]
        for number, one in enumerate(operation.get("parameters", [])):
            if one["in"] == "cookie":
                continue  # a page cannot set another's cookies; the browser sends its own
            field = _id("in", f"{name}-{number}")
            many = one["schema"].get("type") == "array"
            hint = ", separated by commas" if many else ""
            given = one["schema"].get("default", "")
            given = given if isinstance(given, str) else json.dumps(given).strip("[]")
            parts.append(
                f'<label for="{field}">{escape(one["name"])} '
                f'<span class="quiet">{escape(one["in"])}{hint}</span></label>'
                f'<input id="{field}" data-where="{escape(one["in"])}" '
                f'data-name="{escape(one["name"])}"{" data-many=1" if many else ""} '
                f'value="{escape(given)}"{" required" if one.get("required") else ""} '
                'autocomplete="off" spellcheck="false">'
            )
        for media, content in list(operation.get("requestBody", {}).get("content", {}).items())[:1]:
            field = _id("in", f"{name}-body")
            example = sample(content.get("schema", {}), self._schemas)
            text = "" if example is None else json.dumps(example, indent=2, ensure_ascii=False)
            if "x-item-schema" in content:
                text = json.dumps(example, ensure_ascii=False)
            parts.append(
                f'<label for="{field}">Body <span class="quiet">{escape(media)}</span></label>'
                f'<textarea id="{field}" data-media="{escape(media)}" spellcheck="false">'
                f"{escape(text)}</textarea>"
            )
        return (
            f'<form data-method="{escape(method.upper())}" data-path="{escape(path)}">'
            + "".join(parts)
            + '<button>Send</button><button type="button" class="second" hidden>Stop</button>'
            '<output hidden><p></p><pre tabindex="0"></pre></output></form>'
        )

    def _component(self, name: str, schema: Json) -> str:
        example = json.dumps(sample(schema, self._schemas), indent=2, ensure_ascii=False)
        if schema.get("type") == "object" and schema.get("properties"):
            inside = _table(("Name", "Type", "Description"), list(self._members(schema)))
        else:
            inside = f"<p>{self._type(schema)}</p>"
        return (
            f'<details class="card" id="{_id("schema", name)}"><summary>'
            f"<code>{escape(name)}</code></summary>"
            f'<div class="inside">{prose(schema.get("description", ""))}{inside}'
            f'<h4>Example</h4><pre tabindex="0">{escape(example)}</pre></div></details>'
        )

    def _members(self, schema: Json) -> Iterator[tuple[str, ...]]:
        required = schema.get("required", ())
        for key, part in schema["properties"].items():
            text = part.get("description", "") if isinstance(part, dict) else ""
            yield (
                f"<code>{escape(key)}</code>{_needed(key in required)}",
                self._type(part),
                prose(text),
            )

    def _type(self, schema: Any) -> str:
        """A schema in a few words, with links to named ones."""
        if not isinstance(schema, dict) or not schema:
            return "anything"
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            return f'<a href="#{_id("schema", name)}">{escape(name)}</a>'
        for key in ("oneOf", "anyOf"):
            if key in schema:
                return " or ".join(dict.fromkeys(self._type(arm) for arm in schema[key]))
        if "const" in schema:
            return f"<code>{escape(json.dumps(schema['const'], ensure_ascii=False))}</code>"
        if "enum" in schema:
            values = (json.dumps(value, ensure_ascii=False) for value in schema["enum"])
            return " or ".join(f"<code>{escape(value)}</code>" for value in values)
        kinds = schema.get("type", "anything")
        words = " or ".join(map(str, kinds)) if isinstance(kinds, list) else str(kinds)
        text = escape(schema.get("format") or words)
        if "format" in schema and isinstance(kinds, list) and "null" in kinds:
            text += " or null"
        if "items" in schema and isinstance(schema["items"], dict):
            text += f" of {self._type(schema['items'])}"
        if isinstance(schema.get("additionalProperties"), dict):
            text += f" of {self._type(schema['additionalProperties'])}"
        said = [
            escape(words.format(schema[key]))
            for key, words in _CONSTRAINTS.items()
            if key in schema
        ]
        if "pattern" in schema and "format" not in schema and "contentEncoding" not in schema:
            said.append(f"matches <code>{escape(schema['pattern'])}</code>")
        if "default" in schema:
            default = json.dumps(schema["default"], ensure_ascii=False)
            said.append(f"default <code>{escape(default)}</code>")
        return f'{text} <span class="quiet">{", ".join(said)}</span>' if said else text


def prose(text: str) -> str:
    """Text as paragraphs, with CommonMark's ``code`` and **strong**; all else as it is."""
    blocks = [escape(block.strip()) for block in re.split(r"\n\s*\n", text) if block.strip()]
    joined = "".join(f"<p>{block}</p>" for block in blocks)
    joined = re.sub(r"``?([^`\n]+)``?", r"<code>\1</code>", joined)
    return re.sub(r"\*\*([^*\n]+)\*\*", r"<strong>\1</strong>", joined)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _name(path: str, method: str, operation: Json) -> str:
    return str(operation.get("operationId") or f"{method} {path}")


def _method(method: str) -> str:
    return f'<span class="method {method}">{method}</span>'


def _needed(required: Any) -> str:
    return ' <span class="needed">required</span>' if required else ""


def _id(kind: str, name: str) -> str:
    return f"{kind}-" + re.sub(r"[^A-Za-z0-9._-]", "-", name)


def _asset(name: str) -> str:
    return (files("skerry.contract") / name).read_text("utf-8")
