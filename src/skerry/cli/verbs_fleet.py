"""Verbs about the fleet that runs: start and end it, look at it, call its apps."""

from __future__ import annotations

from .options import APP, FILE, JSON, Verb, count, option, port, seconds, switch

FLEET: dict[str, Verb] = {
    "up": Verb(
        "running:up",
        "start the fleet",
        (
            switch("--detach", "-d", help="return as soon as it is up"),
            option(
                "--only",
                metavar="A,B",
                action="append",
                help="these apps and what they need; may be given several times",
            ),
            switch("--no-reload", help="leave apps alone whose files change"),
            option(
                "--control-port",
                metavar="PORT",
                type=port,
                help="serve the control API on this TCP port too, for whoever has the token",
            ),
            FILE,
        ),
        "Without --detach it prints what everyone says, until Ctrl-C ends it.\n"
        "With it, it exits with 1 when something did not become ready.",
    ),
    "down": Verb("running:down", "end the fleet", (FILE,)),
    "ps": Verb(
        "status:ps",
        "show who runs, and how it goes: requests, errors, latencies",
        (
            option(
                "--watch",
                "-w",
                metavar="SECONDS",
                nargs="?",
                type=seconds,
                const=1.0,
                default=0.0,
                help="show it again every so often (1)",
            ),
            JSON,
            FILE,
        ),
        "An app that does not count its requests is counted by those who call it.",
    ),
    "logs": Verb(
        "logs:logs",
        "show what everyone prints",
        (
            option(
                "names",
                metavar="APP",
                nargs="*",
                default=[],
                help="apps, instances, backings; else all",
            ),
            switch("--follow", "-f", help="go on with what comes"),
            option(
                "--lines", "-n", metavar="N", type=count, default=100, help="so many first (100)"
            ),
            option(
                "--trace", metavar="ID", default="", help="what was logged in one trace; all apps"
            ),
            option(
                "--level",
                choices=("debug", "info", "warning", "error", "critical"),
                default="",
                help="what is that bad, or worse",
            ),
            option("--grep", metavar="TEXT", default="", help="what has this text in it"),
            switch("--json", dest="as_json", help="print one JSON object for each line"),
            FILE,
        ),
        "When the fleet has ended, what is in .skerry/logs is shown.\n"
        "Lines of JSON are shown as text; --json has all they say.",
    ),
    "restart": Verb(
        "running:restart",
        "replace the instances of an app, one after the other",
        (APP, JSON, FILE),
    ),
    "scale": Verb(
        "running:scale",
        "run so many instances of an app",
        (
            APP,
            option("instances", metavar="N", type=count, help="from 0 to 100"),
            JSON,
            FILE,
        ),
        "Until fleet.toml says something else, or the fleet ends.",
    ),
    "stop": Verb("running:stop", "end all instances of an app", (APP, JSON, FILE)),
    "start": Verb("running:start", "run an app again that was stopped", (APP, JSON, FILE)),
    "console": Verb(
        "opening:console",
        "print where the fleet can be seen in a browser",
        (
            switch("--open", dest="show", help="open it there"),
            option(
                "--port", metavar="PORT", type=port, help="of one for a fleet that has none itself"
            ),
            JSON,
            FILE,
        ),
        "Where the fleet runs none itself, one is served until Ctrl-C.",
    ),
    "call": Verb(
        "calling:call",
        "call an operation of a running app and print its answer",
        (
            option("target", metavar="APP.OPERATION", help="skerry contract show APP lists them"),
            option(
                "values",
                metavar="NAME=VALUE",
                nargs="*",
                default=[],
                help="parameters of the operation, or members of its JSON body",
            ),
            option("--json", dest="body", metavar="BODY", help="the body; - for stdin, @FILE"),
            option("--data", metavar="BODY", help="a body that is not JSON; - for stdin, @FILE"),
            option(
                "--timeout",
                metavar="SECONDS",
                type=seconds,
                default=60.0,
                help="for the answer (60)",
            ),
            switch("--verbose", "-v", help="show request, status, headers and time on stderr"),
            FILE,
        ),
        "A problem goes to stderr, and the exit status is 1.",
    ),
    "stack": Verb(
        "contracts:stack",
        "show the filters around an app's endpoints, handlers or calls, each with its reason",
        (
            APP,
            option("--endpoint", metavar="NAME", default="", help="of this endpoint; the first"),
            option("--handler", metavar="NAME", default="", help="of this handler of events"),
            option("--client", metavar="OTHER", default="", help="of its calls to this app"),
            switch("--live", help="how they are doing: breakers, budgets, calls under way"),
            JSON,
            FILE,
        ),
    ),
    "doctor": Verb(
        "doctor:doctor",
        "look whether everything is here that a fleet needs",
        (JSON, FILE),
        "Exits with 1 when something must be done first.",
    ),
}
