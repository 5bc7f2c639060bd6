"""``skerry``: the verbs and their options. What they do is in the modules beside this one, each
imported when its verb runs: ``skerry ps`` must not wait for what ``skerry client`` needs."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import click
import typer

from .output import Failed, nearest, note, paint

_OPTIONS = {"no_args_is_help": True, "rich_markup_mode": None}

app = typer.Typer(
    help="Build, run and operate a fleet of services.",
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
new_group = typer.Typer(help="Write the files of a new fleet or app.", **_OPTIONS)  # type: ignore[arg-type]
contract_group = typer.Typer(help="What an app promises.", **_OPTIONS)  # type: ignore[arg-type]
client_group = typer.Typer(help="Generated clients.", **_OPTIONS)  # type: ignore[arg-type]
app.add_typer(new_group, name="new")
app.add_typer(contract_group, name="contract")
app.add_typer(client_group, name="client")

File = Annotated[
    str, typer.Option("--file", "-f", help="The fleet file; by default the nearest fleet.toml.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def up(
    file: File = "",
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when it is up.")] = False,
    only: Annotated[str, typer.Option(help="These apps and what they need: a,b.")] = "",
    reload: Annotated[bool, typer.Option(help="Restart apps whose files change.")] = True,
    control_port: Annotated[
        int | None, typer.Option(help="Serve the control API on this TCP port too.")
    ] = None,
) -> int:
    """Start the fleet.

    Without --detach it runs until Ctrl-C and prints what every app writes.
    """
    from .running import up

    return up(file, only, detach, reload, control_port)


@app.command()
def down(file: File = "") -> int:
    """Stop the fleet."""
    from .running import down

    return down(file)


@app.command()
def ps(
    file: File = "",
    json: Json = False,
    watch: Annotated[
        float, typer.Option("--watch", "-w", help="Show it again every so many seconds.")
    ] = 0.0,
) -> int:
    """Show who runs, and how it goes: requests, errors, latencies."""
    from .status import ps

    return ps(file, json, watch)


@app.command()
def logs(
    names: Annotated[
        list[str] | None, typer.Argument(help="Apps, instances or backings; all without any.")
    ] = None,
    file: File = "",
    follow: Annotated[bool, typer.Option("--follow", "-F", help="Go on with what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-l", help="How many to begin with.")] = 100,
    json: Json = False,
) -> int:
    """Show what apps write."""
    from .logs import logs

    return logs(file, names or [], lines, follow, json)


@app.command()
def restart(
    name: Annotated[str, typer.Argument(metavar="APP")], file: File = "", json: Json = False
) -> int:
    """Replace the instances of an app, one after the other."""
    from .running import restart

    return restart(file, name, json)


@app.command()
def scale(
    name: Annotated[str, typer.Argument(metavar="APP")],
    instances: Annotated[int, typer.Argument(metavar="N", min=0)],
    file: File = "",
    json: Json = False,
) -> int:
    """Run so many instances of an app, until the fleet file is changed."""
    from .running import scale

    return scale(file, name, instances, json)


@app.command()
def call(
    operation: Annotated[str, typer.Argument(metavar="APP.OPERATION")],
    values: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Parameters.")
    ] = None,
    file: File = "",
    json: Annotated[
        str | None, typer.Option("--json", help="The body; @FILE, or - for standard input.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show status, headers and time.")
    ] = False,
) -> int:
    """Call an operation of a running app and print its answer."""
    from .calling import call

    return call(file, operation, json, values or [], verbose)


@app.command()
def init(
    folder: Annotated[str, typer.Argument(help="Where the compose file or Procfile is.")] = ".",
    overwrite: Annotated[bool, typer.Option(help="Replace a fleet.toml.")] = False,
) -> int:
    """Write a fleet.toml from a docker-compose.yml or a Procfile."""
    from .making import init

    return init(folder, overwrite)


@app.command()
def doctor(file: File = "", json: Json = False) -> int:
    """Look whether everything is here that a fleet needs."""
    from .doctor import doctor

    return doctor(file, json)


@app.command()
def stack(
    name: Annotated[str, typer.Argument(metavar="APP")],
    file: File = "",
    endpoint: Annotated[str, typer.Option(help="Of this endpoint; by default the first.")] = "",
    client: Annotated[str, typer.Option(help="How it calls this app, instead.")] = "",
    json: Json = False,
) -> int:
    """Show the filters around an app's endpoints or calls, and the reason of each place."""
    from .contracts import stack

    return stack(file, name, endpoint, client, json)


@app.command()
def run(
    reference: Annotated[str, typer.Argument(metavar="MODULE:APP")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8000,
    drain: Annotated[
        float, typer.Option(help="Seconds that requests have to finish at the end.")
    ] = 10.0,
) -> int:
    """Serve one app, without a fleet."""
    from skerry.app.serve import run

    from .apps import load_object

    found = load_object(reference)
    note(f"{reference} at http://{host}:{port}")
    run(found, host=host, port=port, drain=drain)
    return 0


@app.command()
def version() -> int:
    """Print the version."""
    from skerry import __version__

    print(__version__)
    return 0


@new_group.command("fleet")
def new_fleet(name: Annotated[str, typer.Argument(metavar="NAME")]) -> int:
    """A folder with a fleet without apps."""
    from .making import new_fleet

    return new_fleet(name)


@new_group.command("app")
def new_app(name: Annotated[str, typer.Argument(metavar="NAME")], file: File = "") -> int:
    """An app with its test, added to the fleet."""
    from .making import new_app

    return new_app(file, name)


@contract_group.command("show")
def contract_show(
    name: Annotated[str, typer.Argument(metavar="APP")], file: File = "", json: Json = False
) -> int:
    """The operations of an app; with --json its whole OpenAPI document."""
    from .contracts import show

    return show(file, name, json)


@contract_group.command("export")
def contract_export(
    name: Annotated[str, typer.Argument(metavar="APP")],
    output: Annotated[
        str, typer.Argument(metavar="[FILE]", help="By default APP.openapi.json; - to print it.")
    ] = "",
    file: File = "",
) -> int:
    """Write an app's OpenAPI document to a file."""
    from .contracts import export

    return export(file, name, output)


@client_group.command("add")
def client_add(
    source: Annotated[str, typer.Argument(metavar="NAME|FILE|URL")],
    target: Annotated[
        str, typer.Argument(metavar="[MODULE]", help="By default clients/NAME.py.")
    ] = "",
    name: Annotated[str, typer.Option(help="What the fleet calls the app.")] = "",
    plain: Annotated[
        bool, typer.Option("--plain", help="Over httpx alone, without Skerry.")
    ] = False,
    file: File = "",
) -> int:
    """Write a client: of an app of the fleet, or of any OpenAPI document."""
    from .contracts import client_add

    return client_add(file, source, target, name, plain)


@client_group.command("update")
def client_update(
    paths: Annotated[list[str] | None, typer.Argument(help="Modules, or folders.")] = None,
    file: File = "",
) -> int:
    """Write clients again whose contract has changed."""
    from .contracts import client_update

    return client_update(file, paths or [])


@client_group.command("check")
def client_check(
    paths: Annotated[list[str] | None, typer.Argument(help="Modules, or folders.")] = None,
    file: File = "",
    json: Json = False,
) -> int:
    """Say which clients are stale; exit with 1 if any is."""
    from .contracts import client_check

    return client_check(file, paths or [], json)


def main() -> None:
    """Run a verb: its status is the process's, its errors are sentences."""
    try:
        sys.exit(_run())
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read has had enough. Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _run() -> int:
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        return _misused(error)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except Failed as error:
        note(paint(f"skerry: {error}", "red", sys.stderr))
        return error.status
    except Exception as error:
        # Ours says what, where and what to do; a traceback would only hide it.
        if os.environ.get("SKERRY_DEBUG") or not _ours(error):
            raise
        note(paint(f"skerry: {error}", "red", sys.stderr))
        return 1
    return status if isinstance(status, int) else 0


def _misused(error: click.ClickException) -> int:
    """Words that make no sense: what was wrong, and the nearest that would."""
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if isinstance(error, click.UsageError) and context is not None:
        command = context.command
        if isinstance(command, click.Group) and message.startswith("No such command"):
            word = message.partition("'")[2].partition("'")[0]
            message = f"there is no verb {word!r}.{nearest(word, list(command.commands))}"
        note(paint(f"skerry: {message}", "red", sys.stderr))
        note(f"`{context.command_path} --help` lists what there is")
    else:
        note(paint(f"skerry: {message}", "red", sys.stderr))
    return error.exit_code


def _ours(error: BaseException) -> bool:
    return any(kind.__module__.startswith("skerry.") for kind in type(error).__mro__)


if __name__ == "__main__":
    main()
