"""The console is for the people of this machine, and for its own pages."""

from __future__ import annotations

import os
import socket
import urllib.request

import pytest

from skerry.console.guard import HEADER, POLICY, refused
from skerry.console.peers import is_other_user, owner_of
from skerry.core.wire import Headers

from .conftest import Place, fetch

HOST = {"host": "127.0.0.1:8000"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost:8000", "localhost", "[::1]:8000", "LOCALHOST:1"]
)
def test_this_machine_by_its_own_name(host: str) -> None:
    assert refused("GET", Headers.of({"host": host})) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8000",
        "localhost@evil",
        "[::1",
        "10.0.0.1",
    ],
)
def test_no_other_name(host: str) -> None:
    assert refused("GET", Headers.of({"host": host})) is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8000"},  # the same machine by another name is another site
        {"origin": "http://127.0.0.1:8001"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},  # another port of this machine: some app of somebody's
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    ],
)
def test_pages_of_others_may_not_ask(fields: dict[str, str]) -> None:
    assert refused("GET", Headers.of(HOST | fields)) is not None


def test_links_of_others_may_lead_here() -> None:
    arriving = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert refused("GET", Headers.of(HOST | arriving)) is None
    assert refused("POST", Headers.of(HOST | arriving | {HEADER: "1"})) is not None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_changes_carry_a_header_that_no_form_can_send(method: str) -> None:
    same = HOST | {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}
    assert HEADER in (refused(method, Headers.of(same)) or "")
    assert refused(method, Headers.of(same | {HEADER: "1"})) is None


def test_whose_connection_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with socket.create_connection(listening.getsockname()) as one:
            if not os.path.exists("/proc/net/tcp"):
                pytest.skip("the system does not say whose sockets are")
            assert owner_of(one.getsockname(), one.getpeername()) == os.getuid()
            assert not is_other_user(one.getsockname(), one.getpeername())
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listening:
        with socket.create_connection(listening.getsockname()[:2]) as one:
            ours, theirs = one.getsockname()[:2], one.getpeername()[:2]
            assert owner_of(ours, theirs) == os.getuid()


def test_another_users_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skerry.console.peers.owner_of", lambda *_: os.getuid() + 1)
    assert is_other_user(("127.0.0.1", 5), ("127.0.0.1", 6))
    monkeypatch.setattr("skerry.console.peers.owner_of", lambda *_: None)
    assert not is_other_user(("127.0.0.1", 5), ("127.0.0.1", 6))
    assert not is_other_user(None, ("127.0.0.1", 6))
    assert owner_of(("no address", 1), ("127.0.0.1", 2)) is None


def test_the_running_console_refuses_and_says_its_policy(place: Place) -> None:
    with urllib.request.urlopen(place.url) as answer:
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "<script>" not in answer.read().decode()
    status, problem = place.ask("/api/fleet", host="evil.example")
    assert (status, problem["title"]) == (403, "Forbidden")
    assert place.ask("/api/apps/shop/restart", "POST", origin="http://evil.example")[0] == 403
    fields = {"host": place.url.removeprefix("http://")}
    assert fetch(place.url + "/api/apps/shop/stop", "POST", None, fields)[0] == 403
    assert place.ps()["apps"][0]["ready"] == 1  # nothing was done
