"""What runs in the process of an instance: load an app, serve it on the socket it was given.

The process was forked from the nursery, or executed where the app has an interpreter of its
own; from here on there is no difference. Several apps may share it (``together``): each has
its own socket, and calls between them take the loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, Protocol, runtime_checkable

import msgspec

from skerry.app.ending import bounded_end
from skerry.app.mount import as_asgi
from skerry.app.serve import NotStarted, Server, loop_factory, settle
from skerry.core.errors import ConfigError, Error
from skerry.telemetry import logs
from skerry.telemetry.metrics import Metrics

from . import channel as wire
from .counted import Counted
from .reports import Reporter
from .telling import Teller


class CannotLoad(Error):
    """The application object cannot be had; the cause is the exception it raised, if any."""


def run(job: wire.Job) -> NoReturn:
    """Do the job and exit. Whatever goes wrong is printed, which is to say, logged."""
    if isinstance(sys.stdout, _Reconfigurable):
        sys.stdout.reconfigure(line_buffering=True)  # into a pipe it would keep the last lines
    logs.as_last_resort()
    runner = asyncio.Runner(loop_factory=loop_factory())
    try:
        runner.run(_work(job))
        code = 0
    except CannotLoad as error:
        _say(error)
        code = wire.CANNOT_LOAD
    except NotStarted as error:
        print(f"skerry: {error}", file=sys.stderr)
        code = wire.CANNOT_START
    except ConfigError as error:
        print(f"skerry: {error}", file=sys.stderr)
        code = wire.CANNOT_LOAD
    except BaseException:
        traceback.print_exc()
        code = 1
    with bounded_end(code), contextlib.suppress(Exception):
        runner.close()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    # The apps' threads are their own affair, but they must not keep the process.
    os._exit(code)


async def _work(job: wire.Job) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if job.lifeline >= 0:
        loop.add_reader(job.lifeline, os._exit, 1)
    if job.edge is not None:
        from .edge import serve_edge

        await serve_edge(job.edge, job.name, stop, job.drain)
        return
    apps: list[Any] = []
    servers: list[Server] = []
    try:
        for member in job.members:
            # One after the other: each may read the environment while it loads and starts.
            with environment(member.env):
                app = load(member.target, member.folder)
                logs.join_libraries()
                if not isinstance(getattr(app, "metrics", None), Metrics):
                    app = Counted(as_asgi(app), member.app)
                server = Server(app, [socket.socket(fileno=member.fd)], job.drain)
                if len(job.members) > 1:
                    _provide(member.app, app)
                servers.append(server)
                await server.start()
            apps.append(app)
        settle()
        named = [(member.app, app) for member, app in zip(job.members, apps, strict=True)]
        async with Reporter(job.name, [app.metrics for app in apps], Teller(named)):
            await stop.wait()
            for app in apps:
                app.draining = True  # Skerry's own then say so at /readyz
            await asyncio.gather(*(server.stop() for server in servers))
            servers = []
    finally:
        await asyncio.gather(*(server.stop() for server in servers), return_exceptions=True)
        for app in apps:
            if isinstance(app, Counted):
                app.stop()


def _provide(name: str, app: Any) -> None:
    """Let apps of this process call this one without a socket; only Skerry's own can be."""
    from skerry.transport import loopback

    service = getattr(app, "inside", None)
    if service is not None:
        loopback.provide(name, service)


@contextlib.contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """The variables of one app, over those of the process, for the length of a block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def load(target: str, folder: str) -> Any:
    """The application object that ``package.module:variable`` names, from ``folder``.

    ``variable()`` calls a factory, and so does the name of a function that needs no arguments.

    Raises:
        CannotLoad: the module cannot be imported, or has no such variable.
    """
    module_name, _, expression = target.partition(":")
    variable = expression.removesuffix("()")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
        _check_origin(module, module_name, folder)
        found: Any = module
        for part in variable.split("."):
            found = getattr(found, part)
        if expression != variable or _is_factory(found):
            found = found()
    except CannotLoad:
        raise
    except AttributeError as error:
        if module_name in sys.modules and isinstance(error.obj, type(sys)):
            raise CannotLoad(f"{module_name} has no variable {variable!r}") from None
        raise CannotLoad(f"cannot import {target}") from error
    except Exception as error:  # the app's own code: it can raise anything
        raise CannotLoad(f"cannot import {target}") from error
    except SystemExit as error:
        raise CannotLoad(f"cannot import {target}") from error
    return found


def _check_origin(module: Any, name: str, folder: str) -> None:
    """Two folders with a module of the same name can only share a process as packages."""
    top = sys.modules.get(name.partition(".")[0], module)
    file = getattr(top, "__file__", None)
    if file is None or file.startswith(folder + os.sep):
        return
    elsewhere = os.path.join(folder, name.partition(".")[0])
    if os.path.isfile(elsewhere + ".py") or os.path.isdir(elsewhere):
        raise CannotLoad(
            f"the module {name!r} of {folder} is hidden by {file}; to run together, or beside "
            "an installed package of that name, an app needs a package of its own name"
        )


def _is_factory(found: Any) -> bool:
    if not inspect.isfunction(found) or inspect.iscoroutinefunction(found):
        return False
    return all(
        parameter.default is not parameter.empty
        for parameter in inspect.signature(found).parameters.values()
    )


def _say(error: CannotLoad) -> None:
    """Print the traceback of the app's own error, without our frames above it."""
    cause = error.__cause__
    if cause is not None:
        frames = cause.__traceback__
        while frames is not None and _is_ours(frames.tb_frame.f_code.co_filename):
            frames = frames.tb_next
        traceback.print_exception(cause.with_traceback(frames))
    print(f"skerry: {error}", file=sys.stderr)


def _is_ours(file: str) -> bool:
    return file == __file__ or file.startswith("<frozen importlib") or "importlib" in file


@runtime_checkable
class _Reconfigurable(Protocol):
    def reconfigure(self, *, line_buffering: bool) -> None: ...


def main(arguments: Sequence[str]) -> NoReturn:
    """``python -m skerry.fleet.instance JOB``: for interpreters that are not ours to fork."""
    run(msgspec.json.decode(arguments[0], type=wire.Job))


if __name__ == "__main__":
    main(sys.argv[1:])
