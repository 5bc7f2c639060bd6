"""Every verb: where it is done, what it takes, what it is for.

A table, and nothing that costs time to import: ``skerry ps`` reads it too.
"""

from __future__ import annotations

from .options import Verb, count, option, port, seconds, switch

_FILE = option(
    "--file", default="", help="the fleet's file or its folder; else the nearest fleet.toml upward"
)
_JSON = switch("--json", dest="as_json", help="print JSON")
_APP = option("name", metavar="APP", help="an app of the fleet")
_EVENTS = switch("--events", help="its events, which AsyncAPI describes")
_BUS = option("--bus", metavar="URL", default="", help="of another bus than the fleet's")
_SUBSCRIPTION = option("subscription", metavar="SUBSCRIPTION", help="skerry bus ls lists them")
_YES = switch("--yes", help="do it, and do not only say what it would do")
_DATABASE = option("--database", metavar="URL", default="", help="the app's; else DATABASE_URL")
_SCHEMA = option(
    "--schema", metavar="NAME", default="", help="of PostgreSQL, where the tables are; else public"
)
_FROM = option(
    "--from",
    dest="from_version",
    metavar="N",
    type=count,
    default=0,
    help="the version that is there; 0, none",
)
_IN = option(
    "--path",
    dest="paths",
    metavar="PATH",
    action="append",
    help="a folder, file or module of journeys; else journeys/ beside fleet.toml",
)
_PATHS = option("paths", metavar="PATH", nargs="*", default=[], help="modules, or folders; .")

_COLLECTOR = option(
    "--collector", dest="url", metavar="URL", default="", help="of another than the fleet's"
)
_INCIDENT = option("id", metavar="ID", help="its beginning is enough; skerry errors ls has them")

VERBS: dict[str, Verb] = {
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
            _FILE,
        ),
        "Without --detach it prints what everyone says, until Ctrl-C ends it.\n"
        "With it, it exits with 1 when something did not become ready.",
    ),
    "down": Verb("running:down", "end the fleet", (_FILE,)),
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
            _JSON,
            _FILE,
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
            switch("--json", dest="as_json", help="print one JSON object for each line"),
            _FILE,
        ),
        "When the fleet has ended, what is in .skerry/logs is shown.",
    ),
    "restart": Verb(
        "running:restart",
        "replace the instances of an app, one after the other",
        (_APP, _JSON, _FILE),
    ),
    "scale": Verb(
        "running:scale",
        "run so many instances of an app",
        (
            _APP,
            option("instances", metavar="N", type=count, help="from 0 to 100"),
            _JSON,
            _FILE,
        ),
        "Until fleet.toml says something else, or the fleet ends.",
    ),
    "stop": Verb("running:stop", "end all instances of an app", (_APP, _JSON, _FILE)),
    "start": Verb("running:start", "run an app again that was stopped", (_APP, _JSON, _FILE)),
    "console": Verb(
        "opening:console",
        "print where the fleet can be seen in a browser",
        (
            switch("--open", dest="show", help="open it there"),
            option(
                "--port", metavar="PORT", type=port, help="of one for a fleet that has none itself"
            ),
            _JSON,
            _FILE,
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
            _FILE,
        ),
        "A problem goes to stderr, and the exit status is 1.",
    ),
    "trace ls": Verb(
        "traces:ls",
        "find requests: what they were, how long they took, who failed",
        (
            option("--app", metavar="APP", default="", help="in which this app took part"),
            option("--name", metavar="NAME", default="", help="with a span of this name"),
            switch("--errors", help="in which something failed"),
            option("--slower", metavar="TIME", default="", help="with a span of at least 200ms"),
            option(
                "--where",
                metavar="KEY[=VALUE]",
                action="append",
                help="with a span that has this attribute; all of them, if several",
            ),
            option("--since", metavar="TIME", default="", help="of the last 2h; else a day"),
            option("--count", "-n", metavar="N", type=count, default=20, help="so many (20)"),
            _JSON,
            _COLLECTOR,
            _FILE,
        ),
    ),
    "trace show": Verb(
        "traces:show",
        "draw one request: who did what, when, and for how long",
        (
            option("id", metavar="TRACE", help="its id"),
            switch("--attributes", "-a", help="with all that its spans say"),
            _JSON,
            _COLLECTOR,
            _FILE,
        ),
    ),
    "errors ls": Verb(
        "errors:ls",
        "list what is wrong: each trouble once, where it was born",
        (
            option("--app", metavar="APP", default="", help="that hurts this app"),
            option(
                "--state",
                choices=("open", "regressed", "resolved"),
                default="",
                help="open, regressed or resolved; else all that is not resolved",
            ),
            switch("--problems", help="answers that contracts declare as well"),
            option("--count", "-n", metavar="N", type=count, default=50, help="so many (50)"),
            _JSON,
            _COLLECTOR,
            _FILE,
        ),
    ),
    "errors show": Verb(
        "errors:show",
        "show all that is known of one: its stack, whom it hurts, traces",
        (_INCIDENT, _JSON, _COLLECTOR, _FILE),
    ),
    "errors resolve": Verb(
        "errors:resolve",
        "say that one is over; if it is seen again, it has regressed",
        (
            _INCIDENT,
            switch("--next-release", help="those releases may have it still"),
            _JSON,
            _COLLECTOR,
            _FILE,
        ),
    ),
    "errors reopen": Verb(
        "errors:reopen", "say that one is not over", (_INCIDENT, _JSON, _COLLECTOR, _FILE)
    ),
    "objectives": Verb(
        "promises:objectives",
        "show what apps have promised, and what is left of their budgets",
        (_JSON, _COLLECTOR, _FILE),
    ),
    "alerts": Verb(
        "promises:alerts",
        "show what somebody has been told of; exit with 1 while it goes on",
        (switch("--all", help="also those that are over"), _JSON, _COLLECTOR, _FILE),
    ),
    "bus ls": Verb(
        "queues:ls", "list who subscribes to what, and how much waits", (_JSON, _BUS, _FILE)
    ),
    "bus peek": Verb(
        "queues:peek",
        "show the oldest messages of a subscription, which stay where they are",
        (
            _SUBSCRIPTION,
            switch("--dead", help="its dead letters, and not those that wait"),
            switch("--stack", help="with the traceback of each dead letter"),
            option("--count", "-n", metavar="N", type=count, default=20, help="so many (20)"),
            _JSON,
            _BUS,
            _FILE,
        ),
    ),
    "bus dead": Verb(
        "queues:dead",
        "list dead letters, of one subscription or of all",
        (
            option("subscription", metavar="SUBSCRIPTION", nargs="?", default="", help="of this"),
            option("--count", "-n", metavar="N", type=count, default=100, help="so many (100)"),
            _JSON,
            _BUS,
            _FILE,
        ),
    ),
    "bus tail": Verb(
        "tailing:tail",
        "show what is published, as it is",
        (
            option("topics", metavar="TOPIC", nargs="*", default=[], help="else all heard by apps"),
            switch("--json", dest="as_json", help="print one JSON object for each message"),
            _BUS,
            _FILE,
        ),
        "A topic that no app subscribes to has to be named.",
    ),
    "bus publish": Verb(
        "publishing:publish",
        "publish an event, or many from standard input; prints their ids",
        (
            option("topic", metavar="TOPIC", help="payments.settled"),
            option(
                "--json",
                dest="body",
                metavar="BODY",
                required=True,
                help="the event; @FILE, or - for one on each line of stdin",
            ),
            option("--version", metavar="N", type=count, default=1, help="of its type (1)"),
            option(
                "--key",
                metavar="KEY",
                default="",
                help="that orders it; /POINTER takes it from the body",
            ),
            option("--delay", metavar="TIME", default="", help="deliver it after 10s, 5m, 1h30m"),
            _BUS,
            _FILE,
        ),
    ),
    "bus redrive": Verb(
        "redriving:redrive",
        "deliver dead letters again, to the handler they died of",
        (
            _SUBSCRIPTION,
            option("--id", dest="ids", metavar="ID", nargs="+", action="extend", help="these"),
            switch("--all", dest="everything", help="all of them"),
            option(
                "--where",
                metavar="CONDITION",
                action="append",
                help="reason~TEXT contains, key=TEXT is; also body, error, id, source, stack, …",
            ),
            option("--error", metavar="NAME", default="", help="that died of this exception"),
            option("--topic", metavar="TOPIC", default="", help="of this topic"),
            option("--rate", metavar="N/s", default="", help="no faster; also N/m, N/h"),
            switch("--edit", help="after each has been edited, in $EDITOR"),
            option(
                "--set",
                dest="sets",
                metavar="/POINTER=VALUE",
                action="append",
                help="with this in the body; a JSON value, or text",
            ),
            _BUS,
            _FILE,
        ),
        "Where several conditions are given, all of them must hold.",
    ),
    "bus purge": Verb(
        "queues:purge",
        "delete what waits for a subscription, or its dead letters",
        (_SUBSCRIPTION, switch("--dead", help="its dead letters"), _YES, _BUS, _FILE),
    ),
    "bus forget": Verb(
        "queues:forget",
        "delete a subscription that no app has any more, with all in it",
        (_SUBSCRIPTION, _YES, _BUS, _FILE),
    ),
    "bus relay": Verb(
        "relaying:relay",
        "publish the outbox of an app that is not written with Skerry",
        (
            option("--app", metavar="NAME", required=True, help="whose events they are"),
            _DATABASE,
            _SCHEMA,
            option(
                "--poll",
                metavar="SECONDS",
                type=seconds,
                default=0.25,
                help="between looks while nothing happens (0.25)",
            ),
            switch("--once", help="publish what is there and end"),
            _BUS,
            _FILE,
        ),
        "It runs until SIGTERM or Ctrl-C. It waits for a database or a broker that is away.\n"
        "With --once it exits with 1 if something could not be published.",
    ),
    "tables apply": Verb(
        "tables:apply",
        "make Skerry's tables in an app's database, or bring them up to date",
        (_DATABASE, _SCHEMA),
    ),
    "tables sql": Verb(
        "tables:sql",
        "print the SQL that makes Skerry's tables",
        (
            option("dialect", choices=("postgresql", "sqlite"), metavar="postgresql|sqlite"),
            _FROM,
        ),
    ),
    "tables alembic": Verb(
        "tables:alembic",
        "write a revision for Alembic that makes Skerry's tables",
        (
            option("output", metavar="FILE", help="- prints it"),
            option("--revision", metavar="ID", default="", help="its own; skerry_ and the version"),
            option("--after", metavar="ID", default="", help="the revision it comes after; none"),
            _FROM,
        ),
    ),
    "stack": Verb(
        "contracts:stack",
        "show the filters around an app's endpoints, handlers or calls, each with its reason",
        (
            _APP,
            option("--endpoint", metavar="NAME", default="", help="of this endpoint; the first"),
            option("--handler", metavar="NAME", default="", help="of this handler of events"),
            option("--client", metavar="OTHER", default="", help="of its calls to this app"),
            switch("--live", help="how they are doing: breakers, budgets, calls under way"),
            _JSON,
            _FILE,
        ),
    ),
    "contract show": Verb(
        "contracts:show",
        "list the operations of an app, or its events; with --json the whole document",
        (_APP, _EVENTS, _JSON, _FILE),
    ),
    "contract export": Verb(
        "contracts:export",
        "write an app's OpenAPI or AsyncAPI document to a file",
        (
            _APP,
            option(
                "output", metavar="FILE", nargs="?", default="", help="APP.openapi.json; - prints"
            ),
            _EVENTS,
            _FILE,
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
            _FILE,
        ),
    ),
    "client update": Verb(
        "clients:update", "write clients again whose contract has changed", (_PATHS, _FILE)
    ),
    "client check": Verb(
        "clients:check",
        "say which clients are stale; exit with 1 if any is",
        (_PATHS, _JSON, _FILE),
    ),
    "new fleet": Verb(
        "making:new_fleet",
        "write the folder of a fleet without apps",
        (option("name", metavar="NAME", help="of the fleet and of its folder"),),
    ),
    "new app": Verb(
        "making:new_app",
        "write an app with its test, and add it to the fleet",
        (option("name", metavar="NAME", help="of the app and of its folder"), _FILE),
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
    "doctor": Verb(
        "doctor:doctor",
        "look whether everything is here that a fleet needs",
        (_JSON, _FILE),
        "Exits with 1 when something must be done first.",
    ),
    "journey ls": Verb(
        "journeys:ls",
        "show what journeys there are: acceptance tests across apps",
        (_IN, _JSON, _FILE),
    ),
    "journey run": Verb(
        "journeys:run",
        "run journeys against the fleet, and show their steps",
        (
            option("names", metavar="JOURNEY", nargs="*", default=[], help="which; else all"),
            _IN,
            option(
                "--url",
                dest="urls",
                metavar="APP=URL",
                action="append",
                help="where an app is; front=URL, the front door; may be given several times",
            ),
            switch("--in-process", help="run the apps of the fleet in this process, on empty data"),
            option("--repeat", metavar="N", type=count, default=1, help="so many times each (1)"),
            _JSON,
            _FILE,
        ),
        "Exits with 1 when one of them has failed.",
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
    "version": Verb("serving:version", "print the version", (_JSON,)),
}

GROUPS = {
    "errors": "what is wrong in the fleet: where it was born, whom it hurts",
    "trace": "requests through all apps they came by",
    "bus": "events: what waits, what is dead, what passes by",
    "client": "typed clients of apps and of other people's APIs",
    "contract": "what an app promises",
    "journey": "acceptance tests across apps",
    "tables": "Skerry's own tables in an app's database: outbox, inbox, idempotency keys",
    "new": "the first files of a fleet, or of an app",
}
