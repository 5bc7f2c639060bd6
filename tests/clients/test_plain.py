from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from skerry.clients.files import write_client

from .support import TORTURE, document, generated, getting

httpx = pytest.importorskip("httpx", reason="plain clients need httpx: pip install httpx")
CAT = {"petType": "cat", "id": "12345678-1234-5678-1234-567812345678", "lives": 7}


def answering(*answers: Any) -> tuple[Callable[[Any], Any], list[Any]]:
    """An httpx handler that answers in turn, and what it was asked."""
    asked: list[Any] = []
    pending = list(answers)

    def handle(request: Any) -> Any:
        request.read()
        asked.append(request)
        return pending.pop(0)

    return handle, asked


def sync(module: ModuleType, *answers: Any) -> tuple[Any, list[Any]]:
    handle, asked = answering(*answers)
    http = httpx.Client(transport=httpx.MockTransport(handle))
    return module.PlainTortureSync(http=http, headers={"authorization": "Bearer x"}), asked


def test_it_needs_nothing_of_skerry(tmp_path: Path) -> None:
    write_client(TORTURE, tmp_path / "torture.py", plain=True)
    ours = "[m for m in sys.modules if m.startswith(('skerry', 'msgspec'))]"
    code = f"import sys, torture; print({ours})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_calls_without_await(plain: ModuleType) -> None:
    client, asked = sync(plain, httpx.Response(200, json={**CAT, "owner": {"name": "Zoë"}}))
    cat = client.get_pet("a/b", x_tenant="acme", class_="y")
    assert (cat.lives, cat.owner.name, cat.pet_type) == (7, "Zoë", "cat")
    assert cat.born is plain.UNSET
    sent = asked[0]
    assert str(sent.url) == "https://eu.example.com/api/pets/a%2Fb?class=y"
    assert (sent.headers["x-tenant"], sent.headers["authorization"]) == ("acme", "Bearer x")


async def test_calls_with_await(plain: ModuleType) -> None:
    back = {
        "name": "x",
        "fee": "1.50",
        "kind": "+1",
        "size": None,
        "createdAt": "2026-01-02T03:04:05Z",
    }
    handle, asked = answering(httpx.Response(201, json=back))
    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    async with plain.PlainTorture("http://test", http=http) as client:
        pet = plain.NewPet(name="x", fee=Decimal("1.50"), kind=plain.Kind.CAT, nick=None)
        made = await client.create_pet(pet)
    assert json.loads(asked[0].content) == {"name": "x", "fee": "1.50", "kind": "cat", "nick": None}
    assert asked[0].headers["idempotency-key"]
    assert (made.kind, made.fee, made.size) == (plain.Kind.PLUS_1, Decimal("1.50"), None)
    assert made.created_at.year == 2026


def test_durations_and_tuples(tmp_path: Path) -> None:
    row = [{"type": "integer"}, {"type": "string"}]
    properties = {
        "took": {"type": "string", "format": "iso8601-duration"},
        "row": {"type": "array", "prefixItems": row, "minItems": 2, "maxItems": 2},
    }
    paths = getting({"type": "object", "properties": properties, "required": [*properties]})
    made = generated(document(paths), tmp_path, plain=True)
    thing = made.GetThingResponse
    for text, took in {
        "P1DT2H3M4.5S": timedelta(1, 4.5, hours=2, minutes=3),
        "-PT0.000001S": -timedelta(microseconds=1),
        "P2D": timedelta(2),
    }.items():
        value = made.decode(thing, {"took": text, "row": [1, "x"]})
        assert value == thing(took=took, row=(1, "x"))
        assert made.decode(thing, made.encode(value)) == value
        assert msgspec.convert(made.encode(value)["took"], timedelta) == took
    for wrong in ({"took": "1h", "row": [1, "x"]}, {"took": "P1D", "row": [1]}):
        with pytest.raises(ValueError, match="#/"):
            made.decode(thing, wrong)


def test_problems(plain: ModuleType) -> None:
    asleep = {
        "type": "urn:problem-type:pet-asleep",
        "until": "2026-01-02T03:04:05Z",
        "detail": "Zz",
    }
    client, _ = sync(
        plain,
        httpx.Response(409, json=asleep),
        httpx.Response(429, json={"title": "Too many"}),
        httpx.Response(302),
        httpx.Response(200, json={**CAT, "lives": "x"}),
    )
    with pytest.raises(plain.PetAsleep, match="409 Zz") as caught:
        client.get_pet("x", x_tenant="t")
    assert caught.value.until.year == 2026
    with pytest.raises(plain.Problem, match="429 Too many"):
        client.get_pet("x", x_tenant="t")
    with pytest.raises(plain.UnexpectedResponse, match="302"):
        client.get_pet("x", x_tenant="t")
    with pytest.raises(plain.UnexpectedResponse, match="#/lives is not int"):
        client.get_pet("x", x_tenant="t")


def test_bodies_and_streams(plain: ModuleType) -> None:
    events = b'data: {"value": 1}\n\ndata: {"value": "two"}\n\n'
    client, asked = sync(
        plain,
        httpx.Response(200, content=events, headers={"content-type": "text/event-stream"}),
        httpx.Response(200, json="paid"),
        httpx.Response(303, headers={"location": "/photo/1"}),
        httpx.Response(200, content=b"\x89PNG"),
        httpx.Response(200, json={"number": 3}),
        httpx.Response(200, json=[]),
    )
    assert [item.value for item in client.watch_pets()] == [1, "two"]
    client.pay(plain.PayBody(amount=3, metadata={"a b": "c"}, expand=["x", "y"]))
    assert asked[-1].content == b"amount=3&metadata%5Ba%20b%5D=c&expand=x&expand=y"
    photo = plain.File(b"\0", "b.png", "image/png")
    assert client.upload_photo(1, plain.UploadPhotoBody(photo=photo)).location == "/photo/1"
    assert b'filename="b.png"' in asked[-1].content
    assert client.get_photo(1) == b"\x89PNG"
    assert client.search() == plain.UntoldByNumber(number=3)
    assert client.list_(filter=plain.ListFilter(name="a&b"), ids=[1, 2]) == []
    assert asked[-1].url.query == b"filter%5Bname%5D=a%26b&ids=1%2C2"
