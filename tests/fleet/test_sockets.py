from __future__ import annotations

import socket
from pathlib import Path

import pytest

from skerry.fleet.sockets import PortTaken, Sockets, url_of
from skerry.fleet.state import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path / ".skerry")
    made.prepare()
    return made


def port(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def test_ports_are_remembered(state: State, tmp_path: Path) -> None:
    first = Sockets(state, tmp_path)
    ports = {name: port(first.hold(name)) for name in ("a-1", "a-2", "b-1")}
    reserved = first.reserve("c-1")
    assert len({*ports.values(), reserved}) == 4
    assert port(first.hold("a-1")) == ports["a-1"]
    first.save()
    first.close()
    second = Sockets(state, tmp_path)
    assert {name: port(second.hold(name)) for name in ports} == ports
    assert second.reserve("c-1") == reserved
    second.close()


def test_asking_for_a_reserved_port_does_not_touch_it(state: State, tmp_path: Path) -> None:
    sockets = Sockets(state, tmp_path)
    asked = sockets.reserved("c-1")
    with socket.create_server(("127.0.0.1", asked)):  # the process that it was reserved for
        assert sockets.reserved("c-1") == asked
        assert sockets.reserve("c-1") != asked  # a new start finds somebody else there
    sockets.close()


def test_another_port_where_somebody_took_the_remembered_one(state: State, tmp_path: Path) -> None:
    first = Sockets(state, tmp_path)
    before = port(first.hold("a-1"))
    first.save()
    second = Sockets(state, tmp_path)
    assert port(second.hold("a-1")) != before
    first.close()
    second.close()


def test_two_checkouts_have_different_ports(state: State, tmp_path: Path) -> None:
    one, two = Sockets(state, tmp_path / "one"), Sockets(state, tmp_path / "two")
    assert port(one.hold("a-1")) != port(two.hold("a-1"))
    one.close()
    two.close()


def test_a_pinned_port(state: State, tmp_path: Path) -> None:
    sockets = Sockets(state, tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        pinned = port(taken)
        with pytest.raises(PortTaken, match=f"a-1: cannot listen on 127.0.0.1:{pinned}"):
            sockets.hold("a-1", pinned)
    assert port(sockets.hold("a-1", pinned)) == pinned
    other = port(sockets.hold("a-1", None))
    assert other == pinned  # what is held stays held
    sockets.close()


def test_a_pinned_port_that_changes_moves_the_socket(state: State, tmp_path: Path) -> None:
    sockets = Sockets(state, tmp_path)
    before = sockets.hold("a-1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = port(probe)
    assert port(sockets.hold("a-1", free)) == free
    assert before.fileno() == -1
    sockets.close()


def test_addresses() -> None:
    with socket.create_server(("0.0.0.0", 0)) as everywhere:
        assert url_of(everywhere) == f"http://127.0.0.1:{port(everywhere)}"
    if socket.has_ipv6:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as six:
            assert url_of(six) == f"http://[::1]:{port(six)}"


def test_a_memory_that_was_cut_short_is_forgotten(state: State, tmp_path: Path) -> None:
    for text in ("", "{", "[]", '{"a-1": "x", "a-2": 99999999, "a-3": true}'):
        (state.folder / "ports.json").write_text(text)
        sockets = Sockets(state, tmp_path)
        assert port(sockets.hold("a-1"))
        sockets.close()
