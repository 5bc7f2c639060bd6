"""Start a fleet and end it: what ``skerry up`` and ``skerry down`` do.

In the foreground this process becomes the supervisor. Detached, it starts one in a session of
its own and waits, telling what happens, until everything is ready or will not be.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeAlias

import msgspec

from skerry.core.errors import ConfigError, Error
from skerry.spec import Fleet, SpecError, load

from .attendants import CONSOLE
from .client import Control, NotRunning
from .console import Console
from .loglines import Line
from .logs import LogBook
from .pace import Pace
from .state import AlreadyRunning, Lock, State, holder, lasting_holder
from .supervisor import Supervisor
from .watch import changes, owners

_OUTPUT = "supervisor.out"
_IMPATIENCE = 0.5  # seconds after which a second Ctrl-C means that the first was too slow

Show: TypeAlias = Callable[[Line], None] | None


class FleetFailed(Error):
    """A detached fleet did not come up."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a fleet is run; see ``up``."""

    only: tuple[str, ...] = ()
    reload: bool = False
    control_port: int | None = None


def up(
    root: str | Path,
    *,
    only: Sequence[str] = (),
    detach: bool = False,
    reload: bool = True,
    control_port: int | None = None,
    output: TextIO = sys.stdout,
) -> int:
    """Start a fleet.

    Args:
        root: its folder, or its file.
        only: these apps and what they need, instead of all.
        detach: return when it is up; otherwise when it has ended.
        reload: restart apps whose files change.
        control_port: TCP port on which the control API listens too, for whoever has the token.
        output: gets the log of all apps, or, detached, what happens while they start.

    Returns:
        An exit status: 0, or 1 when a detached fleet is up with something missing.

    Raises:
        SpecError: ``fleet.toml`` cannot be used.
        AlreadyRunning: it is up already.
        FleetFailed: the supervisor ended at once.
    """
    fleet = load(root)
    _check_names(fleet, only)
    pid = lasting_holder(State(fleet.state))
    if pid:
        raise AlreadyRunning(fleet.root, pid)
    if detach:
        return _detach(fleet, Options(tuple(only), reload, control_port), output)
    console = Console(output)
    try:
        asyncio.run(run(fleet, Options(tuple(only), reload, control_port), show=console.show))
    finally:
        console.close()
    return 0


def down(root: str | Path, patience: float = 60.0) -> bool:
    """End a fleet and wait for that; whether there was one.

    Args:
        root: its folder, or its file.

    Raises:
        FleetFailed: it is still there after ``patience`` seconds.
    """
    root = Path(root)
    root = root.parent if root.is_file() else root
    state, control = State(root / ".skerry"), Control(root)
    try:
        control.down()
    except NotRunning:
        pid = holder(state)
        if not pid:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)  # it is starting, and does not listen yet
    deadline = time.monotonic() + patience
    while holder(state):
        if time.monotonic() > deadline:
            raise FleetFailed(f"the supervisor has not ended after {patience:g} s")
        time.sleep(0.02)
    return True


def _check_names(fleet: Fleet, only: Sequence[str]) -> None:
    for name in only:
        if name not in fleet.apps and name not in fleet.backings:
            known = ", ".join([*fleet.apps, *fleet.backings])
            raise ConfigError(f"no app named {name!r} in {fleet.file}; there are {known}")


# -- the supervisor's process ------------------------------------------------------------------


async def run(fleet: Fleet, options: Options, show: Show = None) -> None:
    """Be the supervisor of ``fleet`` until it is told to end.

    Args:
        show: gets every line that is printed.

    Raises:
        AlreadyRunning: another process is.
    """
    async with supervised(fleet, options, show=show) as supervisor:
        _on_signals(supervisor)
        await _supervise(supervisor, options.reload)


@asynccontextmanager
async def supervised(
    fleet: Fleet, options: Options, *, pace: Pace | None = None, show: Show = None
) -> AsyncIterator[Supervisor]:
    """A supervisor with its control API, not started yet; stopped at the end of the block.

    Raises:
        AlreadyRunning: another process has this fleet.
    """
    state = State(fleet.state)
    async with AsyncExitStack() as stack:
        lock = stack.enter_context(Lock(state))
        supervisor = Supervisor(
            fleet,
            state,
            lock.run,
            pace=pace,
            logs=LogBook(state.logs, show),
            only=options.only or None,
        )
        stack.push_async_callback(supervisor.close)
        nursery = asyncio.create_task(supervisor.launcher.open())
        await asyncio.sleep(0)  # it loads what instances need while we load what we need
        from .control import serve_control

        await stack.enter_async_context(serve_control(supervisor, state, options.control_port))
        stack.push_async_callback(supervisor.stop)
        await nursery
        yield supervisor


async def _supervise(supervisor: Supervisor, reload: bool) -> None:
    began = time.monotonic()
    starting = asyncio.create_task(supervisor.start())
    over = asyncio.create_task(supervisor.over.wait())
    tasks = [starting, over]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if supervisor.over.is_set():
            return
        starting.result()
        _announce(supervisor, time.monotonic() - began)
        if reload:
            tasks.append(asyncio.create_task(_reload(supervisor)))
        await asyncio.wait([over, *tasks[2:]], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _on_signals(supervisor: Supervisor) -> None:
    loop = asyncio.get_running_loop()
    first: list[float] = []

    def asked() -> None:
        first.append(loop.time())
        # Wrappers pass on what the terminal has sent to everybody: that is not asking twice.
        if loop.time() - first[0] > _IMPATIENCE:
            os._exit(130)  # the nursery ends everything, and quickly
        supervisor.over.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked)


def _announce(supervisor: Supervisor, seconds: float) -> None:
    replicas = list(supervisor.everything())
    missing = [replica.name for replica in replicas if not replica.ready]
    ready = len(replicas) - len(missing)
    console = supervisor.recipes.attendants.address(supervisor.fleet, CONSOLE)
    supervisor.logs.write(
        "fleet",
        [
            f"{ready} of {len(replicas)} processes are ready after {seconds:.1f} s"
            + (f"; not ready: {', '.join(missing)}" if missing else ""),
            f"front door: {supervisor.recipes.front_url()}",
            *([f"console:    {console}"] if console else []),
        ],
    )


async def _reload(supervisor: Supervisor) -> None:
    """Restart what changed, and only that."""
    file = supervisor.fleet.file

    def folders() -> dict[str, Path]:
        names = supervisor.chosen()
        apps = {
            name: app.path for name in names if (app := supervisor.fleet.apps[name]).url is None
        }
        beside = supervisor.recipes.attendants.folders(supervisor.fleet)
        return apps | {name: path for name, path in beside.items() if name in supervisor.attendants}

    def watched() -> list[Path]:
        return [file, *dict.fromkeys(folders().values())]

    async for changed in changes(watched, supervisor.pace.watch_every):
        try:
            if str(file) in changed:
                changed.discard(str(file))
                await _apply(supervisor, file)
            names = set().union(*(owners(path, folders()) for path in changed))
            if names:
                listed = ", ".join(sorted(names))
                supervisor.logs.write("fleet", [f"files have changed; restarting {listed}"])
                await supervisor.restart(*names)
        except Error as error:
            supervisor.logs.write("fleet", [f"not reloaded: {error}"])


async def _apply(supervisor: Supervisor, file: Path) -> None:
    try:
        fleet = load(file)
    except SpecError as error:
        lines = str(error).split("\n")
        supervisor.logs.write("fleet", ["fleet.toml cannot be used; all goes on as before", *lines])
        return
    supervisor.logs.write("fleet", ["fleet.toml has changed; applying the difference"])
    await supervisor.apply(fleet)


# -- detached ----------------------------------------------------------------------------------


def _detach(fleet: Fleet, options: Options, output: TextIO) -> int:
    state = State(fleet.state)
    state.prepare()
    path = state.logs / _OUTPUT
    with path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "skerry.fleet.up", str(fleet.file), _encode(options)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=fleet.root,
            start_new_session=True,
        )
    control = Control(fleet.root)
    seen: dict[str, str] = {}
    while True:
        if process.poll() is not None:
            said = path.read_text("utf-8", "replace").strip()
            raise FleetFailed(said or f"the supervisor ended with status {process.returncode}")
        with contextlib.suppress(NotRunning):
            status = control.status()
            if status["pid"] == process.pid:
                _progress(status, seen, output)
                if status["settled"]:
                    return _verdict(status, output)
        time.sleep(0.03)


def _progress(status: dict[str, Any], seen: dict[str, str], output: TextIO) -> None:
    for row in (*status["attendants"], *status["backings"], *status["instances"]):
        if seen.get(row["id"]) != row["state"]:
            seen[row["id"]] = row["state"]
            if row["state"] in ("ready", "backoff", "crashed", "unhealthy"):
                detail = f"  {row['detail']}" if row["detail"] else f"  {row['url']}"
                print(f"{row['id']}  {row['state']}{detail}", file=output, flush=True)


def _verdict(status: dict[str, Any], output: TextIO) -> int:
    groups = ("attendants", "backings", "edges", "instances")
    rows = [row for group in groups for row in status[group]]
    missing = [row for row in rows if row["state"] != "ready"]
    for row in missing:
        detail = f": {row['detail']}" if row["detail"] else ""
        print(f"{row['id']} is {row['state']}{detail}", file=output)
        for line in row["last"]:
            print(f"    {line}", file=output)
    ready = len(rows) - len(missing)
    console = f"; console: {status['console']}" if status["console"] else ""
    print(f"{ready} of {len(rows)} ready; front door: {status['front']}{console}", file=output)
    if missing:
        more = f"`skerry logs {missing[0]['id']}` has more"
        print(f"the fleet runs, and goes on trying; {more}, `skerry down` ends it", file=output)
    return 1 if missing else 0


def _encode(options: Options) -> str:
    return msgspec.json.encode(options).decode()


def main(file: str, options: str = "{}") -> int:
    """``python -m skerry.fleet.up FILE OPTIONS``: the supervisor of a detached fleet."""
    try:
        asyncio.run(run(load(file), msgspec.json.decode(options, type=Options)))
    except Error as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
