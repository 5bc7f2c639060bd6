from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from skerry.clients.runtime import Client, Endpoint, path, query
from skerry.core.clock import ManualClock
from skerry.core.errors import (
    ConfigError,
    ConnectionLost,
    Invalid,
    NotFound,
    Problem,
    UnexpectedResponse,
)
from skerry.core.service import apply
from skerry.core.wire import Headers, Request, Response
from skerry.filters.budget import RetryBudget
from skerry.filters.retry import Retrier, RetrySettings
from skerry.telemetry.metrics import Metrics

from .support import FakeApp, document, generated, getting

CAT = {"petType": "cat", "id": "12345678-1234-5678-1234-567812345678", "lives": 7}


async def test_a_call_is_written_and_its_answer_read(torture: ModuleType) -> None:
    app = FakeApp().answer({**CAT, "born": None, "owner": {"name": "Zoë"}})
    cat = await torture.Torture(app).get_pet("a b/c", x_tenant="acme", class_="x y", session="s=1")
    assert isinstance(cat, torture.Cat)
    assert (cat.id, cat.born, cat.owner.name) == (UUID(CAT["id"]), None, "Zoë")
    assert cat.pet_type == "cat"
    sent = app.last
    assert (sent.method, sent.path, sent.query) == ("GET", "/api/pets/a%20b%2Fc", "class=x%20y")
    assert sent.route == "get_pet"
    assert sent.headers.get("x-tenant") == "acme"
    assert sent.headers.get("cookie") == "session=s%3D1"
    assert sent.headers.get("authorization") is None


async def test_a_default_is_left_to_the_server(torture: ModuleType) -> None:
    app = FakeApp().answer(CAT).answer(CAT)
    client = torture.Torture(app)
    await client.get_pet("x", x_tenant="t", trace=3)
    assert app.last.query == ""
    await client.get_pet("x", x_tenant="t", trace=0)
    assert app.last.query == "trace=0"


async def test_an_empty_path_parameter_would_be_another_path(torture: ModuleType) -> None:
    app = FakeApp()
    with pytest.raises(ValueError, match="pet-id"):
        await torture.Torture(app).get_pet("", x_tenant="t")
    assert app.requests == []


async def test_a_header_cannot_bring_another(torture: ModuleType) -> None:
    with pytest.raises(ValueError, match="line break"):
        await torture.Torture(FakeApp()).get_pet("x", x_tenant="a\r\nevil: 1")


async def test_styles_of_lists_and_objects(torture: ModuleType) -> None:
    app = FakeApp().answer([])
    where = torture.ListFilter(name="a&b", age=torture.ListFilterAge(gte=3))
    answer = await torture.Torture(app).list_(
        filter=where, tags=["x", "y z"], ids=[1, 2], where={"a": [True]}, order="desc"
    )
    assert answer == []
    assert app.last.query.split("&") == [
        "filter%5Bname%5D=a%26b",
        "filter%5Bage%5D%5Bgte%5D=3",
        "tags=x",
        "tags=y%20z",
        "ids=1%2C2",
        "order=desc",
        "where=%7B%22a%22%3A%5Btrue%5D%7D",
    ]


async def test_absent_and_null_are_two_things_both_ways(torture: ModuleType) -> None:
    sent = torture.NewPet(name="Rex", fee=Decimal("1.10"), kind=torture.Kind.DOG, nick=None)
    back = {"name": "Rex", "fee": "1.10", "kind": "+1", "size": None, "photo": "aGk="}
    app = FakeApp().answer(back, 201)
    pet = await torture.Torture(app).create_pet(sent)
    assert app.last.body == b'{"name":"Rex","fee":"1.10","kind":"dog","nick":null}'
    assert pet.nick is torture.UNSET
    assert pet.size is None
    assert (pet.kind, pet.fee, pet.photo) == (torture.Kind.PLUS_1, Decimal("1.10"), b"hi")


async def test_an_idempotency_key_is_made_for_each_call(torture: ModuleType) -> None:
    pet = torture.NewPet(name="x", fee=Decimal(1), kind=torture.Kind.CAT)
    back = {"name": "x", "fee": "1", "kind": "cat"}
    app = FakeApp()
    for _ in range(3):
        app.answer(back, 201)
    client = torture.Torture(app)
    await client.create_pet(pet)
    await client.create_pet(pet)
    await client.create_pet(pet, idempotency_key="mine")
    keys = [r.headers.get("idempotency-key") for r in app.requests]
    assert keys[2] == "mine"
    assert len(set(keys)) == 3
    assert all(request.repeatable for request in app.requests)


async def test_every_attempt_of_a_call_has_the_same_key(torture: ModuleType) -> None:
    keys: list[str | None] = []

    async def breaks(request: Request) -> Response:
        keys.append(request.headers.get("idempotency-key"))
        if len(keys) % 3:
            raise ConnectionLost("after it was sent")
        headers = Headers.of({"content-type": "application/json"})
        return Response(201, headers, b'{"name":"x","fee":"1","kind":"cat"}')

    settings, clock = RetrySettings(attempts=3), ManualClock()
    retry = Retrier(settings, RetryBudget(settings.budget, clock), Metrics(), clock=clock)
    client = torture.Torture(apply(retry, breaks))
    pet = torture.NewPet(name="x", fee=Decimal(1), kind=torture.Kind.CAT)
    for _ in range(2):
        call = asyncio.ensure_future(client.create_pet(pet))
        await clock.advance(60.0)
        assert (await call).name == "x"
    assert len(keys) == 6
    first, second = keys[:3], keys[3:]
    assert None not in keys
    assert len(set(first)) == len(set(second)) == 1
    assert first != second


async def test_json_goes_before_a_stream_of_it(tmp_path: Path) -> None:
    paths = getting({"type": "integer"})
    content = paths["/thing"]["get"]["responses"]["200"]["content"]
    paths["/thing"]["get"]["responses"]["200"]["content"] = {
        "text/event-stream": {"schema": {"type": "string"}},
        **content,
    }
    made = generated(document(paths), tmp_path)
    app = FakeApp().answer(3)
    assert await made.Things(app).get_thing() == 3
    assert "event-stream" not in (app.last.headers.get("accept") or "")


async def test_problems_by_type(torture: ModuleType) -> None:
    document = {"type": "urn:problem-type:pet-asleep", "title": "x", "status": 409}
    app = FakeApp().answer({**document, "until": "2026-01-02T03:04:05Z", "detail": "Zzz"}, 409)
    with pytest.raises(torture.PetAsleep, match="Zzz") as caught:
        await torture.Torture(app).get_pet("x", x_tenant="t")
    assert caught.value.until == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert caught.value.status == 409
    assert "answered by torture to get_pet" in caught.value.__notes__


async def test_problems_by_status_where_the_type_says_nothing(torture: ModuleType) -> None:
    app = FakeApp().answer({"pet_id": "x"}, 404)
    with pytest.raises(torture.PetUnknown) as caught:
        await torture.Torture(app).get_pet("x", x_tenant="t")
    assert caught.value.pet_id == "x"


async def test_the_platforms_own_problems_are_its_own(torture: ModuleType) -> None:
    fault = {"pointer": "#/name", "detail": "too short"}
    kind = {"type": "urn:problem-type:invalid-request", "title": "x", "status": 422}
    app = FakeApp().answer({**kind, "errors": [fault]}, 422)
    with pytest.raises(Invalid) as caught:
        await torture.Torture(app).get_pet("x", x_tenant="t")
    assert caught.value.errors[0].pointer == "#/name"


async def test_any_other_problem_has_its_status(torture: ModuleType) -> None:
    app = FakeApp().answer({"title": "Too many", "type": "urn:x"}, 429)
    app.answer({"detail": "not here"}, 403)
    client = torture.Torture(app)
    with pytest.raises(Problem) as caught:
        await client.get_pet("x", x_tenant="t")
    assert (caught.value.status, caught.value.title, caught.value.type) == (
        429,
        "Too many",
        "urn:x",
    )
    with pytest.raises(Problem, match="not here"):
        await client.get_pet("x", x_tenant="t")


async def test_an_error_body_of_their_own(torture: ModuleType) -> None:
    body = {"message": "no", "status": "bad", "detail": [{"value": [1, "x"]}]}
    app = FakeApp().answer(body, 418)
    pet = torture.NewPet(name="x", fee=Decimal(1), kind=torture.Kind.CAT)
    with pytest.raises(torture.CreatePetError, match="no") as caught:
        await torture.Torture(app).create_pet(pet)
    assert caught.value.status == 418
    assert caught.value.status_ == "bad"
    assert caught.value.detail_[0].value == [1, "x"]


@pytest.mark.parametrize(
    ("status", "body", "media_type", "said"),
    [
        (200, b"<html>", "text/html", "text/html"),
        (200, b'{"petType":"cat"}', "application/json", "id"),
        (200, b'{"petType":"cow"}', "application/json", "cow"),
        (418, b"<html>teapot", "text/html", "418"),
        (302, b"", "text/plain", "302"),
        (409, b'{"type":"urn:problem-type:pet-asleep"}', "application/json", "until"),
    ],
)
async def test_what_the_contract_does_not_speak_of(
    torture: ModuleType, status: int, body: bytes, media_type: str, said: str
) -> None:
    app = FakeApp().answer(body, status, media_type)
    client = torture.Torture(app)
    with pytest.raises(UnexpectedResponse, match=said) as caught:
        await client.get_pet("x", x_tenant="t")
    assert caught.value.response_status == status
    assert caught.value.app == "torture"
    assert caught.value.body == body


async def test_the_second_misfit_is_told_like_the_first(torture: ModuleType) -> None:
    app = FakeApp().answer(CAT).answer({**CAT, "lives": "many"})
    client = torture.Torture(app)
    await client.get_pet("x", x_tenant="t")
    with pytest.raises(UnexpectedResponse, match="#/lives"):
        await client.get_pet("x", x_tenant="t")


async def test_unions_that_nothing_tells_apart(torture: ModuleType) -> None:
    app = FakeApp().answer({"number": 3}).answer({"value": 1}).answer({"name": "n"}).answer({})
    client = torture.Torture(app)
    assert await client.search() == torture.UntoldByNumber(number=3)
    assert await client.search() == torture.Node(value=1)
    assert await client.search() == torture.UntoldByName(name="n")
    with pytest.raises(UnexpectedResponse, match="not UntoldByName"):
        await client.search()


async def test_bodies_that_are_not_json(torture: ModuleType) -> None:
    app = FakeApp().answer(b"\x89PNG", media_type="image/png").answer(status=204)
    app.answer("free").answer(status=303)
    app.answers[-1].headers.add("location", "/photo/1")
    client = torture.Torture(app)
    assert await client.get_photo(1) == b"\x89PNG"
    assert await client.put_photo(1, b"raw") is None
    assert (app.last.body, app.last.headers.get("content-type")) == (b"raw", "image/png")
    paid = await client.pay(torture.PayBody(amount=3, metadata={"a b": "c"}, expand=["x", "y"]))
    assert paid == "free"
    assert app.last.body == b"amount=3&metadata%5Ba%20b%5D=c&expand=x&expand=y"
    found = await client.upload_photo(
        1, torture.UploadPhotoBody(photo=torture.File(b"\0", 'a"b.png', "image/png"), tags=["t"])
    )
    assert (found.status, found.location) == (303, "/photo/1")
    assert isinstance(app.last.body, bytes)
    assert b'filename="a%22b.png"\r\ncontent-type: image/png\r\n\r\n\0\r\n' in app.last.body
    assert b'name="tags"\r\n\r\nt\r\n' in app.last.body


async def test_streams_both_ways(torture: ModuleType) -> None:
    events = b': hi\n\ndata: {"value": 1}\n\ndata: {"value":\ndata: "two"}\n\n'
    app = (
        FakeApp()
        .answer(events, media_type="text/event-stream")
        .answer(b"2", media_type="text/plain")
    )
    client = torture.Torture(app)
    async with await client.watch_pets() as items:
        assert [item.value async for item in items] == [1, "two"]

    async def nodes() -> AsyncIterator[Any]:
        yield torture.Node(value=1)
        yield torture.Node(value=2)

    assert await client.import_pets(nodes()) == "2"
    assert app.last.body == b'{"value":1}\n{"value":2}\n'


async def test_an_item_that_does_not_fit_ends_the_stream(torture: ModuleType) -> None:
    app = FakeApp().answer(b'data: {"value":1}\n\ndata: 3\n\n', media_type="text/event-stream")
    items = await torture.Torture(app).watch_pets()
    assert (await anext(items)).value == 1
    with pytest.raises(UnexpectedResponse, match="item 1"):
        await anext(items)


async def test_a_status_by_its_class_and_none_at_all() -> None:
    endpoint = Endpoint[int]("n", "GET", "/n", answers={"2XX": int}, raises={404: NotFound})
    app = FakeApp().answer(1, 207).answer(None, 404)
    client = Client(app)
    assert await client._call(endpoint) == 1
    with pytest.raises(NotFound):
        await client._call(endpoint)


def test_a_template_and_its_parts_agree() -> None:
    endpoint = Endpoint[None]("n", "GET", "/{a}/{b}", path("a"), answers={200: None})
    with pytest.raises(TypeError, match="'a', 'b'"):
        endpoint.request(("x",))
    late = Endpoint[None]("n", "GET", "/{a}", query("q"), path("a"), answers={200: None})
    with pytest.raises(TypeError, match=r"first|its parameters"):
        late.request(("x", "y"))


async def test_values_of_every_kind_as_text() -> None:
    kinds = Endpoint[None](
        "n", "GET", "/{a}/{b}", path("a", date), path("b", list[int]), query("c", bool),
        query("d", Decimal), answers={200: None},
    )  # fmt: skip
    request = kinds.request((date(2026, 1, 2), [1, 2], True, Decimal("1.50")))
    assert request.target == "/2026-01-02/1%2C2?c=true&d=1.50"


def test_connect_needs_a_url_from_somewhere() -> None:
    with pytest.raises(ConfigError, match="URL"):
        Client.connect()


async def test_connect_puts_the_whole_stack_around_a_url(torture: ModuleType) -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        body = b'{"number": 3}'
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/base"
        async with torture.Torture.connect(url, headers={"X-Key": "k"}) as client:
            assert (await client.search()).number == 3
    assert heads[0].startswith(b"GET /base/api/search HTTP/1.1\r\n")
    assert b"x-key: k" in heads[0].lower()
    assert b"grpc-timeout:" in heads[0].lower()


async def test_close_closes_what_connect_opened() -> None:
    closed: list[bool] = []

    async def close() -> None:
        closed.append(True)

    async def service(request: Request, /) -> Response:
        return Response(200, Headers())

    async with Client(service, close=close):
        assert not closed
    assert closed
