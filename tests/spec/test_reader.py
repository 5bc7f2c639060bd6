"""fleet.toml → Fleet, and everything that can be wrong on the way."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.errors import ConfigError
from skerry.spec import (
    AppSpec,
    BusSpec,
    Fleet,
    JourneysSpec,
    ObjectiveSpec,
    SpecError,
    find,
    load,
    loads,
    located,
)
from skerry.spec.keys import TABLES

GOOD = """\
[fleet]
name = "tuition"
together = [["portal", "quotes"]]

[front]
port = 8080
routes = { "/" = "portal" }

[apps.portal]
needs = ["quotes", "stripe"]

[apps.quotes]
needs = ["database"]
env = { LEVEL = "info", DB = "{database.host}" }

[apps.legacy]
command = "flask --app legacy run --port $PORT"
instances = 2
port = 8001
health = "/healthz"

[apps.worker]
path = "legacy"
command = "celery worker"
http = false

[apps.billing]
git = "https://git.example/billing.git"
tag = "release/1.2"
path = "src"

[apps.stripe]
url = "https://api.stripe.example/v1/"

[backings.database]
kind = "postgresql"
database = "shared"

[backings.search]
url = "opensearch+https://search.example"

[backings.broker]
kind = "rabbitmq"

[bus]
backing = "broker"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for file in ("portal/portal/app.py", "quotes/main.py", "legacy/legacy.py"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text("app = None\n")
    return tmp_path


def read(root: Path, text: str) -> Fleet:
    return loads(text.encode(), root / "fleet.toml")


def faults(root: Path, text: str) -> list[str]:
    """What is said about ``text``, without the file's path."""
    with pytest.raises(SpecError) as caught:
        read(root, text)
    return str(caught.value).replace(f"{root / 'fleet.toml'}:", "").splitlines()


def test_reads_a_fleet(root: Path) -> None:
    (root / "fleet.toml").write_text(GOOD)
    fleet = load(root)
    assert fleet == load(root / "fleet.toml") == load(os.path.relpath(root))
    assert fleet.name == "tuition"
    assert fleet.root == root
    assert fleet.together == (("portal", "quotes"),)
    assert fleet.front is not None
    assert (fleet.front.port, fleet.front.host) == (8080, "127.0.0.1")
    assert fleet.front.routes == {"/": "portal"}
    apps = fleet.apps
    assert apps["portal"] == AppSpec(
        "portal", root / "portal", app="portal.app:app", needs=("quotes", "stripe")
    )
    assert apps["quotes"].app == "main:app"
    assert apps["quotes"].env == {"LEVEL": "info", "DB": "{database.host}"}
    assert apps["legacy"].kind == "command"
    assert list(apps["legacy"].ports) == [8001, 8002]
    assert apps["worker"].path == root / "legacy"
    assert not apps["worker"].http
    assert apps["billing"].path == root / ".skerry/sources/billing/release%2F1.2/src"
    assert apps["billing"].app is None
    assert apps["stripe"].url == "https://api.stripe.example/v1"
    assert apps["stripe"].kind == "outside"
    assert fleet.backings["database"].database == "shared"
    assert fleet.backings["search"].kind == "opensearch"
    assert fleet.bus == BusSpec(backing="broker")
    assert fleet.notes == ()


def test_each_fault_has_its_line_and_key(root: Path) -> None:
    cases = {
        "[apps.portal]\nneed = []": '2: apps.portal.need: no such key (did you mean "needs"?)',
        "[apps.portal]\nneeds = [\n'portal']": (
            "3: apps.portal.needs[0]: an app does not need itself"
        ),
        "[apps.portal]\nneeds = ['qoutes']\n[apps.quotes]": (
            '2: apps.portal.needs[0]: no app or backing is called "qoutes" (did you mean "quotes"?)'
        ),
        "[apps.portal]\ninstances = 0": "2: apps.portal.instances: is 1 to 999, not 0",
        "[apps.portal]\ninstances = true": (
            "2: apps.portal.instances: takes a whole number, not true or false"
        ),
        "[apps.portal]\napp = 'portal.py'": (
            '2: apps.portal.app: "portal.py" is not package.module:variable, like "quotes.app:app"'
        ),
        "[apps.portal]\nenv.A = '{quotes.url}'\n[apps.quotes]": (
            '2: apps.portal.env.A: speaks of "quotes", which is not in needs'
        ),
        "[apps.portal]\nenv.A = '{quotes.ulr}'\nneeds=['quotes']\n[apps.quotes]": (
            '2: apps.portal.env.A: an address has no part "ulr" (did you mean "url"?)'
        ),
        "[apps.portal]\nhealth = 'healthz'": (
            '2: apps.portal.health: "healthz" is not a path: it begins with a slash'
        ),
        "[apps.portal]\npython = 'no'": (
            '2: apps.portal.python: "no" is neither an interpreter nor a virtual environment'
        ),
        "[apps.portal]\ngit = 'x'\ntag = '--upload-pack=x'": (
            '3: apps.portal.tag: "--upload-pack=x" is not a tag git would take'
        ),
        "[apps.portal]\ngit = 'x'\ntag = '../../x'": (
            '3: apps.portal.tag: "../../x" is not a tag git would take'
        ),
        "[apps.portal]\nhttp = false": "2: apps.portal.http: goes with command: an app serves HTTP",
        "[apps.portal]\nport = 65535\ninstances = 2": (
            "2: apps.portal.port: instances need ports up to 65536; the last port is 65535"
        ),
        "[apps]\nportal = 3": "2: apps.portal: is a table: [apps.portal]",
        "apps = 3": "1: apps: is a table of tables: [apps.NAME]",
        "[apps.portal]\n[front]": '2: front: has no routes: routes = { "/" = "APP" }',
        "[apps.portal]\n[front]\nroutes = {'/' = 'w'}\n[apps.w]\npath = '.'\ncommand = 'x'\n"
        "http = false": '3: front.routes."/": w is a worker (http = false) and answers nothing',
        "[apps.portal]\n[backings.portal]\nkind = 'redis'": (
            '2: backings.portal: there is an app called "portal" as well'
        ),
        "[apps]\n[backings.b]\nkind = 'postgres'": (
            '3: backings.b.kind: "postgres" cannot be started here (did you mean "postgresql"?); '
            "or say url"
        ),
        "[apps]\n[backings.b]": (
            "2: backings.b: has no kind: postgresql, redis, rabbitmq; or a url"
        ),
        "[apps]\n[backings.b]\nurl = 'redis://h'\nport = 1": (
            "4: backings.b.port: is for what is started here; url has its own"
        ),
        "[apps]\n[backings.b]\nkind = 'redis'\ndatabase = 'x'": (
            "4: backings.b.database: goes with kind = postgresql"
        ),
        "[apps]\n[backings.b]\nurl = 'redis://h:x'": (
            '3: backings.b.url: "redis://h:x" is not a URL: Port could not be cast to integer '
            "value as 'x'"
        ),
        "[apps]\n[observe]\nurl = 'http://h'\ncollector = true": (
            "4: observe.collector: is for a collector of the fleet's own"
        ),
        "[apps]\n[observe]\nconsole = false\nport = 9": (
            "4: observe.port: is the console's, and there is none"
        ),
        "[apps.portal]\nport = 9\n[observe]\nport = 9": (
            "2: apps.portal.port: port 9 is the console's already"
        ),
        "[apps]\n[alerts]\nsmtp = 'smtp://h'": "3: alerts.smtp: needs sender beside it",
        "[apps]\n[alerts]\nsmtp = 'h:25'\nsender = 'a@b'": (
            '3: alerts.smtp: "h:25" is not a mail server: smtp://host:25, '
            "smtps://user:password@host"
        ),
        "[apps.portal]\nowner = 'bob'": (
            '2: apps.portal.owner: "bob" is neither an e-mail address nor the URL of a webhook'
        ),
        "[apps.portal]\nobjectives = [{ latency = '3h' }]": (
            '2: apps.portal.objectives[0].latency: "3h" is not a duration: "300ms", "2s", or '
            "seconds as a number"
        ),
        "[apps.portal]\nobjectives = [{ endpoint = 'GET /' }]": (
            "2: apps.portal.objectives[0]: promises nothing: availability in percent, "
            "latency in seconds"
        ),
        "[apps.portal]\nobjectives = [{ availability = 100 }]": (
            "2: apps.portal.objectives[0].availability: is more than 0 and less than 100 "
            "percent, not 100"
        ),
        "[apps]\n[journeys]\nprobe = true": (
            "3: journeys.probe: there is no folder journeys beside fleet.toml"
        ),
        "[apps]\n[journeys]\npath = 'trips'": (
            "3: journeys.path: there is no folder trips beside fleet.toml"
        ),
        "[apps]\n[journeys]\nkeep = 0": "3: journeys.keep: is 1 to 10000, not 0",
        "[apps]\n[journeys]\nprob = true": (
            '3: journeys.prob: no such key (did you mean "probe"?)'
        ),
        "[apps]\n[journeys]\nobjectives = [{ endpoint = 'pay', availability = 99 }]": (
            "3: journeys.objectives[0].endpoint: no such key (there are availability, journey, "
            "latency, within)"
        ),
        "[apps.journeys]\nurl = 'http://h'\n[journeys]\nprobe = true\npath = 'portal'": (
            "1: apps.journeys: is what the probe is called; give it another name"
        ),
        "[apps]\n[observe]\nkeep_mib = 1": "3: observe.keep_mib: is 16 to 1048576, not 1",
        "[apps]\n[bus]": "2: bus: says nothing: give it a url or a backing",
        "[apps]\n[bus]\nurl = 'amqp://h'\nbacking = 'b'\n[backings.b]\nkind = 'rabbitmq'": (
            "4: bus.backing: cannot be beside url: one of them carries it"
        ),
        "[apps]\n[bus]\nurl = 'kafka://h'": (
            '3: bus.url: "kafka://h" is not the URL of a bus: sqlite:///path/to/bus.db or amqp://…'
        ),
        "[apps]\n[bus]\nurl = 'sqlite://bus.db'": (
            '3: bus.url: "sqlite://bus.db" names no file; write sqlite:///path, or '
            "sqlite:////absolute/path"
        ),
        "[apps]\n[bus]\nurl = 'amqp://'": ('3: bus.url: "amqp://" is not a URL: it names no host'),
        "[apps]\n[bus]\nbacking = 'brokre'\n[backings.broker]\nkind = 'rabbitmq'": (
            '3: bus.backing: no backing is called "brokre" (did you mean "broker"?)'
        ),
        "[apps]\n[bus]\nbacking = 'db'\n[backings.db]\nkind = 'postgresql'": (
            "3: bus.backing: db is a postgresql; the bus takes a rabbitmq"
        ),
        "[apps.portal]\nenv = { SKERRY_BUS = 'x' }": (
            "2: apps.portal.env.SKERRY_BUS: is set by the fleet; say where the bus is under [bus]"
        ),
        "[fleet]\ntogether = ['portal', 'quotes']\n[apps.portal]\ninstances = 2\n[apps.quotes]": (
            "2: fleet.together: portal, quotes share a process, so they have the same instances"
        ),
        "": "1: no apps: give it at least one [apps.NAME]",
        "[apps.portal]\nx = \ny = 1": "2: is not TOML: Invalid value, at column 5",
        "[apps.portal]\nx = ": "2: is not TOML: Invalid value",
        "[apps.portal]\nx = [": "2: is not TOML: Invalid value",
        "[apps.portal]\n[apps.portal]": (
            "2: is not TOML: Cannot declare ('apps', 'portal') twice, at column 13"
        ),
    }
    for text, said in cases.items():
        assert faults(root, text) == [said], text


def test_all_of_them_at_once_and_in_order(root: Path) -> None:
    text = """\
[fleet]
name = "My Fleet"
together = [["portal", "legacy"], [
    "nobody", "portal"]]
[fronts]
[apps.portal]
need = ["quotes"]
needs = ["qoutes", 3, "x", "x"]
env = { A = 1, "B-C" = "x", PORT = "1", D = true }
[apps.legacy]
command = "flask"
app = "legacy:app"
git = "x"
[apps.worker]
path = "legasy"
command = "celery"
http = false
port = 1
[apps.My_App]
[apps.out]
url = "ftp://x"
instances = 1
"""
    found = [line.split(": ")[:2] for line in faults(root, text)]
    assert found == [
        ["2", "fleet.name"],
        ["3", "fleet.together[0][1]"],
        ["4", "fleet.together[1][0]"],
        ["4", "fleet.together[1][1]"],
        ["5", "fronts"],
        ["7", "apps.portal.need"],
        ["8", "apps.portal.needs[1]"],
        ["8", "apps.portal.needs[3]"],
        ["9", "apps.portal.env.A"],
        ["9", "apps.portal.env.B-C"],
        ["9", "apps.portal.env.D"],
        ["9", "apps.portal.env.PORT"],
        ["11", "apps.legacy.command"],
        ["13", "apps.legacy.git"],
        ["15", "apps.worker.path"],
        ["18", "apps.worker.port"],
        ["19", "apps.My_App"],
        ["21", "apps.out.url"],
        ["22", "apps.out.instances"],
    ]


def test_errors_before_there_is_a_document(root: Path) -> None:
    file = root / "fleet.toml"
    with pytest.raises(SpecError, match=r"fleet\.toml: there is no such file: `skerry init`"):
        load(root)
    with pytest.raises(SpecError, match="no such file"):
        load(root / "portal/portal/app.py/fleet.toml")
    file.write_bytes(b"[apps.a]\nx = '\xff'")
    with pytest.raises(SpecError, match=r":2: is not UTF-8: byte 0xff at offset 14"):
        load(root)
    file.write_text("a = " + "[" * 10_000)
    with pytest.raises(SpecError, match="is nested too deeply"):
        load(root)
    file.write_text("a = " + "1" * 10_000)
    with pytest.raises(ConfigError, match="is not TOML"):
        load(root)


def test_a_file_from_windows(root: Path) -> None:
    text = "\ufeff" + GOOD.replace("\n", "\r\n")
    assert read(root, text) == read(root, GOOD)


def test_is_found_from_below(root: Path) -> None:
    (root / "fleet.toml").write_text(GOOD)
    assert find(root / "portal/portal") == root / "fleet.toml"
    (root / "fleet.toml").unlink()
    with pytest.raises(SpecError, match="no such file"):
        find(root / "portal")


def test_defaults_come_from_the_folder(root: Path) -> None:
    fleet = read(root / "portal", "[apps.portal]\napp = 'portal.app:app'")
    assert fleet.name == "portal"
    assert fleet.apps["portal"].path == root / "portal/portal"
    alone = read(root / "legacy", "[apps.web]\ncommand = 'x'")
    assert alone.apps["web"].path == root / "legacy"


def test_all_together_are_those_that_can(root: Path) -> None:
    text = GOOD.replace('[["portal", "quotes"]]', '"all"')
    assert read(root, text).together == (("portal", "quotes", "billing"),)
    assert read(root, "[fleet]\ntogether='all'\n[apps.portal]").together == ()


def test_circles_are_a_note(root: Path) -> None:
    fleet = read(root, "[apps.portal]\nneeds=['quotes']\n[apps.quotes]\nneeds=['portal']")
    assert fleet.notes == ("portal, quotes need each other: they start together",)


def test_an_app_has_its_own_interpreter(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = root / "portal/.venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("")
    given = "[apps.portal]\n[apps.quotes]\npython = '../portal/.venv'"
    fleet = read(root, given)
    assert fleet.apps["portal"].python == python
    assert fleet.apps["quotes"].python == python
    monkeypatch.setattr(sys, "prefix", str(root / "portal/.venv"))
    assert read(root, given).apps["portal"].python is None  # the fleet's own


def test_an_app_from_git_is_located_when_its_files_are_there(root: Path) -> None:
    app = read(root, GOOD).apps["billing"]
    app.path.mkdir(parents=True)
    (app.path / "app.py").write_text("application = 1")
    assert located(app).app == "app:application"
    assert read(root, GOOD).apps["billing"].app == "app:application"
    assert located(read(root, GOOD).apps["legacy"]).app is None


def refusal(raw: bytes) -> SpecError | None:
    try:
        loads(raw, Path("/nowhere/fleet.toml"))
    except SpecError as error:
        return error
    return None


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode()))
def test_any_bytes_are_a_fleet_or_an_error_that_says_where(raw: bytes) -> None:
    error = refusal(raw)
    assert error is None or error.faults
    assert error is None or str(error).startswith("/nowhere/fleet.toml")


_scalars = st.one_of(
    st.booleans().map(lambda value: str(value).lower()),
    st.integers(-5, 70_000).map(str),
    st.sampled_from(['"portal"', '""', '"{a.url}"', '"http://x"', "[]", "{}", "1.5", '["a", 1]']),
    st.sampled_from(["2020-01-01", "{ a = 1 }", '[["a"], "b"]', '"all"', "inf"]),
)
_lines = st.one_of(
    st.sampled_from(
        ["[fleet]", "[front]", "[apps]", "[apps.a]", "[apps.b]", "[bus]", "[backings.c]"]
    ),
    st.builds(
        "{} = {}".format,
        st.sampled_from(
            sorted(
                {key.name for table in TABLES.values() for key in table}
                | {*TABLES, "env.A", "routes.'/'", "nothing"}
            )
        ),
        _scalars,
    ),
)


@given(st.lists(_lines, max_size=12).map("\n".join))
def test_any_document_is_a_fleet_or_has_faults_on_its_lines(text: str) -> None:
    error = refusal(text.encode())
    count = text.count("\n") + 1
    assert all(1 <= (fault.line or 1) <= count for fault in (error.faults if error else ()))


def test_what_an_app_says_of_itself_moves_with_it(root: Path) -> None:
    (root / "portal" / "pyproject.toml").write_text(
        """
        [tool.skerry]
        owner = "portal@example.com"
        objectives = [
            { availability = 99.5, latency = "300ms" },
            { endpoint = "GET /", latency = 2 },
        ]
        """
    )
    text = "[apps.portal]\nteam = 'web'\n[apps.quotes]\nowner = 'http://pager/q'"
    fleet = loads(text.encode(), root / "fleet.toml")
    portal = fleet.apps["portal"]
    assert (portal.owner, portal.team) == ("portal@example.com", "web")
    assert portal.objectives == (
        ObjectiveSpec(availability=99.5, latency=0.3),
        ObjectiveSpec(endpoint="GET /", latency=2.0),
    )
    assert fleet.apps["quotes"].owner == "http://pager/q"
    given = loads(b"[apps.portal]\nowner = 'x@y.z'", root / "fleet.toml").apps["portal"]
    assert given.owner == "x@y.z" and given.objectives == portal.objectives
    (root / "portal" / "pyproject.toml").write_text("[tool.skerry]\nowner = 1\nlove = 2")
    assert faults(root, "[apps.portal]") == [
        "1: apps.portal: pyproject.toml: tool.skerry.owner: takes a string, not a number"
        '; write "1"',
        "1: apps.portal: pyproject.toml: tool.skerry.love: no such key; there are owner, team, "
        "objectives",
    ]


def test_journeys_are_beside_the_file_and_run_only_where_that_is_said(root: Path) -> None:
    plain = loads(b"[apps.portal]", root / "fleet.toml").journeys
    assert plain == JourneysSpec(root / "journeys")
    assert not plain.probe
    (root / "trips").mkdir()
    text = """
        [apps.portal]
        [journeys]
        path = "./trips"
        probe = true
        keep = 7
        owner = "qa@x.y"
        objectives = [{ availability = 99 }, { journey = "pay", latency = "3s" }]
    """
    promises = (ObjectiveSpec(availability=99.0), ObjectiveSpec(endpoint="pay", latency=3.0))
    assert loads(text.encode(), root / "fleet.toml").journeys == JourneysSpec(
        root / "trips", True, 7, "qa@x.y", promises
    )
