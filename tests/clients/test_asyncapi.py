"""Events in generated modules: what an app declares is what its listeners import."""

from __future__ import annotations

import asyncio
import json
import keyword
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct, defstruct

from skerry import App, TestClient
from skerry.bus.driver import Driver
from skerry.bus.event import event, event_type
from skerry.bus.memory import Broker, Memory
from skerry.clients.document import Document, DocumentError, load
from skerry.clients.files import check_client, update_client, write_client
from skerry.clients.made import make
from skerry.clients.operations import read
from skerry.clients.plan import plan
from skerry.contract import asyncapi, openapi
from skerry.contract.operation import Contract

from .support import generated, load_module
from .test_round_trip import same_struct


class Money(Struct):
    """An amount."""

    amount: Decimal
    currency: str = "EUR"


class Payer(Struct, rename="camel"):
    account_id: str


class Payment(Struct):
    id: str
    paid: Money


@event("payments.settled", key="payment_id")
class PaymentSettled(Struct):
    """The money of a payment is where it belongs.

    Attributes:
        payment_id: whose.
    """

    payment_id: str
    paid: Money
    note: str | None = None


@event("payments.settled", version=2, key="payer.account_id")
class PaymentSettledLater(Struct, rename="camel"):
    payer: Payer
    paid_at_once: bool = True


@event("payments.refused")
@dataclass
class Refused:
    reason: str


def payments(version: str = "1.0.0") -> App:
    app = App("payments", version)

    @app.get("/payments/{id}")
    async def get_payment(id: str) -> Payment:
        """One payment."""
        raise NotImplementedError

    return app


def contract(*sends: Any, version: str = "1.0.0", calls: bool = True) -> Contract:
    operations = payments().contract().operations if calls else ()
    return Contract("payments", version, "", operations, sends=tuple(map(event_type, sends)))


def whole(*sends: Any, version: str = "1.0.0", calls: bool = True) -> Document:
    """Both documents of an app, as the fleet hands them over."""
    said = contract(*sends, version=version, calls=calls)
    return load(openapi.document(said), events=asyncapi.document(said))


ALL = (PaymentSettled, PaymentSettledLater, Refused)


def test_events_come_with_the_client(tmp_path: Path) -> None:
    module = generated(whole(*ALL), tmp_path, "payments")
    for declared in ALL:
        ours, theirs = event_type(declared), event_type(getattr(module, declared.__name__))
        assert (theirs.topic, theirs.version, theirs.key) == (ours.topic, ours.version, ours.key)
    assert module.PaymentSettled.__doc__.startswith("The money of a payment is where it belongs.")
    assert "payment_id: whose." in module.PaymentSettled.__doc__
    assert get_type_hints(module.PaymentSettled)["paid"] is module.Money
    assert get_type_hints(module.Payment)["paid"] is module.Money  # one and the same
    assert not hasattr(module, "Money2")
    assert module.Payments.__app__ == "payments"


def test_what_is_sent_is_what_is_heard(tmp_path: Path) -> None:
    module = generated(whole(*ALL), tmp_path, "payments")
    sent = PaymentSettledLater(Payer("a1"), False)
    body = event_type(PaymentSettledLater).codec.encode(sent)
    heard = event_type(module.PaymentSettledLater)
    assert heard.codec.decode(body) == module.PaymentSettledLater(
        payer=module.Payer(account_id="a1"), paid_at_once=False
    )
    assert heard.key_of(heard.codec.decode(body)) == "a1"


async def test_a_consumer_handles_what_its_client_carries(tmp_path: Path) -> None:
    module = generated(whole(*ALL), tmp_path, "payments")
    broker, seen = Broker(), []
    sender, hearer = App("payments"), App("ledger")
    sender.publishes(PaymentSettled)

    @sender.post("/settle")
    async def settle() -> None:
        await sender.publish(PaymentSettled("p1", Money(Decimal("2.50"))))

    async def book(settled: Any) -> None:
        seen.append((settled.payment_id, settled.paid.amount, settled.note))

    book.__annotations__["settled"] = module.PaymentSettled
    hearer.on(module.PaymentSettled)(book)
    async with (
        TestClient(hearer, overrides={Driver: Memory(broker)}),
        TestClient(sender, overrides={Driver: Memory(broker)}) as client,
    ):
        assert (await client.post("/settle")).status == 204
        for _ in range(500):
            if seen:
                break
            await asyncio.sleep(0.005)
    assert seen == [("p1", Decimal("2.50"), None)]


def test_a_module_without_events_is_what_it_was(tmp_path: Path) -> None:
    said = openapi.document(contract())
    other = load(said, events={"asyncapi": "3.0.0"})
    write_client(said, tmp_path / "plain.py", "payments", origin="app:payments")
    write_client(other, tmp_path / "same.py", "payments", origin="app:payments")
    text = (tmp_path / "plain.py").read_text()
    assert text == (tmp_path / "same.py").read_text()
    assert "event" not in text


def test_events_are_part_of_what_is_stale(tmp_path: Path) -> None:
    target = tmp_path / "payments.py"
    written = write_client(whole(PaymentSettled), target, origin="app:payments")
    assert written.events == 1
    assert check_client(target, whole(PaymentSettled)) is None
    stale = check_client(target, whole(PaymentSettled, Refused))
    assert stale is not None
    assert stale.why == "contents"
    later = check_client(target, whole(PaymentSettled, version="2"))
    assert later is not None
    assert later.why == "version"
    assert update_client(target, whole(*ALL)).events == 3


def test_from_files_beside_each_other(tmp_path: Path) -> None:
    said = contract(*ALL)
    (tmp_path / "payments.json").write_text(json.dumps(openapi.document(said)))
    alone = write_client(tmp_path / "payments.json", tmp_path / "payments.py")
    assert alone.events == 0
    (tmp_path / "asyncapi.json").write_text(json.dumps(asyncapi.document(said)))
    assert check_client(tmp_path / "payments.py") is not None
    assert update_client(tmp_path / "payments.py").events == 3
    assert check_client(tmp_path / "payments.py") is None


async def test_from_urls(tmp_path: Path) -> None:
    """What is served is read whole, by either of its addresses."""
    app = payments()
    app.publishes(*ALL)
    pages = {}
    async with TestClient(app, overrides={Driver: Memory(Broker())}) as client:
        for path in ("/openapi.json", "/asyncapi.json"):
            pages[path] = (await client.get(path)).text
    with serving(pages) as url:
        written = write_client(f"{url}/openapi.json", tmp_path / "both.py", "payments")
        assert (written.operations, written.events) == (1, 3)
        written = write_client(f"{url}/asyncapi.json", tmp_path / "events.py", "payments")
        assert (written.operations, written.events) == (0, 3)
        assert check_client(tmp_path / "both.py") is None
        del pages["/asyncapi.json"]
        with pytest.raises(DocumentError, match=r"asyncapi\.json: cannot be fetched"):
            check_client(tmp_path / "both.py")


@contextmanager
def serving(pages: dict[str, str]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = pages.get(self.path, "")
            self.send_response(200 if text else 404)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_from_an_asyncapi_document_alone(tmp_path: Path) -> None:
    (tmp_path / "asyncapi.json").write_text(json.dumps(asyncapi.document(contract(*ALL))))
    written = write_client(tmp_path / "asyncapi.json", tmp_path / "payments.py", "payments")
    assert (written.operations, written.events) == (0, 3)
    module = load_module(tmp_path / "payments.py")
    assert event_type(module.PaymentSettled).name == "payments.settled.v1"
    assert not hasattr(module, "Payments")
    assert "skerry.clients" not in (tmp_path / "payments.py").read_text()
    assert check_client(tmp_path / "payments.py") is None


def test_plain_leaves_them_out_and_says_so(tmp_path: Path) -> None:
    target = tmp_path / "payments.py"
    written = write_client(whole(*ALL), target, plain=True)
    assert written.events == 0
    assert [name for name, _ in written.left_out] == [
        "payments.refused.v1",
        "payments.settled.v1",
        "payments.settled.v2",
    ]
    assert "PaymentSettled" not in target.read_text()
    assert check_client(target, whole(*ALL)) is None


def test_types_of_one_name_that_differ_are_two(tmp_path: Path) -> None:
    said = openapi.document(contract(PaymentSettled))
    said["components"]["schemas"]["Money"]["properties"]["amount"] = {"type": "integer"}
    events = asyncapi.document(contract(PaymentSettled))
    module = generated(load(said, events=events), tmp_path, "payments")
    assert get_type_hints(module.Payment)["paid"] is module.Money
    assert get_type_hints(module.PaymentSettled)["paid"] is module.Money2
    assert get_type_hints(module.Money)["amount"] is int
    assert get_type_hints(module.Money2)["amount"] is Decimal


def test_formatted_and_typed(tmp_path: Path) -> None:
    """By ruff and mypy --strict, both ways."""
    write_client(whole(*ALL), tmp_path / "payments.py")
    write_client(whole(*ALL, calls=False), tmp_path / "alone.py", "payments")
    (tmp_path / "use.py").write_text(
        "from skerry import App\n\n"
        "from payments import PaymentSettled\n\n"
        'app = App("ledger")\n\n\n'
        "@app.on(PaymentSettled)\n"
        "async def book(settled: PaymentSettled) -> None:\n"
        "    print(settled.payment_id, settled.paid.amount)\n"
    )
    for command in (
        ["ruff", "format", "--check", "--isolated", "."],
        ["ruff", "check", "--isolated", "--select", "E,F,I,UP", "."],
        ["mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "."],
    ):
        ran = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def foreign(**messages: Any) -> dict[str, Any]:
    """Another's document: one channel, no operations."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Lights", "version": "7"},
        "servers": {"production": {"host": "broker:5672", "protocol": "amqp"}},
        "channels": {"lit": {"address": "lights.lit", "messages": messages}},
    }


LUMENS = {"type": "object", "properties": {"lumens": {"type": "integer"}}, "required": ["lumens"]}


def test_what_others_write(tmp_path: Path) -> None:
    said = foreign(
        lightMeasured={
            "summary": "A light was measured.",
            "payload": {
                "schemaFormat": "application/schema+json;version=draft-07",
                "schema": LUMENS,
            },
        }
    )
    module = generated(said, tmp_path, "lights")
    found = event_type(module.LightMeasured)
    assert (found.topic, found.version, found.key) == ("lights.lit", 1, "")
    assert module.LightMeasured.__doc__ == "A light was measured."


def test_rows_and_discriminators_as_others_write_them(tmp_path: Path) -> None:
    said = foreign(
        lightMoved={
            "payload": {
                "type": "object",
                "discriminator": "kind",  # which there tells apart who extends this
                "properties": {
                    "place": {
                        "type": "array",
                        "items": [{"type": "integer"}, {"type": "string"}],
                        "additionalItems": False,
                        "minItems": 2,
                        "maxItems": 2,
                    },
                    "path": {"type": "array", "items": [{"type": "integer"}]},
                },
                "required": ["place", "path"],
            }
        }
    )
    hints = get_type_hints(generated(said, tmp_path, "lights").LightMoved)
    assert hints["place"] == tuple[int, str]
    assert hints["path"] == list[Any]


class Card(Struct, tag_field="kind", tag="credit-card"):
    digits: str


class Debit(Struct, tag_field="kind", tag="debit-card"):
    digits: str


@event("payments.made")
class Made(Struct):
    place: tuple[int, str]
    card: Card | Debit


def test_rows_and_unions_come_back(tmp_path: Path) -> None:
    """From either document: they are in other words in the one of the events."""
    body = event_type(Made).codec.encode(Made((1, "a"), Debit("42")))
    app = payments()

    @app.get("/made")
    async def made() -> Made:
        raise NotImplementedError

    app.publishes(Made)
    said = app.contract()
    both = load(openapi.document(said), events=asyncapi.document(said))
    alone = load(asyncapi.document(said))
    for name, document in {"both": both, "alone": alone}.items():
        module = generated(document, tmp_path, name)
        heard = event_type(module.Made).codec.decode(body)
        assert heard.place == (1, "a")
        assert isinstance(heard.card, module.Debit)
        assert not hasattr(module, "Made2") and not hasattr(module, "Card2")


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"payload": {"type": "string"}}, "not an object"),
        ({"payload": {"type": "array", "items": {"type": "integer"}}}, "not an object"),
        ({}, "nothing of its payload"),
        ({"payload": LUMENS, "contentType": "application/avro"}, "not JSON"),
        (
            {"payload": {"schemaFormat": "application/vnd.apache.avro;version=1.9", "schema": {}}},
            "avro",
        ),
    ],
)
def test_what_is_no_event_is_left_out_with_the_reason(message: Any, why: str) -> None:
    api = read(foreign(odd=message))
    assert api.events == []
    [(name, reason)] = api.left_out
    assert name == "odd"
    assert why in reason


@pytest.mark.parametrize("address", [None, "lights/{id}", "Lights"])
def test_addresses_that_are_no_topics(address: str | None) -> None:
    said = foreign(lit={"payload": LUMENS})
    said["channels"]["lit"]["address"] = address
    api = read(said)
    assert api.events == []
    assert "topic" in api.left_out[0][1] or "no address" in api.left_out[0][1]


def test_only_what_is_sent(tmp_path: Path) -> None:
    said = asyncapi.document(contract(PaymentSettled, Refused))
    said["operations"]["send.payments.refused"]["action"] = "receive"
    assert [event.topic for event in read(said).events] == ["payments.settled"]
    del said["operations"]["send.payments.settled"]["messages"]  # then all of its channel's
    assert [event.topic for event in read(said).events] == ["payments.settled"]


def test_messages_that_share_a_payload_are_two_classes(tmp_path: Path) -> None:
    said = foreign(lit={"payload": {"$ref": "#/components/schemas/Lumens"}})
    said["components"] = {"schemas": {"Lumens": LUMENS}}
    said["channels"]["unlit"] = {
        "address": "lights.unlit",
        "messages": {"lightGone": {"payload": {"$ref": "#/components/schemas/Lumens"}}},
    }
    module = generated(said, tmp_path, "lights")
    assert event_type(module.Lumens).topic == "lights.lit"
    assert event_type(module.LightGone).topic == "lights.unlit"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"asyncapi": "2.6.0", "info": {}}, "2.6.0 is not supported; 3.0 is"),
        ({"asyncapi": "3.0.0", "info": 1}, "an object is expected"),
        ({"asyncapi": "3.0.0", "info": {}, "operations": {"x": 1}}, "an object is expected"),
        (
            {"asyncapi": "3.0.0", "info": {}, "operations": {"x": {"$ref": "#/nowhere"}}},
            "points to nothing",
        ),
    ],
)
def test_documents_that_cannot_be_read(said: Any, why: str) -> None:
    with pytest.raises(DocumentError, match=why):
        read(said)


NAMES = st.from_regex(r"[a-z]{1,6}(_[a-z]{1,6})?", fullmatch=True).filter(
    lambda name: (
        name not in {"bool", "bytes", "dict", "float", "int", "list", "str", "dt"}
        and name not in {"field", "property", "self", "cls"}
        and name.isidentifier()
        and not keyword.iskeyword(name)
    )
)
TYPES = st.recursive(
    st.sampled_from([str, int, bool, float, Decimal, bytes, Money]),
    lambda inner: st.one_of(
        inner.map(lambda kind: list[kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: dict[str, kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: kind | None),
    ),
    max_leaves=3,
)
TOPICS = st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}){0,2}", fullmatch=True)


@st.composite
def declarations(draw: st.DrawFn) -> list[type[Any]]:
    found = []
    names = draw(
        st.lists(st.tuples(TOPICS, st.integers(1, 9)), min_size=1, unique=True, max_size=4)
    )
    for number, (topic, version) in enumerate(names):
        fields = draw(st.dictionaries(NAMES, TYPES, max_size=4))
        key = draw(st.sampled_from(["", *fields]))
        made = defstruct(f"Event{number}", list(fields.items()), module=__name__)
        found.append(event(topic, version=version, key=key)(made))
    return found


@given(declared=declarations(), calls=st.booleans())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_an_app_declares_comes_back(
    declared: list[type[Any]], calls: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    document = whole(*declared, calls=calls)
    folder = tmp_path_factory.getbasetemp() / "events"
    for module in spaces(document, folder):
        for kind in declared:
            ours, theirs = event_type(kind), event_type(getattr(module, kind.__name__))
            assert (ours.topic, ours.version, ours.key) == (
                *(theirs.topic, theirs.version, theirs.key),
            )
            same_struct(kind, theirs.type, module, frozenset({kind}))


def spaces(document: Document, folder: Path) -> Iterator[Any]:
    """The types as they are written and as they are made."""
    yield generated(document, folder, "payments")
    yield SimpleNamespace(**make(plan(read(document), "payments")).types)
