from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from skerry.clients.document import load
from skerry.clients.dynamic import connect
from skerry.core.errors import NotFound, Problem, UnexpectedResponse
from skerry.core.wire import Headers, Request, Response

from .support import TORTURE, FakeApp, document, getting

CONTRACT = json.loads(json.dumps(load(TORTURE).files[""]))
CAT = {"petType": "cat", "id": "12345678-1234-5678-1234-567812345678", "lives": 7}


class Serving(FakeApp):
    """A fake app that has a contract."""

    def __init__(self, contract: Any = CONTRACT) -> None:
        super().__init__()
        self.contract = contract
        self.reads = 0

    async def __call__(self, request: Request, /) -> Response:
        if request.path != "/openapi.json":
            return await super().__call__(request)
        self.reads += 1
        await asyncio.sleep(0)
        if isinstance(self.contract, Response):
            return self.contract
        return Response(200, Headers(), json.dumps(self.contract).encode())


async def test_it_behaves_like_the_generated_one() -> None:
    app = Serving()
    app.answer({**CAT, "born": "2020-02-03", "owner": {"name": "Zoë", "friends": [None]}})
    client = connect(app, "torture")
    cat = await client.get_pet("x", x_tenant="t", class_="y")
    assert (cat.lives, cat.pet_type, cat.owner.name, cat.owner.friends) == (7, "cat", "Zoë", [None])
    assert cat.born.year == 2020
    assert app.last.target == "/api/pets/x?class=y"
    app.answer({"type": "urn:problem-type:pet-unknown", "pet_id": "x"}, 404)
    with pytest.raises(Problem) as caught:
        await client.get_pet("x", x_tenant="t")
    assert type(caught.value).__name__ == "PetUnknown"
    assert caught.value.pet_id == "x"  # type: ignore[attr-defined]
    assert app.reads == 1
    assert {"get_pet", "create_pet"} <= set(dir(client))


async def test_bodies_as_dicts_and_as_the_contracts_types() -> None:
    app = Serving()
    client = connect(app, "torture")
    types = await client.contract()
    pet = types["NewPet"](name="x", fee="1.5", kind=types["Kind"].CAT)
    for body in (pet, {"name": "x", "fee": "1.5", "kind": "cat"}):
        app.answer({"name": "x", "fee": "1.5", "kind": "cat"}, 201)
        assert (await client.create_pet(body)).kind is types["Kind"].CAT
        assert json.loads(app.last.body) == {"name": "x", "fee": "1.5", "kind": "cat"}  # type: ignore[arg-type]
        assert app.last.headers.get("idempotency-key")


async def test_the_contract_is_read_once_for_all_who_wait() -> None:
    app = Serving()
    client = connect(app, "torture")
    for _ in range(5):
        app.answer({"value": 1})
    await asyncio.gather(*(client.search() for _ in range(5)))
    assert app.reads == 1


async def test_who_gives_up_does_not_take_it_from_the_others() -> None:
    app = Serving()
    client = connect(app, "torture")
    app.answer({"value": 1})
    first, second = asyncio.create_task(client.search()), asyncio.create_task(client.search())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).value == 1
    assert app.reads == 1


async def test_an_unknown_operation_is_named_with_its_neighbours() -> None:
    client = connect(Serving(), "torture")
    with pytest.raises(AttributeError, match="'get_pets'; there is get_pet"):
        await client.get_pets("x")
    with pytest.raises(AttributeError, match="no operation 'watch_pet'"):
        client.watch_pet  # noqa: B018
    assert not hasattr(client, "__wrapped__")


async def test_arguments_are_checked_like_a_functions() -> None:
    client = connect(Serving(), "torture")
    with pytest.raises(TypeError, match="get_pet: missing a required argument: 'pet_id'"):
        await client.get_pet(x_tenant="t")
    with pytest.raises(TypeError, match="unexpected keyword argument 'nope'"):
        await client.get_pet("x", x_tenant="t", nope=1)


async def test_a_contract_that_has_moved_on_is_read_again() -> None:
    app = Serving(document(getting({"type": "integer"})))
    client = connect(app, "things")
    app.answer(1)
    assert await client.get_thing() == 1
    moved = json.loads(json.dumps(app.contract).replace("/thing", "/v2/thing"))
    app.contract = moved
    app.answer({"title": "x"}, 404).answer(2)
    assert await client.get_thing() == 2
    assert app.last.path == "/v2/thing"
    assert app.reads == 2


async def test_not_found_under_the_same_contract_is_just_that() -> None:
    contract = document(getting({"type": "integer"}))
    problem = {"type": "object", "properties": {"type": {}, "title": {}}}
    other = {"description": "", "content": {"application/problem+json": {"schema": problem}}}
    contract["paths"]["/thing"]["get"]["responses"]["default"] = other
    app = Serving(contract)
    app.answer({"title": "x", "type": "about:blank"}, 404)
    with pytest.raises(NotFound):
        await connect(app, "things").get_thing()
    assert app.reads == 2


@pytest.mark.parametrize(
    "answer",
    [
        Response(500, Headers(), b"no"),
        Response(200, Headers(), b"<html>"),
        Response(200, Headers(), b'{"openapi":"2.0"}'),
        Response(200, Headers(), b'{"openapi":"3.1.0","paths":{"/x":{"get":3}}}'),
    ],
)
async def test_a_contract_that_cannot_be_read(answer: Response) -> None:
    app = Serving(answer)
    client = connect(app, "things")
    with pytest.raises(UnexpectedResponse, match="things"):
        await client.get_thing()
    app.contract = document(getting({"type": "integer"}))
    app.answer(3)
    assert await client.get_thing() == 3
