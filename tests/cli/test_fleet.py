"""A real little fleet, by command lines alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .conftest import Ran, plant, spawn


def status(root: Path) -> dict[str, Any]:
    done = spawn("ps", "--json", cwd=root)
    assert done.status == 0, done
    found: dict[str, Any] = json.loads(done.out)
    return found


def call(root: Path, *words: str, **options: Any) -> Ran:
    return spawn("call", *words, cwd=root, **options)


def test_ps(small: Path) -> None:
    states = {row["id"]: row["state"] for row in status(small)["instances"]}
    assert states == {"greeter-1": "ready", "plain-1": "ready"}
    shown = spawn("ps", cwd=small / "greeter").out
    assert "greeter" in shown and "front door: http://127.0.0.1:" in shown
    assert "\x1b" not in shown
    other = spawn("ps", "--file", str(small), cwd=Path("/"))
    assert other.out.splitlines()[0] == shown.splitlines()[0]


def test_ps_goes_on_until_it_is_stopped(small: Path) -> None:
    command = [sys.executable, "-m", "skerry.cli.main", "ps", "--watch", "0.01"]
    with subprocess.Popen(
        command, cwd=small, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        seen = 0
        while seen < 3:
            seen += "front door" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == ""


def test_a_call(small: Path) -> None:
    body = json.dumps({"text": "hi", "times": 2})
    done = call(small, "greeter.greet", "--json", body, "loud=true")
    assert done.status == 0, done
    assert json.loads(done.out) == {"text": "HI HI", "by": "greeter-1"}
    assert done.out.startswith('{\n  "')
    words = call(small, "greeter.greet", "text=hi", "times=3")
    assert json.loads(words.out)["text"] == "hi hi hi"


def test_a_body_from_a_file_or_from_stdin(small: Path, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text('{"text": "file"}')
    assert json.loads(call(small, "greeter.greet", "--json", f"@{file}").out)["text"] == "file"
    done = call(small, "greeter.greet", "--json", "-", input='{"text": "stdin"}')
    assert json.loads(done.out)["text"] == "stdin"


def test_verbose_speaks_on_stderr(small: Path) -> None:
    done = call(small, "greeter.greeting", "name=a b", "x-tenant=t", "--verbose")
    assert json.loads(done.out) == {"text": "a b", "by": "t"}
    assert "/greetings/a%20b" in done.err and "200 OK in" in done.err
    assert "content-type: application/json" in done.err


def test_a_problem_goes_to_stderr(small: Path) -> None:
    done = call(small, "greeter.greet", "text=rude")
    assert (done.status, done.out) == (1, "")
    assert json.loads(done.err)["title"] == "Nobody says that here"
    wrong = call(small, "greeter.greet", "text=a", "times=many")
    assert json.loads(wrong.err)["errors"][0]["pointer"] == "#/times"


def test_calls_that_cannot_be_made(small: Path) -> None:
    for words, said in (
        (("greter.greet",), "Did you mean 'greeter'?"),
        (("greeter.gret",), "Did you mean 'greet'?"),
        (("greeter",), "say APP.OPERATION"),
        (("greeter.greet", "--json", "{"), "--json is not JSON"),
        (("greeter.greet", "--json", "@/nowhere"), "No such file"),
        (("greeter.greet", "--json", "{}", "--data", "x"), "only one can"),
        (("plain.get",), "plain serves no contract"),
    ):
        done = call(small, *words)
        assert done.status > 0 and said in done.err, done
        assert "Traceback" not in done.err and done.out == ""


def test_bytes_that_are_not_text(small: Path) -> None:
    raw = os.fsdecode(b"\xff")
    wrong = call(small, "greeter.greet", "--json", raw)
    assert wrong.status == 2 and "--json is not JSON" in wrong.err
    for words in ((f"name={raw}",), ("name=a", f"x-tenant={raw}")):
        done = call(small, "greeter.greeting", *words)
        assert done.status == 1 and "fault of Skerry" not in done.err, done


def test_counts_show(small: Path) -> None:
    call(small, "greeter.greeting", "name=x")
    deadline = time.monotonic() + 10
    while not (counts := status(small)["apps"][0]["counts"])["requests"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert counts["p99_ms"] > 0


def test_logs(small: Path) -> None:
    done = spawn("logs", "greeter", cwd=small)
    assert "greeter-1 | greeter is here" in done.out
    lines = [json.loads(line) for line in spawn("logs", "--json", cwd=small).out.splitlines()]
    assert {"fleet", "greeter-1"} <= {line["source"] for line in lines}
    assert len(spawn("logs", "-n", "1", cwd=small).out.splitlines()) == 1
    both = spawn("logs", "greeter", "fleet", cwd=small).out
    assert "greeter-1 |" in both and "fleet" in both
    assert "nothing named 'nobody'" in spawn("logs", "nobody", cwd=small).err


def test_restart_is_seen_by_who_follows(small: Path) -> None:
    command = [sys.executable, "-m", "skerry.cli.main", "logs", "-f", "-n", "1", "greeter", "plain"]
    with subprocess.Popen(command, cwd=small, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        before = {row["app"]: row["pid"] for row in status(small)["instances"]}
        assert "greeter is here" in process.stdout.readline()  # it has begun to follow
        done = spawn("restart", "greeter", cwd=small)
        assert (done.status, done.out) == (0, "greeter: 1 of 1 ready\n")
        assert "greeter is here" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
    after = {row["app"]: row["pid"] for row in status(small)["instances"]}
    assert after["greeter"] != before["greeter"] and after["plain"] == before["plain"]


def test_scale(small: Path) -> None:
    done = spawn("scale", "greeter", "2", "--json", cwd=small)
    assert done.status == 0 and json.loads(done.out)["ready"] == 2
    shown = spawn("ps", cwd=small).out
    assert "2/2 ready" in shown and "  greeter-2" in shown
    assert spawn("scale", "greeter", "1", cwd=small).out == "greeter: 1 of 1 ready\n"
    assert "from 0 to 100" in spawn("scale", "greeter", "1000", cwd=small).err
    assert "Did you mean 'greeter'?" in spawn("restart", "greter", cwd=small).err


def test_contracts_of_the_running_app(small: Path) -> None:
    done = spawn("contract", "show", "greeter", cwd=small)
    assert done.out.startswith("greeter 1.2.0") and "POST" in done.out
    whole = json.loads(spawn("contract", "show", "greeter", "--json", cwd=small).out)
    assert whole["openapi"].startswith("3.1")
    assert "serves no contract" in spawn("contract", "show", "plain", cwd=small).err


def test_doctor_beside_a_running_fleet(small: Path) -> None:
    findings = json.loads(spawn("doctor", "--json", cwd=small).out)
    found = {finding["what"]: finding for finding in findings}
    assert "running" in found["fleet"]["detail"]


def test_a_second_up_is_refused(small: Path) -> None:
    done = spawn("up", "--detach", cwd=small)
    assert done.status == 1 and "is running already" in done.err


def test_what_crashes_is_told(tmp_path: Path) -> None:
    root = plant(tmp_path)
    (root / "greeter/greeter/app.py").write_text("app = 1 / 0\n")
    try:
        up = spawn("up", "--detach", "--only", "greeter", cwd=root)
        assert up.status == 1 and "ZeroDivisionError" in up.out
        shown = spawn("ps", cwd=root)
        assert "ZeroDivisionError" in shown.out
        done = call(root, "greeter.greet")
        assert done.status == 1 and "`skerry logs greeter` says why" in done.err
    finally:
        assert spawn("down", cwd=root).status == 0
    kept = spawn("logs", "greeter", cwd=root)
    assert kept.status == 0 and "ZeroDivisionError" in kept.out


def test_in_the_foreground_until_ctrl_c(tmp_path: Path) -> None:
    root = plant(tmp_path)
    command = [sys.executable, "-m", "skerry.cli.main", "up", "--only", "greeter"]
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            if "front door" in line:
                break
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
    down = spawn("down", cwd=root)
    assert down.status == 0 and "no fleet was running" in down.err
