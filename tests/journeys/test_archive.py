"""The last runs, on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from skerry.journeys.archive import Archive, Lead
from skerry.journeys.model import Failure, Result, Screenshot, StepResult
from skerry.journeys.run import new_id


def result(run: str, ok: bool = True, shot: Path | None = None) -> Result:
    return Result(
        journey="pay",
        run=run,
        trace="0" * 31 + "1",
        started=datetime(2026, 1, 1, tzinfo=UTC),
        duration=0.5,
        ok=ok,
        steps=[StepResult("a", 1.0, ok)],
        error=None if ok else Failure("ValueError", "x", "a"),
        screenshots=[Screenshot("failure", "a", str(shot))] if shot else [],
    )


def test_in_short_each_is_read_once(tmp_path: Path) -> None:
    archive = Archive(tmp_path, keep=3)
    assert (archive.marks("pay"), archive.journeys()) == ([], [])
    for number in range(4):
        archive.add(result(f"{number:016x}", ok=number != 2))
    marks = archive.marks("pay")
    assert [(mark.run, mark.ok) for mark in marks] == [
        (f"{number:016x}", number != 2) for number in (3, 2, 1)
    ]
    assert archive.journeys() == ["pay"]
    (tmp_path / "pay" / f"{3:016x}.json").write_text("not read again")
    (tmp_path / "pay" / f"{2:016x}.json").unlink()
    (tmp_path / "pay" / f"{4:016x}.json").write_text("no run at all")
    assert archive.marks("pay") == [marks[0], marks[2]]


def test_newest_first_and_the_oldest_go(tmp_path: Path) -> None:
    archive = Archive(tmp_path, keep=3)
    for number in range(5):
        shot = tmp_path / "pay" / f"{number:016x}-1.png"
        shot.parent.mkdir(exist_ok=True)
        shot.write_bytes(b"png")
        archive.add(result(f"{number:016x}", shot=shot))
    assert [run.run for run in archive.runs("pay")] == [f"{n:016x}" for n in (4, 3, 2)]
    assert [run.run for run in archive.runs("pay", 1)] == [f"{4:016x}"]
    assert sorted(file.name for file in (tmp_path / "pay").iterdir()) == [
        f"{number:016x}{end}" for number in (2, 3, 4) for end in ("-1.png", ".json")
    ]


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    kept = Archive(tmp_path).add(result("00a", ok=False))
    assert Archive(tmp_path).run("pay", "00a") == kept
    assert Archive(tmp_path).runs("pay") == [kept]
    assert Archive(tmp_path / "elsewhere").runs("pay") == []


def test_only_pictures_that_a_run_names(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    shot = archive.shots("pay") / "00a-1.png"
    shot.parent.mkdir(parents=True)
    shot.write_bytes(b"png")
    kept = archive.add(result("00a", shot=shot))
    assert [one.file for one in kept.screenshots] == ["00a-1.png"]
    assert archive.screenshot("pay", "00a", "00a-1.png") == b"png"
    (tmp_path / "pay" / "secret.png").write_bytes(b"x")
    for run, name in [("00a", "secret.png"), ("00b", "00a-1.png"), ("../pay/00a", "00a-1.png")]:
        assert archive.screenshot("pay", run, name) is None
    shot.unlink()
    assert archive.screenshot("pay", "00a", "00a-1.png") is None


def test_a_file_that_is_broken_is_passed_over(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.add(result("00a"))
    for name, content in [("00b.json", b"{"), ("00c.json", b"{}"), (".00d", b"half")]:
        (tmp_path / "pay" / name).write_bytes(content)
    assert [run.run for run in archive.runs("pay")] == ["00a"]


def test_ids_are_sortable_and_different() -> None:
    ids = [new_id() for _ in range(2_000)]
    assert len(set(ids)) == 2_000
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {16}


def test_one_leads_until_it_is_gone(tmp_path: Path) -> None:
    first, second = Lead(tmp_path / "new"), Lead(tmp_path / "new")
    assert first.held()
    assert first.held()
    assert not second.held()
    first.close()
    assert second.held()
    second.close()


def test_a_killed_leader_is_followed_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom skerry.journeys.archive import Lead\n"
        f"lead = Lead(Path({os.fspath(tmp_path)!r}))\nprint(lead.held(), flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        mine = Lead(tmp_path)
        assert not mine.held()
        other.kill()
        other.wait()
        assert mine.held()
        mine.close()
