from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from skerry.core.errors import ConfigError, NotFound
from skerry.fleet.logs import tail
from skerry.fleet.replica import Replica, State
from skerry.fleet.status import fleet_status
from skerry.fleet.supervisor import Supervisor
from skerry.spec import load

ONE_LINE = "from skerry import App; app = App('x')"


def replica(supervisor: Supervisor, name: str) -> Replica:
    return next(r for r in supervisor.everything() if r.name == name)


def url(supervisor: Supervisor, instance: str) -> str:
    seats = (seat for r in supervisor.everything() for seat in r.seats)
    return next(seat.url for seat in seats if seat.id == instance)


def pids(supervisor: Supervisor) -> dict[str, int | None]:
    return {r.name: r.pid for r in supervisor.everything()}


def printed(tree: Any, source: str) -> str:
    lines = tail(tree.root / ".skerry" / "logs", source.__eq__, 100)
    return "\n".join(line.text for line in lines)


async def test_a_fleet_starts_serves_and_leaves_nothing(tree: Any, running: Any, http: Any) -> None:
    tree.add("one", 'needs = ["two"]')
    tree.add("two", "instances = 2")
    async with running() as supervisor:
        assert all(r.ready for r in supervisor.everything())
        for instance in ("one-1", "two-1", "two-2"):
            answer = (await http(url(supervisor, instance), "/hello")).json()
            assert answer["instance"] == instance
            assert int(answer["pid"]) == replica(supervisor, instance).pid
        listing = supervisor.listing()
        assert [address.id for address in listing["two"]] == ["two-1", "two-2"]
        assert tree.left_over()
    assert tree.left_over() == set()
    assert not (tree.root / ".skerry" / "control.sock").exists()


async def test_ports_are_the_same_the_next_time(tree: Any, running: Any) -> None:
    tree.add("one")
    async with running() as supervisor:
        before = url(supervisor, "one-1"), supervisor.recipes.front_url()
    async with running() as supervisor:
        assert (url(supervisor, "one-1"), supervisor.recipes.front_url()) == before


async def test_whoever_is_needed_is_ready_first(tree: Any, running: Any) -> None:
    tree.add("first", 'needs = ["second"]')
    tree.add(
        "second", source="import time; time.sleep(0.3)\nfrom skerry import App\napp = App('s')"
    )
    order: list[str] = []
    async with running(start=False) as supervisor:
        tell = supervisor._ground.changed

        def changed(one: Replica) -> None:
            if one.ready and one.name not in order:
                order.append(one.name)
            tell(one)

        object.__setattr__(supervisor._ground, "changed", changed)
        await supervisor.start()
    assert [name for name in order if name != "edge"] == ["second-1", "first-1"]


async def test_what_dies_is_started_again_on_the_same_address(
    tree: Any, running: Any, http: Any, until: Any
) -> None:
    tree.add("one")
    tree.add("two")
    async with running() as supervisor:
        before, address = pids(supervisor), url(supervisor, "one-1")
        os.kill(before["one-1"] or 0, signal.SIGKILL)
        await until(lambda: replica(supervisor, "one-1").restarts == 1)
        assert "SIGKILL" in replica(supervisor, "one-1").detail
        await until(lambda: replica(supervisor, "one-1").ready)
        assert (await http(address, "/hello")).json()["pid"] != str(before["one-1"])
        assert {**pids(supervisor), "one-1": 0} == {**before, "one-1": 0}
        assert replica(supervisor, "one-1").detail == ""


LOOPING = "import os\nprint('last words', flush=True)\nos._exit(3)\napp = 0"
BROKEN = "def oops():\n    import no_such_module\noops()\napp = 1\n"
LATE = """
    import pathlib
    from collections.abc import AsyncIterator
    from skerry import App

    app = App("late")
    flag = pathlib.Path("flag")

    @app.resource
    async def needed() -> AsyncIterator[pathlib.Path]:
        if not flag.exists():
            flag.touch()
            raise ConnectionError("not there yet")
        yield flag
"""


async def test_each_app_in_trouble_says_why_and_the_rest_runs(tree: Any, running: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        tree.add("looping", source=LOOPING)
        tree.add("broken", source=BROKEN)
        tree.add("late", source=LATE)
        tree.add("pinned", f"port = {port}")
        tree.add("astray", 'needs = ["pinned"]\nenv = { X = "{pinned.url}" }')
        tree.add("lacking")
        tree.write("lacking/.venv/bin/python", "")
        tree.add("good")
        async with running() as supervisor:
            found = {r.name: (r.phase, r.restarts, r.detail) for r in supervisor.everything()}
            status = fleet_status(supervisor)
            assert list(supervisor.listing()) == ["late", "good"]
    crashed = State.CRASHED
    assert found["good-1"] == (State.READY, 0, "")
    # A crash loop: it is given up after so many deaths, with what it said last.
    assert found["looping-1"] == (crashed, 3, "exited with status 3: last words")
    row = next(i for i in status.instances if i.app == "looping")
    assert (row.state, row.last) == ("crashed", ["last words"])
    assert next(app for app in status.apps if app.app == "looping").state == "crashed"
    # Code that cannot be imported is not tried again; its traceback begins at its own frames.
    assert found["broken-1"][:2] == (crashed, 1)
    said = printed(tree, "broken-1")
    assert "ModuleNotFoundError: No module named 'no_such_module'" in said
    assert "in oops" in said
    assert "importlib" not in said
    # A start-up that failed is.
    assert found["late-1"] == (State.READY, 1, "")
    assert "not there yet" in printed(tree, "late-1")
    # What could not even be tried.
    assert f"127.0.0.1:{port}" in found["pinned-1"][2]
    assert "pinned has no address" in found["astray-1"][2]
    assert "neither skerry nor uvicorn" in found["lacking-1"][2]


async def test_an_unhealthy_instance_is_not_listed_and_not_killed(
    tree: Any, running: Any, until: Any
) -> None:
    source = """
        import pathlib
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        async def health(request):
            sick = pathlib.Path("sick").exists()
            return PlainTextResponse("", status_code=503 if sick else 200)

        app = Starlette(routes=[Route("/health", health)])
    """
    tree.add("moody", 'health = "/health"', source)
    async with running(replace_after=2) as supervisor:
        pid = replica(supervisor, "moody-1").pid
        assert supervisor.listing()["moody"]
        sick = tree.write("moody/sick", "")
        await until(lambda: "moody" not in supervisor.listing())
        row = fleet_status(supervisor).instances[0]
        assert (row.state, row.detail) == ("unhealthy", "GET /health answers 503")
        sick.unlink()
        await until(lambda: "moody" in supervisor.listing())
        assert replica(supervisor, "moody-1").pid == pid


async def test_a_process_that_hangs_is_replaced(tree: Any, running: Any, until: Any) -> None:
    tree.add("one")
    async with running(probe_timeout=0.1, probe_slowest=0.05, replace_after=3) as supervisor:
        pid = replica(supervisor, "one-1").pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: replica(supervisor, "one-1").restarts == 1)
        await until(lambda: replica(supervisor, "one-1").ready)
        assert "hangs" in printed(tree, "fleet")


async def test_a_restart_refuses_and_loses_no_request(tree: Any, running: Any, http: Any) -> None:
    tree.add("one")
    tree.add("three", "instances = 3")
    async with running() as supervisor:
        address, before = url(supervisor, "one-1"), pids(supervisor)
        listed = supervisor.listing()["one"]
        seen: set[str] = set()

        async def call() -> None:
            while True:
                answer = await http(address, "/hello")
                assert answer.status == 200
                seen.add(answer.json()["pid"])

        async def restarting(app: str, calls: list[asyncio.Task[None]]) -> AsyncIterator[None]:
            restart = asyncio.create_task(supervisor.restart(app))
            while not restart.done():
                await asyncio.wait([restart, *calls], timeout=0.005)
                assert not any(task.done() for task in calls)
                yield
            restart.result()

        calls = [asyncio.create_task(call()) for _ in range(4)]
        async for _ in restarting("one", calls):
            assert supervisor.listing()["one"] == listed  # alone, it stays listed
        assert seen == {str(before["one-1"]), str(pids(supervisor)["one-1"])}
        for task in calls:
            task.cancel()
        async for _ in restarting("three", []):
            assert len(supervisor.listing()["three"]) >= 2  # one after the other
        after = pids(supervisor)
        assert all(after[f"three-{n}"] != before[f"three-{n}"] for n in (1, 2, 3))


async def test_scale(tree: Any, running: Any) -> None:
    tree.add("one")
    async with running() as supervisor:
        first = replica(supervisor, "one-1").pid
        await supervisor.scale("one", 3)
        assert [a.id for a in supervisor.listing()["one"]] == ["one-1", "one-2", "one-3"]
        await supervisor.scale("one", 1)
        assert [a.id for a in supervisor.listing()["one"]] == ["one-1"]
        assert replica(supervisor, "one-1").pid == first
        with pytest.raises(ConfigError, match="0 to 100"):
            await supervisor.scale("one", -1)
        with pytest.raises(NotFound):
            await supervisor.scale("two", 1)
        await supervisor.scale("one", 0)
        assert "one" not in supervisor.listing()
        assert next(app for app in fleet_status(supervisor).apps).state == "stopped"


async def test_a_changed_fleet_file_changes_only_what_differs(tree: Any, running: Any) -> None:
    tree.add("same")
    tree.add("more")
    tree.add("other")
    tree.add("gone")
    async with running() as supervisor:
        before = pids(supervisor)
        tree.toml(
            """
            [apps.same]
            [apps.more]
            instances = 2
            [apps.other]
            env = { COLOUR = "blue" }
            [apps.fresh]
            """
        )
        tree.write("fresh/app.py", "from skerry import App\napp = App('fresh')\n")
        await supervisor.apply(load(tree.root))
        after = pids(supervisor)
        assert after["same-1"] == before["same-1"]
        assert after["more-1"] == before["more-1"]
        assert after["more-2"]
        assert after["other-1"] != before["other-1"]
        assert "gone-1" not in after
        assert sorted(supervisor.listing()) == ["fresh", "more", "other", "same"]


async def test_apps_that_run_together_share_a_process(tree: Any, running: Any, http: Any) -> None:
    caller = """
        import os
        from skerry import App

        app = App("a")

        @app.get("/ask")
        async def ask() -> dict[str, str]:
            from skerry.core.wire import Request, read_all
            response = await app.connector.service("b")(Request("GET", "/hello"))
            return {"pid": str(os.getpid()), "said": (await read_all(response.body)).decode()}
    """
    tree.text = '[fleet]\nname = "test"\ntogether = [["a", "b"]]\n'
    tree.add("a", 'env = { WHO = "a" }\napp = "a_app.main:app"', "")
    tree.write("a/a_app/__init__.py", "")
    tree.write("a/a_app/main.py", caller)
    tree.add("b", 'env = { WHO = "b" }\napp = "b_app.main:app"', "")
    tree.write("b/b_app/__init__.py", "")
    tree.write(
        "b/b_app/main.py",
        """
        import os
        from skerry import App

        app = App("b")
        who = os.environ["WHO"] + os.environ["SKERRY_INSTANCE"]

        @app.get("/hello")
        async def hello() -> str:
            return f"{who} {os.getpid()}"
        """,
    )
    tree.add("c")
    async with running() as supervisor:
        rows = {row.id: row for row in fleet_status(supervisor).instances}
        assert rows["a-1"].pid == rows["b-1"].pid != rows["c-1"].pid
        answer = (await http(rows["a-1"].url, "/ask")).json()
        assert answer["said"] == f'"bb-1 {answer["pid"]}"'
        assert answer["pid"] == str(rows["a-1"].pid)
        assert (await http(rows["b-1"].url, "/hello")).json() == f"bb-1 {answer['pid']}"


async def test_two_modules_of_one_name_cannot_share_a_process(tree: Any, running: Any) -> None:
    tree.text = '[fleet]\nname = "test"\ntogether = "all"\n'
    tree.add("a", 'app = "app:app"')
    tree.add("b", 'app = "app:app"')
    async with running() as supervisor:
        group = replica(supervisor, "together.1.1")
        assert group.phase is State.CRASHED
        assert "needs a package of its own name" in printed(tree, "together.1.1")


async def test_a_thread_that_does_not_end_keeps_no_instance(tree: Any, running: Any) -> None:
    tree.add(
        "one",
        source="""
            import asyncio, time
            from skerry import App

            app = App("one")

            @app.resource
            async def busy() -> dict[str, str]:
                asyncio.get_running_loop().run_in_executor(None, time.sleep, 60)
                return {}
        """,
    )
    async with running():
        pass
    assert "left behind, because they do not end" in printed(tree, "one-1")


async def test_it_ends_at_once_also_while_somebody_waits(
    tree: Any, running: Any, until: Any
) -> None:
    tree.text += '[backings.store]\nkind = "redis"\nurl = "redis://127.0.0.1:1"\n'
    tree.add("never", 'command = "sleep 1000"\nneeds = ["store"]', "")
    tree.write("never/x", "")
    tree.add("one", 'needs = ["never"]')
    async with running(start=False) as supervisor:
        starting = asyncio.create_task(supervisor.start())
        await until(lambda: "never" in supervisor.replicas)
        scaling = asyncio.create_task(supervisor.scale("never", 2))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await supervisor.stop()
        assert time.monotonic() - began < 5
        await asyncio.gather(starting, scaling)
        assert tree.left_over() != set()  # the nursery, until it is let go of


async def test_the_front_doors_port_is_moved_and_may_be_taken(
    tree: Any, running: Any, http: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        text = tree.text
        tree.text = f'{text}[front]\nroutes = {{ "/" = "one" }}\nport = {taken.getsockname()[1]}\n'
        tree.add("one")
        async with running() as supervisor:
            assert replica(supervisor, "edge").phase is State.CRASHED
            assert fleet_status(supervisor).front == ""
            assert replica(supervisor, "one-1").ready
            free.close()
            tree.text = f'{text}[front]\nroutes = {{ "/" = "one" }}\nport = {port}\n'
            tree.add("one")
            await supervisor.apply(load(tree.root))
            await replica(supervisor, "edge").wait(10)
            assert fleet_status(supervisor).front == f"http://127.0.0.1:{port}"
            assert (await http(f"http://127.0.0.1:{port}", "/hello")).status == 200


async def test_only_some(tree: Any, running: Any) -> None:
    tree.add("one", 'needs = ["two"]')
    tree.add("two")
    tree.add("three")
    async with running("one") as supervisor:
        assert sorted(supervisor.listing()) == ["one", "two"]
        assert [app.app for app in fleet_status(supervisor).apps] == ["one", "two"]


async def test_an_outside_app_is_listed_and_external(tree: Any, running: Any) -> None:
    tree.add("bank", 'url = "https://bank.example"', "")
    tree.add("one", 'needs = ["bank"]')
    async with running() as supervisor:
        assert supervisor.listing()["bank"][0].url == "https://bank.example"
        bank = next(app for app in fleet_status(supervisor).apps if app.app == "bank")
        assert (bank.state, bank.instances) == ("external", 0)
        with pytest.raises(NotFound, match="elsewhere"):
            await supervisor.restart("bank")


async def test_any_asgi_or_wsgi_object_can_be_an_app(tree: Any, running: Any, http: Any) -> None:
    flask = "from flask import Flask\napp = Flask('x')\n@app.get('/')\ndef root(): return 'flask'\n"
    tree.add("wsgi", source=flask)
    fast = (
        "from fastapi import FastAPI\ndef make():\n    app = FastAPI()\n"
        "    @app.get('/')\n    def root(): return 'fast'\n    return app\n"
    )
    tree.add("asgi", 'app = "app:make"', fast)
    async with running() as supervisor:
        assert (await http(url(supervisor, "wsgi-1"))).body == b"flask"
        assert (await http(url(supervisor, "asgi-1"))).json() == "fast"


async def test_a_lost_nursery_is_replaced_and_all_start_again(
    tree: Any, running: Any, until: Any
) -> None:
    tree.add("one")
    tree.add("cmd", 'command = "sleep 1000 & exec python3 -m http.server $PORT"', "")
    tree.write("cmd/x", "")
    async with running() as supervisor:
        before = tree.left_over()
        os.kill(supervisor.launcher.pid or 0, signal.SIGKILL)
        await until(lambda: before.isdisjoint(tree.left_over()))
        await until(lambda: all(r.ready for r in supervisor.everything()))
        assert before.isdisjoint(tree.left_over())
