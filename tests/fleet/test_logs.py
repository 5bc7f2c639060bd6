from __future__ import annotations

import asyncio
import gc
import io
import os
import time
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from skerry.fleet.console import Console
from skerry.fleet.loglines import Line
from skerry.fleet.logs import CHUNK, LONGEST_LINE, LogBook, LogFile, Splitter, stamp, tail


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 7))
def test_lines_are_the_same_however_the_bytes_come(lines: list[bytes], size: int) -> None:
    data = b"".join(line.replace(b"\n", b"") + b"\n" for line in lines) + b"rest"
    splitter = Splitter()
    found = [t for i in range(0, len(data), size) for t in splitter.feed(data[i : i + size])]
    found += splitter.finish()
    texts = [line.rstrip(b"\r").decode("utf-8", "backslashreplace") for line in data.split(b"\n")]
    assert found == texts


def test_a_line_without_end_is_cut() -> None:
    splitter = Splitter()
    found = splitter.feed(b"x" * (2 * LONGEST_LINE + 10))
    assert [len(text) for text in found] == [LONGEST_LINE, LONGEST_LINE]
    assert splitter.finish() == ["x" * 10]


def test_a_full_file_starts_over_and_some_are_kept(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "a.log", size=100, kept=2)
    for number in range(20):
        file.write(f"{stamp(0)} line {number:02}\n".encode())
    file.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1", "a.log.2"]
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())
    assert [line.text for line in tail(tmp_path, "a".__eq__, 4)] == [
        "line 16",
        "line 17",
        "line 18",
        "line 19",
    ]


def test_the_tail_of_several_is_in_the_order_of_time(tmp_path: Path) -> None:
    for name, times in (("a", (1, 4)), ("b", (2, 3, 5))):
        lines = "".join(f"{stamp(t)} {name}{t}\n" for t in times)
        (tmp_path / f"{name}.log").write_text(lines)
    found = tail(tmp_path, lambda source: True, 4)
    assert [line.text for line in found] == ["b2", "b3", "a4", "b5"]
    assert found[0].source == "b"
    assert tail(tmp_path, lambda source: True, 0) == []
    assert [line.text for line in tail(tmp_path, "a".__eq__, 10)] == ["a1", "a4"]


async def test_what_a_dead_process_had_written_is_read(tmp_path: Path) -> None:
    book = LogBook(tmp_path)
    pipe = book.pipe("one", lambda lines: None)
    os.write(pipe.write_end, b"first\nlast, without an end of line")
    pipe.opened()
    pipe.drain()
    pipe.close()
    texts = [line.text for line in tail(tmp_path, lambda _: True, 10)]
    assert texts == ["first", "last, without an end of line"]
    book.close()


async def test_one_that_prints_without_end_waits_in_its_own_pipe(tmp_path: Path) -> None:
    book = LogBook(tmp_path)
    seen = {"loud": 0, "quiet": 0}
    loud = book.pipe("loud", lambda lines: seen.update(loud=seen["loud"] + len(lines)))
    quiet = book.pipe("quiet", lambda lines: seen.update(quiet=seen["quiet"] + 1))
    os.set_blocking(loud.write_end, False)
    flood = b"0123456789abcde\n" * (CHUNK // 16)
    written, waited = 0, 0
    end = time.monotonic() + 20  # a busy machine may need some of it
    while (seen["quiet"] <= 5 or not waited) and time.monotonic() < end:
        for _ in range(64):
            try:
                written += os.write(loud.write_end, flood)
            except BlockingIOError:
                waited += 1
                break
        os.write(quiet.write_end, b"still here\n")
        await asyncio.sleep(0.005)
    assert waited > 0  # it was held back
    assert seen["quiet"] > 5  # and nobody else was
    loud.drain()
    assert seen["loud"] * 16 == written  # and nothing was lost
    for pipe in (loud, quiet):
        pipe.close()
    book.close()


async def test_followers_get_what_they_asked_for_and_slow_ones_hear_of_a_gap(
    tmp_path: Path,
) -> None:
    book = LogBook(tmp_path)
    only = book.follow("a".__eq__)
    slow = book.follow(lambda _: True)
    slow._limit = 2
    book.write("a", ["1"])
    book.write("b", ["2", "3"])
    assert [line.text for line in await anext(only)] == ["1"]
    assert [line.text for line in await anext(slow)] == ["(1 lines not shown)", "2", "3"]
    del only, slow
    gc.collect()
    assert not book._followers
    book.close()


def test_the_console_aligns_names_and_colours_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    plain, terminal = io.StringIO(), Terminal()
    for stream in (plain, terminal):
        console = Console(stream, width=6)
        console.show(Line("", "a-1", "one"))
        console.show(Line("", "longer-1", "two"))
        console.show(Line("", "a-2", "three"))
        console.close()
    assert plain.getvalue() == "a-1    | one\nlonger-1 | two\na-2      | three\n"
    first, _, third = terminal.getvalue().splitlines()
    assert first.startswith("\x1b[36ma-1    |\x1b[0m ")
    assert third.startswith("\x1b[36m")


def test_a_console_that_nobody_reads_does_not_hold_up_the_fleet() -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream:
        console = Console(stream)
        began = time.monotonic()
        for number in range(30_000):
            console.show(Line("", "a-1", f"{number} " + "x" * 100))
        assert time.monotonic() - began < 5
        assert console._lost > 0
        os.close(read)
        console.close()


def test_a_full_disk_does_not_stop_anything(tmp_path: Path) -> None:
    shown: list[Any] = []
    book = LogBook(tmp_path, shown.append)
    (tmp_path / "a.log").mkdir()
    book.write("a", ["still shown"])
    assert [line.text for line in shown] == ["still shown"]
