"""The AsyncAPI document by the specification's own JSON Schema, and by what that cannot say: that
references lead to where they have to, and that payloads are what the codecs write.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID, uuid4

import jsonschema
import pytest
from annotated_types import Gt
from msgspec import UNSET, Meta, Struct, UnsetType, structs
from pydantic import BaseModel, Field

from skerry import App, Attempt, Bus, Retries, Tick, event
from skerry.bus.event import EventType, event_type
from skerry.contract import asyncapi, openapi
from skerry.contract.operation import Answer, Contract, Event, Operation, Reception

# The specification's own JSON Schema: no package of Python's carries it.
SPECIFICATION = os.environ.get("ASYNCAPI_SCHEMA", "")
OFFICIAL = (
    jsonschema.Draft7Validator(json.loads(Path(SPECIFICATION).read_bytes()))
    if SPECIFICATION
    else None
)
NO_SCHEMA = (
    "no schema of AsyncAPI 3.0: `npm pack @asyncapi/specs`, and let ASYNCAPI_SCHEMA name its "
    "schemas/3.0.0.json; then all of these tests hold their documents against it"
)
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
    if OFFICIAL is not None:
        OFFICIAL.validate(document)
    for channel in document["channels"].values():
        for message in channel["messages"].values():
            assert resolved(document, message)
    for operation in document["operations"].values():
        reference = operation["channel"]["$ref"]
        channel = resolved(document, operation["channel"])
        for message in operation["messages"]:  # of the channel, and not of the components
            assert message["$ref"].startswith(f"{reference}/messages/")
            assert message["$ref"].rpartition("/")[2] in channel["messages"]
    for section in document["components"].values():
        assert all(NAME.fullmatch(name) for name in section)
    for reference in references(document):
        assert resolved(document, {"$ref": reference}) is not None


@pytest.mark.skipif(OFFICIAL is None, reason=NO_SCHEMA)
@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("", {"asyncapi": "2.6.0"}),
        ("info", {"title": 7}),
        ("channels/payments.settled", {"topic": "payments.settled"}),
        ("operations/send.payments.settled", {"action": "shout"}),
        ("components/messages/payments.settled.v1", {"payload": 3}),
        ("components/messages/payments.settled.v1", {"key": "payment_id"}),
        ("components/schemas/Settled", {"properties": 3}),
        ("components/schemas/Settled", {"discriminator": {"propertyName": "type"}}),
    ],
)
def test_what_is_not_valid_is_found(place: str, wrong: dict[str, Any]) -> None:
    document = asyncapi.document(CONTRACT)
    found: Any = document
    for step in filter(None, place.split("/")):
        found = found[step]
    found |= wrong
    with pytest.raises(jsonschema.ValidationError):
        valid(document)


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


class Colour(Enum):
    RED = "r"
    GREEN = "g"


class Transfer(Struct, tag="transfer"):
    iban: str


class Card(Struct, tag="card"):
    digits: str


class Note(TypedDict, total=False):
    text: str


class Corner(BaseModel):
    at: tuple[int, str]


@event("shop.everything", key="payer.accountId", version=3)
class Everything(Struct, rename="camel", forbid_unknown_fields=True):
    """Every kind of value that an event can have.

    Attributes:
        id: whose.
    """

    id: str
    payer: Payer
    at: datetime
    on: date
    raw: bytes
    paid_with: Transfer | Card
    before: dict[str, list[Transfer | Card]]
    pair: tuple[int, str]
    many: tuple[int, ...]
    some: set[int]
    colour: Colour
    word: Literal["a", 1]
    note: Note
    corner: Corner
    amount: Annotated[Decimal, Gt(0)]
    short: Annotated[str, Meta(min_length=1, pattern="^x", examples=["x"], title="S")]
    maybe: int | None = None
    unset: int | UnsetType = UNSET
    uuid: UUID | None = None
    anything: Any = None
    long: timedelta = timedelta(days=1)
    inside: Everything | None = None


def shop() -> App:
    """An app with all that events can have."""
    app = App("shop", "3.2.1", description="Sells.")
    app.publishes(Everything, Settled, SettledToo, Balanced)

    @app.on(Settled, SettledToo, concurrency=2, retries=Retries(attempts=3))
    async def book(settled: Settled | SettledToo, attempt: Attempt, bus: Bus) -> None:
        """Book it, in a while.

        Not before.
        """
        await bus.publish(Balanced(Decimal(0)), delay=60)

    @app.on(Everything, ordered=False)
    def keep(everything: Everything) -> None: ...

    @app.every("10m")
    async def balance(tick: Tick) -> None:
        """Whether it balances."""

    @app.get("/orders/{id}")
    async def order(id: str) -> Money:
        raise NotImplementedError

    return app


def test_an_app_with_everything_is_valid() -> None:
    document = asyncapi.document(shop().contract())
    valid(document)
    assert set(document["components"]["messages"]) == {
        *("shop.everything.v3", "payments.settled.v1", "payments.settled.v2"),
        "ledger.balanced.v1",
    }


def test_a_payload_is_what_is_written() -> None:
    """By a reader of JSON Schema draft 7, which AsyncAPI's schemas are."""
    document = asyncapi.document(shop().contract())
    sent = Everything(
        *("e1", Payer("a1"), datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1)),
        *(b"raw", Card("42"), {"x": [Transfer("DE"), Card("7")]}, (1, "a"), (1, 2), {3}),
        *(Colour.RED, "a", {"text": "t"}, Corner(at=(1, "a")), Decimal("1.5"), "xy"),
        uuid=uuid4(),
    )
    body = json.loads(event_type(Everything).codec.encode(structs.replace(sent, inside=sent)))
    schema = {**document, "$ref": "#/components/schemas/Everything"}
    validator = jsonschema.Draft7Validator(schema)
    validator.validate(body)
    for wrong in ({"pair": [1]}, {"pair": ["a", 1]}, {"pair": [1, "a", 2]}, {"colour": "blue"}):
        assert not validator.is_valid(body | wrong)
    assert not validator.is_valid(body | {"paidWith": {"type": "cash"}})


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
