from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any

import pytest

from skerry.app import App, Routes
from skerry.app.declare import check_together
from skerry.app.markers import Header
from skerry.core.errors import ConfigError, NotFound


async def one() -> None: ...


async def two() -> None: ...


class Handlers:
    async def method(self) -> None: ...

    async def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("method", "path", "options", "message"),
    [
        ("FETCH", "/a", {}, r"the methods are GET, POST"),
        ("GET", "a", {}, r"begins with '/'"),
        ("GET", "/{a}/{a}", {}, r"stands twice"),
        ("GET", "/a", {"status": 404}, r"status 200 to 399, not 404"),
        ("GET", "/a", {"raises": NotFound}, r"raises= takes a list: raises=\[NotFound\]"),
        ("GET", "/a", {"raises": [NotFound()]}, r"takes Problem classes, not NotFound\("),
        ("GET", "/a", {"raises": [ValueError]}, r"takes Problem classes, not <class 'ValueError'>"),
    ],
)
def test_what_is_wrong_is_told_with_its_endpoint(
    method: str, path: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        Routes().endpoint(method, path, **options)(one)
    assert re.match(rf"{re.escape(f'{method} {path}')}, \S*test_declare.one \(", str(error.value))


@pytest.mark.parametrize("what", [partial(one), Handlers(), Handlers])
def test_endpoints_are_functions_and_methods(what: Any) -> None:
    routes = Routes()
    with pytest.raises(ConfigError, match="GET /a: an endpoint is a function or a method"):
        routes.get("/a")(what)
    routes.get("/a")(Handlers().method)
    assert [declared.name for declared in routes.declarations] == ["method"]


@pytest.mark.parametrize("prefix", ["v1", "/v1/", "/", "/{a", "/x{a}"])
def test_a_prefix_is_a_path(prefix: str) -> None:
    with pytest.raises(ConfigError):
        Routes(prefix)
    with pytest.raises(ConfigError):
        Routes().include(Routes(), prefix)


def test_prefix_and_path_make_one_path() -> None:
    inner = Routes("/{a}")
    inner.get("/")(one)
    inner.get("/two")(two)
    outer = Routes()
    outer.include(inner, "/v1")
    assert [declared.path for declared in outer.declarations] == ["/v1/{a}", "/v1/{a}/two"]
    root = Routes()
    root.get("/")(one)
    outer.include(root, "/v2")
    assert outer.declarations[-1].path == "/v2"
    with pytest.raises(ConfigError, match=r"GET /\{a\}/\{a\}, .*one.*stands twice"):
        outer.include(inner, "/{a}")
    assert len(outer.declarations) == 3


def routes_of(*routes: tuple[str, str, bool]) -> Routes:
    made = Routes()
    for number, (method, path, hidden) in enumerate(routes):
        made.endpoint(method, path, hidden=hidden, name=f"n{number}")(one)
    return made


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("GET /a", "GET /a", "declared twice"),
        ("GET /a/{x}", "GET /a/{y}", "declared twice"),
        ("GET /a/{x:path}", "GET /a/{y:path}", "declared twice"),
        ("GET /a/{x}", "DELETE /a/{y}", "same names"),
        ("GET /a/{x}/b", "DELETE /a/{y}/b", "same names"),
        ("GET /a/{x}", "DELETE /a/{y:path}", "same names"),
        ("GET /a/{x}", "GET /a/{x:path}", "one operation in the contract"),
    ],
)
def test_two_that_the_contract_cannot_tell_apart(first: str, second: str, message: str) -> None:
    (one_method, one_path), (two_method, two_path) = first.split(), second.split()
    routes = routes_of((one_method, one_path, False), (two_method, two_path, False))
    with pytest.raises(ConfigError, match=message) as error:
        check_together(routes.declarations)
    assert f"{first}, " in str(error.value) and f"{second}, " in str(error.value)
    if message != "declared twice":
        hidden = routes_of((one_method, one_path, False), (two_method, two_path, True))
        check_together(hidden.declarations)


def test_two_that_it_can() -> None:
    routes = routes_of(
        ("GET", "/a/{x}", False), ("DELETE", "/a/{x}", False), ("GET", "/a/{y}/b", False)
    )
    check_together(routes.declarations)


async def one_header_twice(
    a: Annotated[str, Header("X-Tenant")], b: Annotated[str, Header("x-tenant")]
) -> None: ...


def test_two_arguments_are_not_one_field() -> None:
    app = App("a")
    app.get("/a")(one_header_twice)
    with pytest.raises(ConfigError, match="'b' and 'a' are both the header 'x-tenant'"):
        app.endpoints()
