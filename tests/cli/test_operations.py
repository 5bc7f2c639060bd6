"""The words of a command line become a request, or a sentence about what is wrong."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.cli.operations import Operation, operations, resolved
from skerry.cli.output import Failed

JSON = "application/json"
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/boxes/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True}],
            "get": {
                "operationId": "get_box",
                "parameters": [
                    {"name": "tag", "in": "query"},
                    {"name": "either", "in": "query", "explode": False},
                    {"name": "x-tenant", "in": "header"},
                    {"$ref": "#/components/parameters/Session"},
                    {"name": "theme", "in": "cookie"},
                ],
            },
            "put": {
                "operationId": "put_box",
                "requestBody": {
                    "required": True,
                    "content": {JSON: {"schema": {"$ref": "#/components/schemas/Box"}}},
                },
            },
        },
        "/labels": {
            "post": {
                "requestBody": {"required": True, "content": {"application/xml": {"schema": {}}}}
            }
        },
    },
    "components": {
        "parameters": {"Session": {"name": "session", "in": "cookie"}},
        "schemas": {
            "Box": {
                "allOf": [{"$ref": "#/components/schemas/Named"}],
                "properties": {
                    "size": {"type": "integer"},
                    "open": {"type": ["boolean", "null"]},
                    "colour": {"enum": ["red", "1"]},
                    "weight": {"anyOf": [{"type": "number"}, {"type": "null"}]},
                    "code": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
                    "sides": {"type": "array"},
                },
            },
            "Named": {"type": "object", "properties": {"name": {"type": "string"}}},
            "Circle": {"$ref": "#/components/schemas/Circle"},
        },
    },
}


def operation(name: str) -> Operation:
    return operations(DOCUMENT, "store")[name]


def test_operations_are_known_by_name() -> None:
    assert set(operations(DOCUMENT, "store")) == {"get_box", "put_box", "post /labels"}


def test_parameters_go_where_they_belong() -> None:
    words = ["id=a/b", "tag=1", "tag=2", "either=1", "either=2"]
    words += ["x-tenant=t", "session=s", "theme=d"]
    sent = operation("get_box").request(words, None, "")
    assert (sent.method, sent.content) == ("GET", None)
    assert sent.target == "/boxes/a%2Fb?tag=1&tag=2&either=1%2C2"
    assert sent.headers == {"x-tenant": "t", "cookie": "session=s; theme=d"}


@given(st.text(), st.text())
def test_any_value_arrives(path: str, query: str) -> None:
    sent = operation("get_box").request([f"id={path}", f"tag={query}"], None, "")
    parts = urlsplit(sent.target)
    assert unquote(parts.path.removeprefix("/boxes/")) == path
    assert parse_qsl(parts.query, keep_blank_values=True) == [("tag", query)]
    assert sent.target.isascii() and " " not in sent.target


def test_bytes_are_sent_as_they_were_typed() -> None:
    words = ["id=\udcff", "tag=\udcfe", "session=\udcfd"]
    sent = operation("get_box").request(words, None, "")
    assert sent.target == "/boxes/%FF?tag=%FE"
    assert sent.headers == {"cookie": "session=%FD"}


def test_members_have_the_types_of_the_contract() -> None:
    words = [
        *("id=1", "name=7", "size=7", "open=true", "colour=1", "weight=1.5", "code=12"),
        "sides=[1, 2]",
    ]
    sent = operation("put_box").request(words, None, "")
    assert sent.headers == {"content-type": JSON}
    assert json.loads(sent.content or b"") == {
        "name": "7",
        "size": 7,
        "open": True,
        "colour": "1",
        "weight": 1.5,
        "code": "12",
        "sides": [1, 2],
    }


def test_what_is_no_json_is_left_to_the_app_to_refuse() -> None:
    sent = operation("put_box").request(["id=1", "size=big"], None, "")
    assert json.loads(sent.content or b"") == {"size": "big"}


def test_members_are_set_in_a_body() -> None:
    sent = operation("put_box").request(["id=1", "size=2"], b'{"size": 1, "name": "x"}', JSON)
    assert json.loads(sent.content or b"") == {"size": 2, "name": "x"}


@pytest.mark.parametrize(
    ("name", "words", "body", "kind", "said"),
    [
        ("get_box", ["id"], None, "", "NAME=VALUE"),
        ("get_box", ["idd=1"], None, "", "Did you mean 'id'?"),
        ("get_box", [], None, "", "needs id=VALUE, which goes into the path"),
        ("get_box", ["id=1"], b"{}", JSON, "takes no body"),
        ("put_box", ["id=1"], None, "", "needs a body with name, size"),
        ("put_box", ["id=1", "sise=1"], None, "", "Did you mean 'size'?"),
        ("put_box", ["id=1", "size=1"], b"[]", JSON, "members of an object"),
        ("post /labels", [], b"{}", JSON, "application/xml, not JSON: give it with --data"),
        ("post /labels", [], None, "", "application/xml: --data @FILE"),
    ],
)
def test_mistakes(name: str, words: list[str], body: bytes | None, kind: str, said: str) -> None:
    with pytest.raises(Failed) as failed:
        operation(name).request(words, body, kind)
    assert said in str(failed.value)
    assert failed.value.status == 2


def test_references_that_lead_nowhere() -> None:
    assert resolved({"$ref": "#/components/schemas/None"}, DOCUMENT) == {}
    assert resolved({"$ref": "#/components/schemas/Circle"}, DOCUMENT) == {}
    assert resolved({"$ref": "#/paths/~1labels/post"}, DOCUMENT)["requestBody"]["required"]


@given(st.recursive(st.none() | st.text() | st.integers(), lambda c: st.dictionaries(st.text(), c)))
def test_resolving_survives_any_document(document: Any) -> None:
    whole = document if isinstance(document, dict) else {"x": document}
    assert isinstance(resolved({"$ref": "#/x/y"}, whole), dict)
