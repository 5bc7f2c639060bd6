from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, TypedDict

import attrs
import pytest
from annotated_types import Ge, Gt, Le
from msgspec import Struct
from pydantic import BaseModel

from skerry.app import App
from skerry.app.markers import Body, Cookie, Header, Query
from skerry.app.testclient import TestClient
from skerry.core.errors import ConfigError
from skerry.core.wire import Request


class Item(Struct):
    name: str
    price: Annotated[Decimal, Gt(0)]


@dataclasses.dataclass
class DataItem:
    name: str
    price: Decimal


@attrs.define
class AttrsItem:
    name: str
    price: Decimal


class DictItem(TypedDict):
    name: str
    price: Decimal


class ModelItem(BaseModel):
    name: str
    price: Decimal


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


async def test_arguments_come_from_where_the_rules_say() -> None:
    app = App("a")

    @app.put("/things/{thing_id}")
    async def put_thing(
        thing_id: int,
        item: Item,
        colour: Colour,
        since: date,
        request: Request,
        tags: list[str] = [],  # noqa: B006
        tenant: Annotated[str, Header("X-Tenant")] = "none",
        trace_me: Annotated[bool, Header] = False,
        session: Annotated[str | None, Cookie()] = None,
        page: Annotated[int, Ge(1), Le(9), Query("p")] = 1,
    ) -> dict[str, Any]:
        return {
            "thing_id": thing_id,
            "item": item,
            "colour": colour,
            "since": since,
            "method": request.method,
            "tags": tags,
            "tenant": tenant,
            "trace_me": trace_me,
            "session": session,
            "page": page,
        }

    async with TestClient(app) as client:
        answer = await client.put(
            "/things/7?colour=blue&since=2026-01-31&tags=a&tags=b&p=9",
            json={"name": "pen", "price": "1.50"},
            headers={"x-tenant": "acme", "trace-me": "true", "cookie": "session=s1; other=2"},
        )
        assert answer.json() == {
            "thing_id": 7,
            "item": {"name": "pen", "price": "1.50"},
            "colour": "blue",
            "since": "2026-01-31",
            "method": "PUT",
            "tags": ["a", "b"],
            "tenant": "acme",
            "trace_me": True,
            "session": "s1",
            "page": 9,
        }
        bare = await client.put(
            "/things/7?colour=red&since=2026-01-31", json={"name": "pen", "price": 2}
        )
        found = bare.json()
        assert (found["tags"], found["tenant"], found["session"], found["page"]) == (
            [],
            "none",
            None,
            1,
        )


async def test_every_fault_is_told_at_once() -> None:
    app = App("a")

    @app.post("/x/{n}")
    async def post(
        n: int, item: Item, limit: Annotated[int, Le(10)], tenant: Annotated[str, Header()]
    ) -> None:
        raise AssertionError("must not be called")

    async with TestClient(app) as client:
        answer = await client.post("/x/abc?limit=11", json={"price": "-1"})
    assert answer.status == 422
    assert answer.headers.get("content-type") == "application/problem+json"
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"path/n", "query/limit", "header/tenant", "#/name", "#/price"}


@pytest.mark.parametrize("kind", [Item, DataItem, AttrsItem, DictItem, ModelItem])
async def test_any_kind_of_class_can_be_a_body_and_an_answer(kind: Any) -> None:
    app = App("a")

    async def echo(item: kind) -> kind:  # type: ignore[valid-type]
        return item

    echo.__annotations__ = {"item": kind, "return": kind}
    app.post("/echo")(echo)

    async with TestClient(app) as client:
        good = await client.post("/echo", json={"name": "pen", "price": "1.50", "unknown": 1})
        assert good.status == 200, good
        assert good.json() == {"name": "pen", "price": "1.50"}
        bad = await client.post("/echo", json={"price": "x"})
        assert bad.status == 422
        assert {f["pointer"] for f in bad.json()["errors"]} == {"#/name", "#/price"}


async def test_lists_of_structs_are_bodies_and_strict_ones_refuse_what_they_do_not_know() -> None:
    app = App("a")

    @app.post("/many")
    async def many(items: Annotated[list[Item], Body(strict=True)]) -> int:
        return len(items)

    async with TestClient(app) as client:
        assert (await client.post("/many", json=[{"name": "a", "price": 1}])).json() == 1
        bad = await client.post("/many", json=[{"name": "a", "price": 1, "colour": "red"}])
        assert bad.status == 422
        assert bad.json()["errors"][0]["pointer"] == "#/0/colour"


async def test_an_optional_body_may_be_left_out() -> None:
    app = App("a")

    @app.post("/maybe")
    async def maybe(item: Item | None = None) -> str:
        return "nothing" if item is None else item.name

    async with TestClient(app) as client:
        assert (await client.post("/maybe")).json() == "nothing"
        assert (await client.post("/maybe", json={"name": "n", "price": 1})).json() == "n"


def declared(method: str, path: str, function: Any) -> App:
    app = App("a")
    app.endpoint(method, path)(function)
    return app


async def two_bodies(a: Item, b: DataItem) -> None: ...
async def body_on_get(a: Item) -> None: ...
async def not_in_path(b: int) -> None: ...
async def no_annotation(a) -> None: ...  # type: ignore[no-untyped-def]
async def variadic(*a: int) -> None: ...
async def positional(a: int, /) -> None: ...
async def twice_marked(a: Annotated[int, Query(), Header()]) -> None: ...
async def path_as_header(id: Annotated[int, Header()]) -> None: ...
async def unknown_name(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("method", "path", "function", "message"),
    [
        ("POST", "/", two_bodies, "'b' and 'a' would both be the body"),
        ("GET", "/", body_on_get, "which GET does not have"),
        ("GET", "/{a}", not_in_path, "the path has {a}, the function does not"),
        ("GET", "/", no_annotation, "'a' needs an annotation"),
        ("GET", "/", variadic, "no \\*args"),
        ("GET", "/", positional, "remove the '/'"),
        ("GET", "/", twice_marked, "marked twice"),
        ("GET", "/{id}", path_as_header, "is in the path and marked Header"),
        ("GET", "/", unknown_name, "Nowhere"),
    ],
)
async def test_what_is_ambiguous_is_an_error_at_start(
    method: str, path: str, function: Any, message: str
) -> None:
    app = declared(method, path, function)
    with pytest.raises(ConfigError, match=message) as error:
        await app.start()
    assert "test_binding" in str(error.value)


async def test_two_operations_cannot_have_one_name_or_one_place() -> None:
    app = declared("GET", "/a", not_in_path)
    app.get("/b")(not_in_path)
    with pytest.raises(ConfigError, match="two operations are named 'not_in_path'"):
        await app.start()
    same = declared("GET", "/a", not_in_path)
    same.get("/a", name="other")(not_in_path)
    with pytest.raises(ConfigError, match=r"declared twice: GET /a, .* and GET /a, "):
        await same.start()


async def test_streams_of_items_can_be_bodies() -> None:
    app = App("a")

    @app.post("/sum")
    async def total(items: AsyncIterator[Item]) -> Decimal:
        return sum([item.price async for item in items], Decimal(0))

    async with TestClient(app) as client:
        lines = b'{"name":"a","price":"1.10"}\n{"name":"b","price":"2.20"}\n'
        headers = {"content-type": "application/x-ndjson"}
        answer = await client.post("/sum", content=lines, headers=headers)
        assert answer.json() == "3.30"
        bad = await client.post("/sum", content=lines + b'{"name":1}', headers=headers)
        assert bad.status == 422
        assert (await client.post("/sum", content=lines)).status == 415


async def test_a_docstring_describes_arguments_and_what_comes_back() -> None:
    app = App("a")

    @app.post("/orders/{id}")
    async def order(id: str, new: dict[str, int], limit: int = 5) -> str:
        """Order something.

        It takes a while.

        Args:
            id: what to call it.
            new: how many of what.
            limit: at most.

        Returns:
            where it is.

        Raises:
            KeyError: never.
        """
        return id

    (operation,) = app.contract().operations
    assert (operation.summary, operation.description) == ("Order something.", "It takes a while.")
    assert {p.name: p.description for p in operation.parameters} == {
        "id": "what to call it.",
        "limit": "at most.",
    }
    assert operation.body is not None
    assert operation.body.description == "how many of what."
    assert operation.answer.description == "where it is."
