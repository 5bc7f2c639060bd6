"""The client of the front door: redirects, cookies, bodies."""

from __future__ import annotations

import pytest

from skerry import Headers, Http, Request, Response, UnexpectedResponse
from skerry.core.wire import read_all
from skerry.journeys.place import Place


class Echo:
    """Answers with what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: list[Response] = []

    async def __call__(self, request: Request, /) -> Response:
        target = f"{request.path}?{request.query}" if request.query else request.path
        body = await read_all(request.body)
        self.asked.append((request.method, target, dict(request.headers), body))
        return self.answers.pop(0) if self.answers else Response(200, Headers(), b"{}")


def answer(status: int, **fields: str) -> Response:
    return Response(status, Headers.of({k.replace("_", "-"): v for k, v in fields.items()}), b"")


async def test_bodies_and_queries() -> None:
    echo = Echo()
    http = Http(echo)
    await http.post("/a?x=1", json={"b": 1}, query={"y": ["2", "3"]})
    await http.put("/form", form={"name": "Çelik & Söhne"})
    await http.patch("raw", content=b"\0", headers={"content-type": "application/x"})
    await http.delete("/gone with space")
    (first, second, third, fourth) = echo.asked
    assert first[:2] == ("POST", "/a?x=1&y=2&y=3")
    assert first[2] == {"content-type": "application/json", "content-length": "7"}
    assert first[3] == b'{"b":1}'
    assert second[2]["content-type"] == "application/x-www-form-urlencoded"
    assert second[3] == b"name=%C3%87elik+%26+S%C3%B6hne"
    assert third[:2] == ("PATCH", "/raw")
    assert third[2]["content-type"] == "application/x"
    assert fourth[:2] == ("DELETE", "/gone%20with%20space")
    assert fourth[2] == {}


@pytest.mark.parametrize(
    ("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
)
async def test_redirects_are_followed_as_browsers_do(status: int, method: str) -> None:
    echo = Echo()
    echo.answers = [answer(status, location="../next?a=b%20c")]
    found = await Http(echo).post("/deep/form", form={"x": "y"})
    assert found.status == 200
    assert found.url == "/next?a=b%20c"
    assert echo.asked[1][:2] == (method, "/next?a=b%20c")
    assert (echo.asked[1][3] == b"x=y") == (method == "POST")
    assert ("content-type" in echo.asked[1][2]) == (method == "POST")


async def test_redirects_can_be_looked_at_and_do_not_go_round_for_ever() -> None:
    echo = Echo()
    http = Http(echo)
    echo.answers = [answer(303, location="/next")]
    assert (await http.get("/", follow=False)).status == 303
    echo.answers = [answer(303, location="/") for _ in range(50)]
    with pytest.raises(UnexpectedResponse, match="more than 10 redirects"):
        await http.get("/")


async def test_redirects_to_somebody_else_are_not_followed() -> None:
    echo = Echo()
    http = Http(echo, host="shop.example")
    echo.answers = [answer(303, location="https://bank.example/pay")]
    assert (await http.get("/")).headers.get("location") == "https://bank.example/pay"
    echo.answers = [answer(303, location="https://shop.example/basket")]
    assert (await http.get("/")).url == "/basket"
    assert [asked[1] for asked in echo.asked] == ["/", "/", "/basket"]


async def test_cookies_are_kept_and_let_go() -> None:
    echo = Echo()
    http = Http(echo)
    echo.answers = [
        answer(200, set_cookie="a=1; Path=/; HttpOnly"),
        answer(200, set_cookie="b=two"),
        answer(200, set_cookie="a=; Max-Age=0"),
    ]
    for _ in range(4):
        await http.get("/")
    assert [asked[2].get("cookie") for asked in echo.asked] == [None, "a=1", "a=1; b=two", "b=two"]


async def test_ok_is_an_assertion() -> None:
    echo = Echo()
    http = Http(echo)
    echo.answers = [Response(503, Headers(), b"we are closed")]
    with pytest.raises(AssertionError, match="/x answered 503: we are closed"):
        (await http.get("/x")).ok()
    assert (await http.get("/x")).ok().json() == {}


async def test_through_the_whole_stack(place: Place) -> None:
    http = await place.http()
    found = await http.get("/old")
    assert (found.status, found.url) == (200, "/cookie?from=old")
    assert http.cookies == {"tenant": "harbour"}
    assert "Shop" in (await http.get("/")).text
