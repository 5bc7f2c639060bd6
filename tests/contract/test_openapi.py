"""The document: valid, complete, the same every time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from skerry.contract.codec import Codec
from skerry.contract.openapi import document, fingerprint
from skerry.contract.operation import Answer, Contract, Operation, Parameter
from skerry.core.errors import BadRequest, Fault, Invalid, Problem

from .promise import CONTRACT, CurrencyUnknown

DOCUMENT = document(CONTRACT)
SCHEMAS = DOCUMENT["components"]["schemas"]


def operation(path: str, method: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][path][method]
    return found


def test_it_is_openapi() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1")
    assert DOCUMENT["info"] == {
        "title": "quotes",
        "version": "1.2.0",
        "description": "Locks **rates**.",
    }
    assert DOCUMENT["tags"] == [{"name": "quotes"}, {"name": "lists"}]


def test_it_is_json_and_the_same_every_time() -> None:
    assert json.dumps(document(CONTRACT)) == json.dumps(DOCUMENT)
    assert fingerprint(document(CONTRACT)) == fingerprint(DOCUMENT)
    assert fingerprint({"b": 1, "a": 2}) == fingerprint({"a": 2, "b": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_operations() -> None:
    create = operation("/quotes", "post")
    assert create["operationId"] == "create_quote"
    assert create["summary"] == "Lock today's rate."
    assert create["description"] == "For one payment.\n\nOnly."
    assert create["requestBody"] == {
        "description": "What is asked for.",
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewQuote"}}},
    }
    assert create["responses"]["201"]["description"] == "The quote."
    assert operation("/quotes/{id}", "delete")["deprecated"] is True
    assert "content" not in operation("/quotes/{id}", "delete")["responses"]["204"]


def test_parameters() -> None:
    found = {one["name"]: one for one in operation("/quotes", "get")["parameters"]}
    assert found["tag"]["style"] == "form"
    assert found["tag"]["explode"] is True
    assert found["x-days"]["style"] == "simple"
    assert found["x-days"]["required"] is True
    assert found["limit"] == {
        "name": "limit",
        "in": "query",
        "description": "How many.",
        "required": False,
        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
    }
    assert found["above"]["schema"]["format"] == "decimal"
    assert found["colour"]["schema"] == {"$ref": "#/components/schemas/Colour"}
    assert operation("/quotes/{id}", "get")["parameters"][0]["required"] is True


def test_streams_have_the_schema_of_an_item() -> None:
    for path, media in (("/watch", "application/x-ndjson"), ("/events", "text/event-stream")):
        content = operation(path, "get")["responses"]["200"]["content"][media]
        assert content["schema"] == content["x-item-schema"]
        assert "$ref" in content["schema"]
    loaded = operation("/load", "put")
    assert "x-item-schema" in loaded["requestBody"]["content"]["application/x-ndjson"]
    assert loaded["responses"]["200"]["content"] == {"application/octet-stream": {"schema": {}}}


def test_problems() -> None:
    responses = operation("/quotes", "post")["responses"]
    assert list(responses) == ["201", "400", "413", "415", "422", "500", "503", "default"]
    content = responses["422"]["content"]["application/problem+json"]["schema"]
    assert content["discriminator"]["mapping"] == {
        "urn:problem-type:currency-unknown": "#/components/schemas/CurrencyUnknown",
        "urn:problem-type:invalid-request": "#/components/schemas/Invalid",
    }
    made = SCHEMAS["CurrencyUnknown"]
    assert made["description"] == "No rate is published for this currency."
    assert made["properties"]["type"]["const"] == "urn:problem-type:currency-unknown"
    assert made["properties"]["known"]["items"] == {"$ref": "#/components/schemas/Colour"}
    assert made["required"] == ["type", "title", "status", "currency", "known"]
    assert SCHEMAS["Invalid"]["properties"]["errors"]["items"] == {
        "$ref": "#/components/schemas/Fault"
    }


def test_problems_come_only_where_they_can_happen() -> None:
    assert "413" not in operation("/quotes", "get")["responses"]
    assert "422" not in operation("/quotes/{id}", "get")["responses"]
    assert "422" in operation("/quotes/{id}", "delete")["responses"]
    assert "422" not in operation("/files", "put")["responses"]
    assert list(operation("/watch", "get")["responses"]) == ["200", "500", "503", "default"]


@pytest.mark.parametrize(
    "problem",
    [
        CurrencyUnknown(currency="XXX", detail="d"),
        Invalid(errors=[Fault("#/a", "is required")]),
        BadRequest(detail="no"),
    ],
)
def test_what_a_problem_says_fits_its_schema(problem: Problem) -> None:
    from jsonschema import Draft202012Validator

    name = type(problem).__name__
    whole = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    said = json.loads(Codec.of(Any).encode(problem.document()))
    Draft202012Validator(whole).validate(said)


def test_two_problems_of_one_type_have_no_discriminator() -> None:
    class Lost(Problem, status=404, type="about:blank"):
        """Lost."""

    class Stolen(Problem, status=404, type="about:blank"):
        """Stolen."""

    one = Operation("a", "GET", "/a", answer=Answer(204), problems=(Lost, Stolen))
    made = document(Contract("c", "1", operations=(one,)))
    validate(made)
    response = made["paths"]["/a"]["get"]["responses"]["404"]
    assert response["description"] == "Lost. Or: Stolen."
    assert response["content"]["application/problem+json"]["schema"].keys() == {"anyOf"}


def test_a_strict_body_says_so() -> None:
    body = operation("/customers", "post")["requestBody"]["content"]["application/json"]
    assert body["schema"]["unevaluatedProperties"] is False


def test_an_app_may_have_types_named_like_problems() -> None:
    from msgspec import defstruct

    named = Answer(200, defstruct("Invalid", [("a", int)]), "application/json")
    one = Operation("a", "GET", "/a", parameters=(Parameter("n", "query", int),), answer=named)
    made = document(Contract("c", "1", operations=(one,)))
    validate(made)
    assert {"Invalid", "InvalidProblem"} <= made["components"]["schemas"].keys()


def test_an_empty_contract() -> None:
    validate(document(Contract("empty", "0")))
