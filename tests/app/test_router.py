from __future__ import annotations

import pytest

from skerry.app.router import Router
from skerry.core.errors import ConfigError, MethodNotAllowed, NotFound


def make(*routes: str) -> Router[str]:
    router: Router[str] = Router()
    for route in routes:
        method, path = route.split()
        router.add(method, path, route)
    return router


def test_what_is_spelled_out_wins_whatever_the_order() -> None:
    router = make("GET /a/{rest:path}", "GET /a/{id}", "GET /a/b", "GET /a/{id}/c")
    assert router.match("GET", "/a/b") == ("GET /a/b", {})
    assert router.match("GET", "/a/x") == ("GET /a/{id}", {"id": "x"})
    assert router.match("GET", "/a/b/c") == ("GET /a/{id}/c", {"id": "b"})
    assert router.match("GET", "/a/b/d") == ("GET /a/{rest:path}", {"rest": "b/d"})


def test_the_first_that_does_the_method_answers() -> None:
    router = make("GET /users/me", "DELETE /users/{id}", "PUT /users/{rest:path}")
    assert router.match("GET", "/users/me") == ("GET /users/me", {})
    assert router.match("DELETE", "/users/me") == ("DELETE /users/{id}", {"id": "me"})
    assert router.match("PUT", "/users/me") == ("PUT /users/{rest:path}", {"rest": "me"})
    assert router.match("DELETE", "/users/7") == ("DELETE /users/{id}", {"id": "7"})


def test_what_is_allowed_is_what_any_of_them_does() -> None:
    router = make("GET /users/me", "DELETE /users/{id}", "PUT /users/{rest:path}", "POST /users")
    with pytest.raises(MethodNotAllowed) as refused:
        router.match("PATCH", "/users/me")
    assert refused.value.allow == ("DELETE", "GET", "HEAD", "PUT")
    with pytest.raises(MethodNotAllowed) as refused:
        router.match("GET", "/users/7")
    assert refused.value.allow == ("DELETE", "PUT")


def test_get_answers_head_where_nothing_else_does() -> None:
    router = make("GET /a", "HEAD /b", "GET /b", "GET /c", "HEAD /c", "HEAD /{x}")
    assert router.match("HEAD", "/a")[0] == "GET /a"
    assert router.match("HEAD", "/b")[0] == "HEAD /b"
    assert router.match("HEAD", "/c")[0] == "HEAD /c"
    for again in ("HEAD", "GET"):
        with pytest.raises(ConfigError, match="declared twice"):
            router.add(again, "/c", "again")


def test_parts_of_a_path_are_nothing() -> None:
    router = make("GET /a/b/{c}")
    for path in ("/", "/a", "/a/b", "/a/b/", "/a/b/c/d"):
        assert not router.knows(path)
        with pytest.raises(NotFound):
            router.match("GET", path)
    assert router.knows("/a/b/c")
    assert router.redirect("/a/b/c/") == "/a/b/c"
    assert router.redirect("/a/b/") is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a", "begins with '/'"),
        ("/{a", "either text or one"),
        ("/x{a}", "either text or one"),
        ("/{a-b}", "either text or one"),
        ("/{a}/{a}", "stands twice"),
        ("/{a:path}/b", "the last segment"),
    ],
)
def test_malformed_paths(path: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make(f"GET {path}")
