"""Verbs about code: contracts, clients, new apps, running one."""

from __future__ import annotations

from .options import APP, FILE, JSON, Verb, option, port, seconds, switch

_EVENTS = switch("--events", help="its events, which AsyncAPI describes")
_PATHS = option("paths", metavar="PATH", nargs="*", default=[], help="modules, or folders; .")

CODE: dict[str, Verb] = {
    "contract show": Verb(
        "contracts:show",
        "list the operations of an app, or its events; with --json the whole document",
        (APP, _EVENTS, JSON, FILE),
    ),
    "contract export": Verb(
        "contracts:export",
        "write an app's OpenAPI or AsyncAPI document to a file",
        (
            APP,
            option(
                "output", metavar="FILE", nargs="?", default="", help="APP.openapi.json; - prints"
            ),
            _EVENTS,
            FILE,
        ),
    ),
    "client add": Verb(
        "clients:add",
        "write a typed client of an app, or of any OpenAPI or AsyncAPI document",
        (
            option("source", metavar="NAME|FILE|URL", help="an app of the fleet, or a document"),
            option(
                "target", metavar="MODULE", nargs="?", default="", help="where to; clients/NAME.py"
            ),
            option("--name", metavar="NAME", default="", help="what the fleet calls the app"),
            switch("--plain", help="over httpx alone, without Skerry"),
            FILE,
        ),
    ),
    "client update": Verb(
        "clients:update", "write clients again whose contract has changed", (_PATHS, FILE)
    ),
    "client check": Verb(
        "clients:check",
        "say which clients are stale; exit with 1 if any is",
        (_PATHS, JSON, FILE),
    ),
    "new fleet": Verb(
        "making:new_fleet",
        "write the folder of a fleet without apps",
        (option("name", metavar="NAME", help="of the fleet and of its folder"),),
    ),
    "new app": Verb(
        "making:new_app",
        "write an app with its test, and add it to the fleet",
        (option("name", metavar="NAME", help="of the app and of its folder"), FILE),
    ),
    "init": Verb(
        "making:init",
        "write a fleet.toml from a compose file, a Procfile, or folders of code",
        (
            option("folder", metavar="FOLDER", nargs="?", default=".", help="where that is; ."),
            switch("--overwrite", help="replace a fleet.toml that is there"),
        ),
    ),
    "run": Verb(
        "serving:run",
        "serve one app, without a fleet",
        (
            option("reference", metavar="MODULE:APP", help="imported from the current folder"),
            option("--host", metavar="HOST", default="127.0.0.1", help="where to (127.0.0.1)"),
            option("--port", metavar="PORT", type=port, default=8000, help="where to (8000)"),
            option(
                "--drain",
                metavar="SECONDS",
                type=seconds,
                default=10.0,
                help="that requests have to finish at the end (10)",
            ),
        ),
    ),
    "completion": Verb(
        "completion:completion",
        "print what lets a shell complete verbs, options and names of apps",
        (
            option("shell", choices=("bash", "zsh", "fish", "words"), metavar="bash|zsh|fish"),
            option("words", metavar="WORD", nargs="*", default=[], help="for the shell's own use"),
        ),
        "The first line of what it prints says where it belongs.",
    ),
    "version": Verb("serving:version", "print the version", (JSON,)),
}
