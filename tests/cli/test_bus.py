"""``skerry bus …``, on a file that no fleet has open, and beside a fleet that has."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from skerry.bus.documents import queue_document
from skerry.bus.driver import Driver, Failure, QueueInfo, Subscription
from skerry.bus.embedded import Embedded
from skerry.bus.message import Message, new_id
from skerry.bus.redrive import condition
from skerry.cli.pointers import decoded, encoded, get, put
from skerry.cli.queues import _row
from skerry.cli.tails import is_left, tail_name
from skerry.core.errors import ConfigError

from .conftest import Ran

Run = Callable[..., Ran]
BOOK = Subscription("ledger.book", ("a.settled", "a.returned"))


def do(path: Path, work: Callable[[Driver], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        driver = Embedded(path)
        await driver.open()
        try:
            return await work(driver)
        finally:
            await driver.close()

    return asyncio.run(run())


def settled(id: str, topic: str = "a.settled", body: bytes = b"") -> Message:
    text = body or b'{"id":"%s","amount":1.10}' % id.encode()
    return Message(new_id(), topic, 1, text, id, "shop", time.time())


async def bury(driver: Driver, messages: list[Message], failure: Failure) -> None:
    await driver.publish(messages)
    async with driver.consume(BOOK, 10) as deliveries:
        for _ in messages:
            await (await anext(deliveries)).bury(failure)


@pytest.fixture
def bus(empty: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bus with one handler, in the current folder."""
    path = empty / "bus.db"
    monkeypatch.setenv("SKERRY_BUS", f"sqlite:///{path}")
    do(path, lambda driver: driver.declare([BOOK]))
    return path


@pytest.fixture
def dead(bus: Path) -> list[Message]:
    """Three dead letters, of two kinds of death."""
    messages = [settled("p1"), settled("p2"), settled("p3", "a.returned")]
    keyed = Failure("KeyError: 'rate'\x1b[31m", "KeyError", "Traceback …\n  book()", True)

    async def kill(driver: Driver) -> None:
        await bury(driver, messages[:1], Failure("TimeoutError: no Answer", "TimeoutError"))
        await bury(driver, messages[1:], keyed)

    do(bus, kill)
    return messages


def waiting(bus: Path) -> list[Any]:
    """The bodies of what waits."""
    messages = do(bus, lambda driver: driver.peek("ledger.book"))
    return [json.loads(message.body) for message in messages]


# -- ls, peek, dead ----------------------------------------------------------------------------


def test_what_a_broker_does_not_tell_is_not_shown_as_none() -> None:
    told = QueueInfo("ledger.book", ("a",), 2, 0, 0, 1, None, 3)
    untold = structs.replace(told, whole=False)
    assert _row(told, 0.0)[2:] == ["2", "0", "0", "1", "", "3"]
    assert _row(untold, 0.0)[2:] == ["2", "–", "–", "1", "–", "3"]
    assert _row(structs.replace(untold, ready=0), 0.0)[2:] == ["0", "–", "–", "1", "", "3"]
    known = queue_document(told)
    assert (known["delayed"], known["leased"], known["consumers"]) == (0, 0, 3)
    assert queue_document(untold) == known | {"delayed": None, "leased": None}


def test_ls(bus: Path, run: Run) -> None:
    do(bus, lambda driver: driver.publish([settled("p1"), settled("p2")]))
    done = run("bus", "ls")
    heads, row = done.out.splitlines()
    assert heads.split()[:3] == ["SUBSCRIPTION", "TOPICS", "READY"]
    assert row.split()[:3] == ["ledger.book", "a.returned", "a.settled"]
    assert row.split()[3:] == ["2", "0", "0", "0", row.split()[7], "0"]
    (found,) = json.loads(run("bus", "ls", "--json").out)
    assert (found["subscription"], found["ready"], found["oldest"][-1]) == ("ledger.book", 2, "Z")


def test_ls_of_nothing(bus: Path, run: Run) -> None:
    do(bus, lambda driver: driver.forget("ledger.book"))
    assert "nobody has subscribed" in run("bus", "ls").err


def test_peek(bus: Path, run: Run) -> None:
    message = settled("p1")
    do(bus, lambda driver: driver.publish([message, settled("p2")]))
    done = run("bus", "peek", "ledger.book", "-n", "1")
    assert done.out.splitlines()[0].startswith(f"{message.id}  a.settled v1  key p1  from shop  2")
    assert '      "amount": 1.10\n' in done.out and "1 more; -n" in done.err
    (found, _) = json.loads(run("bus", "peek", "ledger.book", "--json").out)
    assert (found["id"], found["body"]["id"], found["key"]) == (message.id, "p1", "p1")
    assert '"amount": 1.10' in run("bus", "peek", "ledger.book", "--json").out


def test_peek_at_dead_letters(dead: list[Message], run: Run) -> None:
    done = run("bus", "peek", "ledger.book", "--dead", "--stack")
    assert "after 1 attempt: TimeoutError: no Answer" in done.out
    assert "KeyError: 'rate'\\x1b[31m" in done.out and "\x1b" not in done.out
    assert "    Traceback …\n      book()\n" in done.out
    assert "Traceback" not in run("bus", "peek", "ledger.book", "--dead").out
    assert "nothing waits" in run("bus", "peek", "ledger.book").err


def test_what_is_no_json_is_shown_as_it_is(bus: Path, run: Run) -> None:
    do(bus, lambda driver: driver.publish([settled("p1", body=b"\xff\x1b")]))
    assert "b'\\xff\\x1b'" in run("bus", "peek", "ledger.book").out
    (found,) = json.loads(run("bus", "peek", "ledger.book", "--json").out)
    assert found["body"] == "b'\\xff\\x1b'"


def test_dead(dead: list[Message], run: Run) -> None:
    lines = run("bus", "dead").out.splitlines()
    assert [line.split()[1] for line in lines[1:]] == [message.id for message in dead]
    assert "KeyError: 'rate'\\x1b[31m" in lines[2]
    one = run("bus", "dead", "ledger.book", "-n", "1")
    assert len(one.out.splitlines()) == 2 and "2 more" in one.err
    first, *_ = json.loads(run("bus", "dead", "--json").out)
    assert (first["error"], first["attempts"], first["body"]["id"]) == ("TimeoutError", 1, "p1")


def test_names_are_checked(bus: Path, run: Run) -> None:
    for words in (("peek",), ("dead",), ("redrive", "--all"), ("purge",), ("forget",)):
        done = run("bus", words[0], "ledger.bok", *words[1:])
        assert done.status == 1 and "Did you mean 'ledger.book'?" in done.err


# -- publish -----------------------------------------------------------------------------------


def test_publish(bus: Path, run: Run, tmp_path: Path) -> None:
    done = run("bus", "publish", "a.settled", "--json", '{"id": "p1"}', "--key", "/id")
    (message,) = do(bus, lambda driver: driver.peek("ledger.book"))
    assert done.out.strip() == message.id and done.err == ""
    assert (message.key, message.version, message.body) == ("p1", 1, b'{"id": "p1"}')
    (tmp_path / "event.json").write_text('{"id": "p2"}')
    run("bus", "publish", "a.settled", "--json", "@event.json", "--version", "3", "--delay", "1h")
    (queue,) = do(bus, lambda driver: driver.queues())
    assert (queue.ready, queue.delayed) == (1, 1)


def test_publish_lines(bus: Path) -> None:
    words = ["bus", "publish", "a.settled", "--json", "-", "--key", "/id"]
    lines = "".join(f'{{"id": "p{n}"}}\n' for n in range(1000)) + '\n{"id": "last"}'
    done = subprocess.run(
        [sys.executable, "-m", "skerry.cli.main", *words],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.split()) == 1001
    found = do(bus, lambda driver: driver.peek("ledger.book", 2000))
    assert [message.key for message in found] == [*(f"p{n}" for n in range(1000)), "last"]
    done = subprocess.run(
        [sys.executable, "-m", "skerry.cli.main", *words],
        input='{"id": 1}\n\n{"id"}\n',
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "line 3 is not JSON" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a.settled", "--json", "{"), "--json is not JSON"),
        (("a.settled", "--json", "{}", "--key", "/id"), "nothing at /id, which is to be the key"),
        (("A", "--json", "{}"), "'A' is no topic"),
        (("a.settled", "--json", "{}", "--delay", "soon"), "'soon' is no interval"),
        (("a.settled", "--json", "@none.json"), "none.json"),
        (("a.settled",), "--json"),
    ],
)
def test_publish_refuses(bus: Path, run: Run, words: tuple[str, ...], said: str) -> None:
    done = run("bus", "publish", *words)
    assert done.status != 0 and said in done.err and waiting(bus) == []


def test_publish_says_when_nobody_hears(bus: Path, run: Run) -> None:
    done = run("bus", "publish", "a.setled", "--json", "{}")
    assert done.status == 0 and "Did you mean 'a.settled'?" in done.err


# -- redrive -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (("--all",), ["p1", "p2", "p3"]),
        (("--where", "reason~ANSWER"), ["p1"]),
        (("--where", "key=p2", "--where", "body~amount"), ["p2"]),
        (("--error", "KeyError"), ["p2", "p3"]),
        (("--error", "KeyError", "--topic", "a.returned"), ["p3"]),
        (("--error", "OSError", "--all"), []),
        (("--all", "--rate", "50/s"), ["p1", "p2", "p3"]),
    ],
)
def test_redrive(
    bus: Path, dead: list[Message], run: Run, words: tuple[str, ...], ids: list[str]
) -> None:
    done = run("bus", "redrive", "ledger.book", *words)
    assert done.status == 0, done
    assert [body["id"] for body in waiting(bus)] == ids
    said = f"{len(ids)} redriven" if ids else "that is none of its dead letters; there are 3"
    assert said in done.out


def test_redrive_by_id(bus: Path, dead: list[Message], run: Run) -> None:
    done = run("bus", "redrive", "ledger.book", "--id", dead[1].id, "nothing")
    assert done.status == 1 and "1 redriven" in done.out
    assert run("bus", "redrive", "ledger.book", "--id", dead[0].id, dead[2].id).status == 0
    assert [body["id"] for body in waiting(bus)] == ["p2", "p1", "p3"]
    assert "has no dead letters" in run("bus", "redrive", "ledger.book", "--all").out


def test_redrive_many_while_others_stay(bus: Path, run: Run) -> None:
    messages = [settled(f"p{n}", ("a.settled", "a.returned")[n % 2]) for n in range(1300)]
    do(bus, lambda driver: bury(driver, messages, Failure("it broke")))
    done = run("bus", "redrive", "ledger.book", "--topic", "a.returned")
    assert done.out == "ledger.book: 650 redriven\n"
    (queue,) = do(bus, lambda driver: driver.queues())
    assert (queue.ready, queue.dead) == (650, 650)


def test_redrive_with_another_body(bus: Path, dead: list[Message], run: Run) -> None:
    words = ("--set", "/rate=0.90", "--set", "/payer=Ada", "--set", '/tags=["a", 1]')
    run("bus", "redrive", "ledger.book", "--id", dead[0].id, *words)
    (message,) = do(bus, lambda driver: driver.peek("ledger.book"))
    assert message.id == dead[0].id
    assert message.body == b'{"id":"p1","amount":1.10,"rate":0.90,"payer":"Ada","tags":["a",1]}'
    done = run("bus", "redrive", "ledger.book", "--all", "--set", "/a/b=1")
    assert done.status == 1 and "/a/b cannot be set: nothing is at 'a'" in done.err
    assert len(waiting(bus)) == 1


def editor(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "editor"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(file))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)


def test_redrive_after_editing(
    bus: Path, dead: list[Message], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(tmp_path, 'sed -i s/1.10/2.50/ "$1"', monkeypatch)
    run("bus", "redrive", "ledger.book", "--error", "KeyError", "--edit")
    assert [body["amount"] for body in waiting(bus)] == [2.5, 2.5]
    editor(tmp_path, 'echo "{" > "$1"', monkeypatch)
    done = run("bus", "redrive", "ledger.book", "--all", "--edit")
    kept = tmp_path / Path(done.err.rpartition(" in ")[2].strip()).name
    assert done.status == 1 and "this is not JSON" in done.err and kept.read_text() == "{\n"
    editor(tmp_path, "exit 3", monkeypatch)
    assert "status 3" in run("bus", "redrive", "ledger.book", "--all", "--edit").err
    monkeypatch.setenv("EDITOR", "no-such-editor")
    assert "EDITOR names" in run("bus", "redrive", "ledger.book", "--all", "--edit").err
    assert len(waiting(bus)) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say which: --id ID"),
        (("--where", "reason"), "'reason' is no condition"),
        (("--where", "reazon~x"), "Did you mean 'reason'?"),
        (("--all", "--rate", "fast"), "'fast' is no rate"),
        (("--all", "--rate", "0/s"), "'0/s' is no rate"),
        (("--all", "--set", "/a"), "'/a' sets nothing"),
        (("--all", "--set", "a=1"), "'a' is no JSON pointer"),
        (("--all", "--set", "/a=1", "--edit"), "only one can"),
    ],
)
def test_redrive_refuses(
    bus: Path, dead: list[Message], run: Run, words: tuple[str, ...], said: str
) -> None:
    done = run("bus", "redrive", "ledger.book", *words)
    assert done.status == 2 and said in done.err and waiting(bus) == []


def test_the_rate_is_kept(bus: Path, run: Run) -> None:
    do(bus, lambda driver: bury(driver, [settled(f"p{n}") for n in range(30)], Failure("")))
    began = time.monotonic()
    run("bus", "redrive", "ledger.book", "--all", "--rate", "100/s")
    assert time.monotonic() - began >= 0.2  # two batches of ten wait for a tenth of a second each


# -- purge, forget -----------------------------------------------------------------------------


def test_purge(bus: Path, dead: list[Message], run: Run) -> None:
    do(bus, lambda driver: driver.publish([settled("p4")]))
    done = run("bus", "purge", "ledger.book")
    assert done.status == 1 and "deletes 1 message of ledger.book" in done.err
    assert "1 deleted" in run("bus", "purge", "ledger.book", "--yes").out
    assert "deletes 3 dead letters" in run("bus", "purge", "ledger.book", "--dead").err
    assert "3 deleted" in run("bus", "purge", "ledger.book", "--dead", "--yes").out
    (queue,) = do(bus, lambda driver: driver.queues())
    assert (queue.ready, queue.dead) == (0, 0)


def test_forget(bus: Path, dead: list[Message], run: Run) -> None:
    done = run("bus", "forget", "ledger.book")
    assert done.status == 1 and "with 0 messages and 3 dead letters" in done.err
    assert run("bus", "forget", "ledger.book", "--yes").status == 0
    assert do(bus, lambda driver: driver.queues()) == []


# -- tail --------------------------------------------------------------------------------------


@pytest.fixture
def tail(bus: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "skerry.cli.main", "bus", "tail", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stderr is not None
        assert "following" in process.stderr.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def names(bus: Path) -> list[str]:
    return [queue.subscription for queue in do(bus, lambda driver: driver.queues())]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_tail_and_its_end(bus: Path, tail: Any, number: int, status: int) -> None:
    process = tail()
    do(bus, lambda driver: driver.publish([settled("p1"), settled("p2", "a.other")]))
    assert process.stdout.readline().endswith('  a.settled v1  p1 {"id":"p1","amount":1.10}\n')
    os.kill(process.pid, number)
    os.kill(process.pid, number)
    assert process.wait(10) == status
    assert names(bus) == ["ledger.book"] and process.stdout.read() == ""


def test_tail_of_named_topics_as_data(bus: Path, tail: Any) -> None:
    process = tail("a.other", "--json")
    do(bus, lambda driver: driver.publish([settled("p1"), settled("p2", "a.other")]))
    assert json.loads(process.stdout.readline())["body"] == {"id": "p2", "amount": 1.10}


def test_the_next_tail_forgets_one_that_was_killed(bus: Path, tail: Any, run: Run) -> None:
    process = tail()
    assert "that is running" in run("bus", "ls").err
    process.kill()
    process.wait(10)
    assert "was killed; the next tail forgets it" in run("bus", "ls").err
    process = tail()
    assert len(names(bus)) == 2
    process.stdout.close()  # whoever read it has had enough
    do(bus, lambda driver: driver.publish([settled("p1")]))
    process.wait(10)
    assert names(bus) == ["ledger.book"]


def test_whose_tails_are_left() -> None:
    def queue(name: str, consumers: int | None = 0) -> QueueInfo:
        return QueueInfo(name, (), 0, 0, 0, 0, None, consumers)

    now = time.time()
    assert not is_left(queue(tail_name()), now)
    assert is_left(queue(tail_name()), now + 120)
    assert not is_left(queue(tail_name(), consumers=1), now + 120)
    assert is_left(queue("skerry.tail.far.1.0"), now)
    assert not is_left(queue("skerry.tail.far.1.0", consumers=1), now)
    assert not is_left(queue("ledger.book"), now)
    assert not is_left(queue("skerry.tail.mine"), now)


# -- which bus ---------------------------------------------------------------------------------


def test_which_bus(bus: Path, planted: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ledger.book" in run("bus", "ls").out
    monkeypatch.delenv("SKERRY_BUS")
    missing = run("bus", "ls").err
    assert "there is no bus yet" in missing and f"{planted}/.skerry/bus.db" in missing
    assert "ledger.book" in run("bus", "ls", "--bus", "sqlite:///bus.db").out
    with (planted / "fleet.toml").open("a") as file:
        file.write('[bus]\nurl = "sqlite:///bus.db"\n')
    assert "ledger.book" in run("bus", "ls").out
    monkeypatch.setenv("SKERRY_BUS", "sqlite:///other.db")
    assert "other.db" in run("bus", "ls").err


def test_a_broker_of_the_fleet_runs_with_it(
    planted: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKERRY_BUS", raising=False)
    with (planted / "fleet.toml").open("a") as file:
        file.write('[backings.broker]\nkind = "rabbitmq"\n[bus]\nbacking = "broker"\n')
    assert "start it: `skerry up --only broker`" in run("bus", "ls").err


def test_a_bus_that_cannot_be_reached(empty: Path, run: Run) -> None:
    assert "is no bus" in run("bus", "ls", "--bus", "kafka://a:secret@b").err
    (empty / "bus.db").write_text("something else, and more than a page of it" * 100)
    done = run("bus", "ls", "--bus", "sqlite:///bus.db")
    assert done.status == 1 and "bus.db" in done.err and "fault of Skerry's" not in done.err
    assert "no fleet.toml" in run("bus", "ls").err


def test_beside_a_fleet_that_runs(small: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKERRY_BUS", raising=False)
    path = small / ".skerry" / "bus.db"
    assert str(path) in run("bus", "ls", "--file", str(small)).err
    do(path, lambda driver: driver.declare([BOOK]))
    assert "ledger.book" in run("bus", "ls", "--file", str(small)).out


# -- what is beneath ---------------------------------------------------------------------------


def test_pointers() -> None:
    value = decoded(b'{"a/b": [1, {"~": 12345678901234567890.10}], "": 0}')
    assert encoded(get(value, "/a~1b/1/~0")) == b"12345678901234567890.10"
    assert get(value, "/") == 0 and get(value, "") is value
    put(value, "/a~1b/1/~0", True)
    put(value, "/a~1b/-", None)
    put(value, "/a~1b/0", 2)
    assert encoded(value) == b'{"a/b":[2,{"~":true},null],"":0}'
    assert put(value, "", 7) == 7
    for pointer in ("/a~1b/9", "/a~1b/-1", "/x/y", "//y"):
        with pytest.raises(LookupError):
            put(value, pointer, 1)
    with pytest.raises(LookupError):
        get(value, "/x")


def test_conditions_have_a_form() -> None:
    with pytest.raises(ConfigError):
        condition("reason")
