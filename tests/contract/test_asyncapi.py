"""The AsyncAPI document by the rules of AsyncAPI 3.0 that it has to do with.

No package of Python's carries the specification's own JSON Schema, so its rules for what we write
are here: what each object may hold, and that every reference leads somewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import jsonschema
from msgspec import Struct
from pydantic import BaseModel, Field

from skerry import event
from skerry.bus.event import EventType, event_type
from skerry.contract import asyncapi, openapi
from skerry.contract.operation import Answer, Contract, Event, Operation, Reception

OBJECTS = {
    "document": {
        *("asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations"),
        "components",
    },
    "info": {"title", "version", "description"},
    "channel": {"address", "messages", "title", "summary", "description"},
    "operation": {"action", "channel", "messages", "title", "summary", "description"},
    "message": {
        *("headers", "payload", "contentType", "name", "title", "summary", "description"),
        "traits",
    },
    "trait": {"headers", "contentType", "name", "title", "summary", "description"},
    "components": {"schemas", "messages", "messageTraits"},
}
NAME = re.compile(r"[A-Za-z0-9._-]+")


class Money(Struct):
    """An amount."""

    amount: Decimal
    currency: str = "EUR"


class Payer(Struct, rename="camel"):
    account_id: str


@event("payments.settled", key="payment_id")
class Settled(Struct, rename="camel"):
    """A payment was settled.

    Nothing can stop it now.

    Attributes:
        payment_id: whose.
    """

    payment_id: str
    paid: Money


@event("payments.settled", version=2, key="payer.account_id")
class SettledToo(Struct):
    payer: Payer | None
    paid: Money


@event("schools.moved", key="school")
class Moved(BaseModel):
    school: str = Field(alias="schoolId")


@event("ledger.balanced")
@dataclass
class Balanced:
    difference: Decimal


def kind(cls: type[Any]) -> EventType:
    return event_type(cls)


CONTRACT = Contract(
    "ledger",
    "2.1.0",
    "Books.",
    sends=(kind(Balanced), kind(SettledToo)),
    receives=(
        Reception("book", (kind(Settled), kind(SettledToo)), "Book it.", "Twice over."),
        Reception("note", (kind(Moved), kind(Settled))),
    ),
)


def test_valid_by_the_rules_of_asyncapi() -> None:
    valid(asyncapi.document(CONTRACT))


def valid(document: dict[str, Any]) -> None:
    only("document", document)
    assert document["asyncapi"] == "3.0.0"
    only("info", document["info"])
    assert document["info"]["title"]
    assert document["info"]["version"]
    for channel in document["channels"].values():
        only("channel", channel)
        for message in channel["messages"].values():
            assert resolved(document, message)
    for operation in document["operations"].values():
        only("operation", operation)
        assert operation["action"] in ("send", "receive")
        reference = operation["channel"]["$ref"]
        channel = resolved(document, operation["channel"])
        for message in operation["messages"]:  # of the channel, and not of the components
            assert message["$ref"].startswith(f"{reference}/messages/")
            assert message["$ref"].rpartition("/")[2] in channel["messages"]
    only("components", document["components"])
    for section in document["components"].values():
        assert all(NAME.fullmatch(name) for name in section)
    for message in document["components"]["messages"].values():
        only("message", message)
        for trait in message["traits"]:
            only("trait", resolved(document, trait))
        jsonschema.Draft202012Validator.check_schema(message["payload"])
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in references(document):
        assert resolved(document, {"$ref": reference}) is not None


def only(what: str, found: dict[str, Any]) -> None:
    assert {key for key in found if not key.startswith("x-")} <= OBJECTS[what]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(document: dict[str, Any], reference: dict[str, str]) -> Any:
    found: Any = document
    for step in reference["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_channels_messages_and_operations() -> None:
    document = asyncapi.document(CONTRACT)
    channels = document["channels"]
    assert list(channels) == ["ledger.balanced", "payments.settled", "schools.moved"]
    assert channels["payments.settled"] == {
        "address": "payments.settled",
        "messages": {
            "payments.settled.v2": {"$ref": "#/components/messages/payments.settled.v2"},
            "payments.settled.v1": {"$ref": "#/components/messages/payments.settled.v1"},
        },
    }
    operations = document["operations"]
    assert list(operations) == [
        "receive.book.payments.settled",
        "receive.note.payments.settled",
        "receive.note.schools.moved",
        "send.ledger.balanced",
        "send.payments.settled",
    ]
    assert operations["receive.book.payments.settled"] == {
        "action": "receive",
        "channel": {"$ref": "#/channels/payments.settled"},
        "messages": [
            {"$ref": "#/channels/payments.settled/messages/payments.settled.v1"},
            {"$ref": "#/channels/payments.settled/messages/payments.settled.v2"},
        ],
        "summary": "Book it.",
        "description": "Twice over.",
    }
    message = document["components"]["messages"]["payments.settled.v1"]
    assert (message["name"], message["title"]) == ("payments.settled.v1", "Settled")
    assert message["summary"] == "A payment was settled."
    assert message["payload"] == {"$ref": "#/components/schemas/Settled"}
    trait = resolved(document, message["traits"][0])
    assert list(trait["headers"]["properties"]) == ["traceparent", "tracestate", "baggage"]
    schema = document["components"]["schemas"]["Settled"]
    assert schema["description"] == "A payment was settled.\n\nNothing can stop it now."
    assert schema["properties"]["paymentId"]["description"] == "whose."


def test_the_key_is_a_place_in_the_payload_as_it_is_sent() -> None:
    messages = asyncapi.document(CONTRACT)["components"]["messages"]
    keys = {name: message.get("x-key") for name, message in messages.items()}
    assert keys == {
        "ledger.balanced.v1": None,
        "payments.settled.v1": "$message.payload#/paymentId",
        "payments.settled.v2": "$message.payload#/payer/accountId",
        "schools.moved.v1": "$message.payload#/schoolId",
    }


def test_the_same_however_often_it_is_made() -> None:
    assert json.dumps(asyncapi.document(CONTRACT)) == json.dumps(asyncapi.document(CONTRACT))


def test_two_classes_of_one_event_are_both_there() -> None:
    @event("payments.settled")
    class OnlyTheId(Struct):
        payment_id: str

    other: Event = kind(OnlyTheId)
    document = asyncapi.document(
        Contract("x", "1", sends=(kind(Settled),), receives=(Reception("hear", (other,)),))
    )
    valid(document)
    messages = document["components"]["messages"]
    assert list(messages) == ["payments.settled.v1", "payments.settled.v1-2"]
    assert {message["name"] for message in messages.values()} == {"payments.settled.v1"}


def test_openapi_says_where_the_events_are_and_describes_types_alike() -> None:
    operation = Operation("get", "GET", "/x", answer=Answer(200, Settled, "application/json"))
    whole = openapi.document(replace(CONTRACT, operations=(operation,)))
    assert whole["x-asyncapi"] == "asyncapi.json"
    events = asyncapi.document(CONTRACT)
    assert whole["components"]["schemas"]["Settled"] == events["components"]["schemas"]["Settled"]
    assert "x-asyncapi" not in openapi.document(Contract("x", "1", operations=(operation,)))
