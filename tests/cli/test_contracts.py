"""Contracts, stacks and clients of apps that do not run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skerry.cli.clients import default_folder

OPENAPI = Path("greeter.openapi.json")


def test_a_contract_is_read_from_the_code(planted: Path, run: Callable[..., Any]) -> None:
    done = run("contract", "show", "greeter")
    assert done.status == 0 and "is here" not in done.out
    assert done.out.splitlines()[0] == "greeter 1.2.0"
    assert "greet      POST    /greetings" in done.out
    assert json.loads(run("contract", "export", "greeter", "-").out)["info"]["version"] == "1.2.0"
    assert run("contract", "export", "greeter").err == f"wrote {OPENAPI}\n"
    assert json.loads(OPENAPI.read_text())["info"]["title"] == "greeter"


def test_apps_without_one(planted: Path, run: Callable[..., Any]) -> None:
    done = run("contract", "show", "plain")
    assert done.status == 1 and "plain: app:app is a builtins.function, which has no" in done.err
    assert "Did you mean 'greeter'?" in run("contract", "show", "greter").err


def test_apps_that_cannot_be_imported(planted: Path, run: Callable[..., Any]) -> None:
    file = planted / "greeter/greeter/app.py"
    file.write_text("import nowhere_to_be_found\napp = None\n")
    done = run("contract", "show", "greeter")
    assert done.status == 1
    assert "No module named 'nowhere_to_be_found'" in done.err
    assert f"at {file}:1" in done.err and "Traceback" not in done.err
    file.write_text("import os\napp = os._exit(7)\n")
    assert "could not be asked: status 7" in run("contract", "show", "greeter").err


def test_an_app_has_its_environment(planted: Path, run: Callable[..., Any]) -> None:
    with (planted / "fleet.toml").open("a") as file:
        file.write(
            '[apps.other]\nneeds = ["greeter"]\nenv = { VERSION = "7.7", URL = "{greeter.url}" }\n'
        )
    (planted / "other").mkdir()
    (planted / "other/app.py").write_text(
        "import os\nfrom skerry import App\nassert 'URL' not in os.environ\n"
        "app = App('other', version=os.environ['VERSION'])\n"
    )
    assert run("contract", "show", "other").out.startswith("other 7.7")


def test_a_command_has_no_code_to_ask(planted: Path, run: Callable[..., Any]) -> None:
    with (planted / "fleet.toml").open("a") as file:
        file.write('[apps.cmd]\npath = "plain"\ncommand = "serve $PORT"\n')
    done = run("contract", "show", "cmd")
    assert done.status == 1 and "`skerry up`" in done.err
    stack = run("stack", "cmd")
    assert stack.status == 1 and "can be asked for its stack" in stack.err


def test_stacks(planted: Path, run: Callable[..., Any]) -> None:
    rows = json.loads(run("stack", "greeter", "--json").out)
    assert [row["role"] for row in rows][:2] == ["observe", "deadline"]
    assert all(row["because"] for row in rows)
    shown = run("stack", "greeter", "--endpoint", "greeting").out
    assert shown.startswith("WHERE") and "outermost" in shown
    client = run("stack", "greeter", "--client", "plain", "--json")
    assert {"retry", "balance", "breaker"} <= {row["role"] for row in json.loads(client.out)}
    assert client.err == ""
    stranger = run("stack", "greeter", "--client", "plan")
    assert stranger.status == 0 and "Did you mean 'plain'?" in stranger.err
    assert "Did you mean 'greeting'?" in run("stack", "greeter", "--endpoint", "greting").err
    assert run("stack", "plain").status == 1


def test_a_stack_is_shown_as_its_app_has_set_it(planted: Path, run: Callable[..., Any]) -> None:
    with (planted / "greeter/greeter/app.py").open("a") as file:
        file.write(
            "from skerry.stack.client import ClientSettings\n"
            "plain = app.client('plain')\n"
            "app.calls('plain', ClientSettings(retry=None))\n"
        )
    rows = json.loads(run("stack", "greeter", "--client", "plain", "--json").out)
    assert {row["role"]: row["filter"] for row in rows}["retry"] == ""
    with (planted / "greeter/greeter/app.py").open("a") as file:
        file.write("app.calls('plane', ClientSettings())\n")
    assert "Did you mean 'plain'?" in run("stack", "greeter", "--client", "plain").err


def test_a_client_lives_and_grows_old(planted: Path, run: Callable[..., Any]) -> None:
    done = run("client", "add", "greeter", "plain/clients/greeter.py")
    assert done.out.startswith("wrote plain/clients/greeter.py: 2 operations")
    module = planted / "plain/clients/greeter.py"
    assert "# source: app:greeter" in module.read_text()
    assert run("client", "check").status == 0
    file = planted / "greeter/greeter/app.py"
    file.write_text(file.read_text().replace("1.2.0", "2.0.0"))
    stale = run("client", "check", "plain")
    assert stale.status == 1 and "is at 2.0.0" in stale.out and "update" in stale.err
    (entry,) = json.loads(run("client", "check", "--json").out)
    assert entry["path"] == "plain/clients/greeter.py" and "1.2.0" in entry["stale"]
    assert run("client", "update").out == "updated  plain/clients/greeter.py\n"
    assert run("client", "update").out == "current  plain/clients/greeter.py\n"
    assert run("client", "check").out == "current  plain/clients/greeter.py\n"


def test_a_client_of_a_document(
    planted: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("contract", "export", "greeter")
    monkeypatch.chdir(planted / "greeter")
    assert "wrote" in run("client", "add", "../greeter.openapi.json", "--name", "hello-you").out
    module = planted / "greeter/greeter/clients/hello_you.py"
    assert "# source: ../../../greeter.openapi.json" in module.read_text()
    monkeypatch.chdir(planted)
    assert run("client", "check").status == 0
    plain = run("client", "add", str(OPENAPI), "theirs.py", "--plain")
    assert plain.status == 0 and "import httpx" in Path("theirs.py").read_text()


def test_clients_that_cannot_be_written(planted: Path, run: Callable[..., Any]) -> None:
    for words, said in (
        (("client", "add", "nobody"), "there is no app 'nobody'"),
        (("client", "add", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        (("client", "check"), "no generated client is in this folder"),
        (("client", "check", "nowhere"), "there is no such file or folder"),
        (("client", "update", "plain/app.py"), "was not generated by skerry"),
    ):
        done = run(*words)
        assert done.status == 1 and said in done.err, done


def test_clients_stand_beside_the_code(tmp_path: Path) -> None:
    here = tmp_path / "my-app"
    here.mkdir()
    assert default_folder(here) == here / "clients"
    (here / "my_app").mkdir()
    (here / "my_app/__init__.py").touch()
    assert default_folder(here) == here / "my_app/clients"


DAEMON = """
from msgspec import Struct
from skerry import App
from skerry.bus.event import event

@event("a.settled")
class Settled(Struct):
    id: str

app = App("plain")

@app.on(Settled, lease=60)
async def book(settled: Settled) -> None: ...

@app.every("1h")
async def report() -> None: ...
"""
DATABASE = """
from skerry.data.database import Database

@app.resource
def database() -> Database: ...
"""


def test_the_stack_of_a_handler(planted: Path, run: Callable[..., Any]) -> None:
    file = planted / "plain" / "app.py"
    file.write_text(DAEMON)
    rows = json.loads(run("stack", "plain", "--json").out)
    shown = {row["role"]: row["filter"] for row in rows}
    assert [row["half"] for row in rows] == ["consumer"] * 5
    assert "handler='plain.book'" in shown["observe"] and shown["lease"] == "KeepLease(60 s)"
    assert shown["inbox"] == ""
    assert "plain.report" in run("stack", "plain", "--handler", "report").out
    assert "Did you mean 'report'?" in run("stack", "plain", "--handler", "repport").err
    done = run("stack", "plain", "--handler", "book", "--client", "greeter")
    assert done.status == 2 and "one stack at a time" in done.err
    file.write_text(DAEMON + DATABASE)
    rows = json.loads(run("stack", "plain", "--json").out)
    assert rows[-1]["filter"] == "skerry.filters.inbox.EffectivelyOnce"


def test_the_events_of_an_app(planted: Path, run: Callable[..., Any]) -> None:
    (planted / "plain" / "app.py").write_text(DAEMON + "app.publishes(Settled)\n")
    assert "`skerry contract show plain --events`" in run("contract", "show", "plain").err
    shown = run("contract", "show", "plain", "--events").out
    assert "a.settled.v1  receive" in shown and "a.settled.v1  send" in shown
    assert "tick" not in shown
    document = json.loads(run("contract", "export", "plain", "-", "--events").out)
    assert document["asyncapi"] == "3.0.0"
    assert document == json.loads(run("contract", "show", "plain", "--events", "--json").out)
    assert run("contract", "export", "plain", "--events").err == "wrote plain.asyncapi.json\n"
    none = run("contract", "show", "greeter", "--events")
    assert none.status == 1 and "has no events to show" in none.err


def test_a_client_carries_events(planted: Path, run: Callable[..., Any]) -> None:
    file = planted / "plain" / "app.py"
    file.write_text(DAEMON + "app.publishes(Settled)\n")
    done = run("client", "add", "plain", "greeter/greeter/clients/plain.py")
    assert done.out.endswith("0 operations, 1 models, 1 events\n")
    module = planted / "greeter/greeter/clients/plain.py"
    assert '@event("a.settled")\nclass Settled(Struct' in module.read_text()
    assert run("client", "check").status == 0
    file.write_text(file.read_text().replace("    id: str", "    id: str\n    cents: int"))
    stale = run("client", "check")
    assert stale.status == 1 and "the contract changed" in stale.out
    assert run("client", "update").status == 0
    assert "cents: int" in module.read_text()
    run("contract", "export", "plain", "--events")
    assert "1 events" in run("client", "add", "./plain.asyncapi.json", "theirs.py").out
    plain = run("client", "add", "plain", "without.py", "--plain")
    assert "left out a.settled.v1: events are heard with Skerry's bus" in plain.err
