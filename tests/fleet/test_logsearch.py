"""Lines are found from the newest back, across files that have started over, and within bounds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skerry.fleet import logsearch
from skerry.fleet.loglines import Line, Wanted
from skerry.fleet.logs import LogFile, stamp
from skerry.fleet.logsearch import find

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def everybody(source: str) -> bool:
    return True


def write(folder: Path, source: str, lines: dict[float, str], size: int = 1 << 20) -> None:
    file = LogFile(folder / f"{source}.log", size=size)
    for when, text in lines.items():
        file.write(f"{stamp(when)} {text}\n".encode())
    file.close()


def said(message: str, **more: object) -> str:
    return json.dumps({"message": message, **more})


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def test_a_trace_is_found_in_all_sources_in_order(tmp_path: Path) -> None:
    write(tmp_path, "a-1", {1: said("one", trace_id=TRACE), 2: "other", 5: f"plain {TRACE}"})
    write(tmp_path, "together.1-1", {3: said("three", trace_id=TRACE, level="error")})
    write(tmp_path, "c-1", {4: said("four", trace_id="0" * 31 + "1", id=TRACE)})
    found = find(tmp_path, everybody, 10, Wanted(trace=TRACE))
    assert texts(found) == ["one", "three", f"plain {TRACE}"]
    assert [line.source for line in found] == ["a-1", "together.1-1", "a-1"]
    assert texts(find(tmp_path, everybody, 2, Wanted(trace=TRACE))) == texts(found)[-2:]
    assert texts(find(tmp_path, "a-1".__eq__, 9, Wanted(trace=TRACE, grep="on"))) == ["one"]
    assert find(tmp_path, everybody, 0, Wanted(trace=TRACE)) == []


def test_lines_of_one_moment_stay_in_their_order(tmp_path: Path) -> None:
    write(tmp_path, "a-1", {0: "ERROR 1"})
    with (tmp_path / "a-1.log").open("a") as file:
        file.writelines(f"{stamp(0)} ERROR {n}\n" for n in (2, 3))
    assert texts(find(tmp_path, everybody, 9, Wanted(level="error"))) == [
        "ERROR 1",
        "ERROR 2",
        "ERROR 3",
    ]


@pytest.mark.parametrize("block", [64, 100, 1000, 1 << 20])
def test_lines_are_whole_wherever_blocks_end(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logsearch, "_BLOCK", block)
    lines: dict[float, str] = {
        n: said(f"line {n}", level="error" if n % 3 else "info") for n in range(60)
    }
    write(tmp_path, "a-1", lines, size=1500)  # several files
    assert len(list(tmp_path.iterdir())) > 2
    kept = sum(path.read_text().count("\n") for path in tmp_path.iterdir())
    wanted = [f"line {n}" for n in range(60 - kept, 60) if n % 3]
    assert texts(find(tmp_path, everybody, 100, Wanted(level="error"))) == wanted
    assert texts(find(tmp_path, everybody, 4, Wanted(level="error"))) == wanted[-4:]


def test_nobody_reads_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logsearch, "_BLOCK", 1000)
    monkeypatch.setattr(logsearch, "MOST_READ", 4000)
    monkeypatch.setattr(logsearch, "MOST", 8000)
    for source in ("a-1", "b-1"):
        write(tmp_path, source, {n: said(f"{n}", trace_id=TRACE) for n in range(1000)})
    by_text = find(tmp_path, everybody, 1000, Wanted(grep="1"))
    by_trace = find(tmp_path, everybody, 1000, Wanted(trace=TRACE))
    assert 0 < len(by_text) < 100
    assert len(by_text) < len(by_trace) < 200
    assert {line.source for line in by_trace} == {"a-1", "b-1"}  # each has its share
    assert by_trace[-1].text == "999"


def test_without_wishes_it_is_the_tail(tmp_path: Path) -> None:
    write(tmp_path, "a-1", {n: said(f"{n}") for n in range(9)})
    assert texts(find(tmp_path, everybody, 3, Wanted())) == ["6", "7", "8"]


def test_a_source_is_told_in_its_own_order(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a-1",
        {
            1.005: said("logged", time="1970-01-01T00:00:01.004900Z"),
            1.0051: said("later", time="1970-01-01T00:00:01.005050Z"),
            1.0052: "printed",
        },
    )
    write(tmp_path, "b-1", {1.0053: said("other", time="1970-01-01T00:00:01.005001Z")})
    assert texts(find(tmp_path, everybody, 9, Wanted())) == ["logged", "other", "later", "printed"]
