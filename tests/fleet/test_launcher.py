from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from skerry.fleet import channel as wire
from skerry.fleet.launcher import CAN_FORK, Launcher
from skerry.fleet.reaping import RUN, marked, sweep

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="looks for processes in /proc: Linux only")


@pytest.fixture
async def launcher() -> AsyncIterator[Launcher]:
    made = Launcher(os.urandom(8).hex())
    yield made
    await made.close()
    assert list(marked({RUN: made._run})) == []


async def shell(launcher: Launcher, script: str, *fds: int, **env: str) -> tuple[Any, int]:
    """A running shell, and the read end of what it prints."""
    read, write = os.pipe()
    process = await launcher.start(
        "sh", argv=("/bin/sh", "-c", script), env=env, cwd="/", fds=(write, *fds), group=True
    )
    os.close(write)
    return process, read


async def said(read: int) -> str:
    data = await asyncio.to_thread(lambda: b"".join(iter(lambda: os.read(read, 4096), b"")))
    os.close(read)
    return data.decode()


async def test_a_process_gets_its_surroundings_and_its_end_is_told(
    launcher: Launcher, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        script = f"echo $X $(pwd) $(readlink /proc/self/fd/{wire.FIRST_SOCKET}); exit 7"
        process, read = await shell(launcher, script, listening.fileno(), X="y z")
        assert await process.exited == 7
        words = (await said(read)).split()
        assert words[:3] == ["y", "z", "/"]
        assert words[3] == os.readlink(f"/proc/self/fd/{listening.fileno()}")


async def test_signals_and_what_is_left_of_a_group(launcher: Launcher) -> None:
    script = (
        "sleep 1000 & (setsid sleep 1000 &); trap 'exit 5' TERM; echo up;"
        "while :; do sleep 0.01; done"
    )
    process, read = await shell(launcher, script, SKERRY_INSTANCE="sh-1")
    await asyncio.to_thread(os.read, read, 3)
    assert await process.stop(10) == 5
    os.close(read)
    assert commands(launcher) == ["skerry-nursery"]


async def test_one_that_will_not_stop_is_killed(launcher: Launcher) -> None:
    process, read = await shell(launcher, "trap '' TERM; echo up; while :; do sleep 1; done")
    await asyncio.to_thread(os.read, read, 3)
    assert await process.stop(0.05) == -signal.SIGKILL
    os.close(read)


async def test_what_cannot_be_executed_says_so(launcher: Launcher) -> None:
    read, write = os.pipe()
    missing = await launcher.start("x", argv=("/no/such",), env={}, cwd="/", fds=(write,))
    nowhere = await launcher.start("y", argv=("/bin/true",), env={}, cwd="/no", fds=(write,))
    assert (await missing.exited, await nowhere.exited) == (127, 127)
    os.close(write)
    text = await said(read)
    assert "cannot start x: " in text
    assert "cannot start y: " in text


async def test_many_at_once_with_long_messages(launcher: Launcher) -> None:
    long = "x" * 20_000
    started = await asyncio.gather(
        *(shell(launcher, f"test ${{#LONG}} = 20000 && exit {n}", LONG=long) for n in range(40))
    )
    assert [await process.exited for process, _ in started] == list(range(40))
    for _, read in started:
        os.close(read)


async def test_a_nursery_that_dies_takes_all_along_and_another_takes_its_place(
    launcher: Launcher,
) -> None:
    process, read = await shell(launcher, "sleep 1000 & setsid sleep 1000 & echo up; sleep 1000")
    await asyncio.to_thread(os.read, read, 3)
    first = launcher.pid
    assert first
    os.kill(first, signal.SIGKILL)
    assert await process.exited == -signal.SIGKILL
    os.close(read)
    again, read = await shell(launcher, "exit 3")
    assert await again.exited == 3
    os.close(read)
    assert launcher.pid != first
    assert commands(launcher) == ["skerry-nursery"]


async def test_a_library_that_starts_threads_is_not_preloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "threaded_library.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
    )
    (tmp_path / "fine_library.py").write_text("")
    (tmp_path / "broken_library.py").write_text("1 / 0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    preload = ("fine_library", "threaded_library", "broken_library")
    launcher = Launcher(os.urandom(8).hex(), preload)
    try:
        await launcher.open()
        assert len(os.listdir(f"/proc/{launcher.pid}/task")) == 1
        with open(f"/proc/{launcher.pid}/cmdline") as file:  # noqa: ASYNC230
            arguments = file.read()
        assert "fine_library" in arguments
        assert "threaded_library" not in arguments
    finally:
        await launcher.close()


async def test_only_what_has_all_marks_is_swept(launcher: Launcher, until: Any) -> None:
    one, read_one = await shell(launcher, "exec sleep 1000", A="1", B="1")
    two, read_two = await shell(launcher, "exec sleep 1000", A="1", B="2")
    await until(lambda: commands(launcher).count("sleep") == 2)
    assert sweep({"A": "1", "B": "1", RUN: launcher._run}) == {one.pid}
    assert await one.exited == -signal.SIGKILL
    assert not two.exited.done()
    for read in (read_one, read_two):
        os.close(read)


def commands(launcher: Launcher) -> list[str]:
    found = []
    for pid in marked({RUN: launcher._run}):
        try:
            found.append(Path(f"/proc/{pid}/comm").read_text().strip())
        except OSError:
            continue
    return sorted(found)


def test_reports_in_pieces() -> None:
    data = b"".join(map(wire.frame, (wire.Ready(), wire.Started(1, 2), wire.Exited(1, -9))))
    for size in (1, 3, 1000):
        reports = wire.Reports()
        found = [r for i in range(0, len(data), size) for r in reports.feed(data[i : i + size])]
        assert found == [wire.Ready(), wire.Started(1, 2), wire.Exited(1, -9)]


async def test_descriptors_stay_with_their_message() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    first, second = os.pipe()
    with ours, theirs:
        start = wire.Start(1, "a", None, ("x",), {}, "/")
        await wire.send(ours, start, [first])
        await wire.send(ours, wire.Kill(1, 9), [])
        await wire.send(ours, start, [first, second])
        counts = []
        for _ in range(3):
            received = wire.receive_order(theirs)
            assert received is not None
            counts.append(len(received[1]))
            wire.close_all(received[1])
        assert counts == [1, 0, 2]
        ours.close()
        assert wire.receive_order(theirs) is None
    wire.close_all((first, second))
