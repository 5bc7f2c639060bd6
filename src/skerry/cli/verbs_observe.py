"""Verbs about what has happened: traces, errors, promises, journeys."""

from __future__ import annotations

from .options import FILE, JSON, Verb, count, option, switch

_IN = option(
    "--path",
    dest="paths",
    metavar="PATH",
    action="append",
    help="a folder, file or module of journeys; else journeys/ beside fleet.toml",
)
_COLLECTOR = option(
    "--collector", dest="url", metavar="URL", default="", help="of another than the fleet's"
)
_INCIDENT = option("id", metavar="ID", help="its beginning is enough; skerry errors ls has them")

OBSERVE: dict[str, Verb] = {
    "trace ls": Verb(
        "traces:ls",
        "find requests: what they were, how long they took, who failed",
        (
            option("--app", metavar="APP", default="", help="in which this app took part"),
            option("--name", metavar="NAME", default="", help="with a span of this name"),
            switch("--errors", help="in which something failed"),
            option("--slower", metavar="TIME", default="", help="with a span of at least 200ms"),
            option("--faster", metavar="TIME", default="", help="with no span of more than 1s"),
            option(
                "--where",
                metavar="KEY[=VALUE]",
                action="append",
                help="with a span that has this attribute; all of them, if several",
            ),
            option("--since", metavar="TIME", default="", help="of the last 2h; else a day"),
            switch("--no-schedules", help="without what runs by the clock"),
            switch("--slowest", help="the slowest first, instead of the newest"),
            option("--count", "-n", metavar="N", type=count, default=20, help="so many (20)"),
            JSON,
            _COLLECTOR,
            FILE,
        ),
    ),
    "trace show": Verb(
        "traces:show",
        "draw one request: who did what, when, and for how long",
        (
            option("id", metavar="TRACE", help="its id"),
            switch("--attributes", "-a", help="with all that its spans say"),
            switch("--logs", "-l", help="with what apps have logged in it"),
            switch("--drawn", help="with --json: its rows as the console draws them"),
            JSON,
            _COLLECTOR,
            FILE,
        ),
    ),
    "trace links": Verb(
        "traces:links",
        "list what a request came from, and what was handled because of it",
        (option("id", metavar="TRACE", help="its id"), JSON, _COLLECTOR, FILE),
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
            option(
                "--search",
                metavar="TEXT",
                dest="text",
                default="",
                help="whose type, message, place, apps or owner have these words",
            ),
            switch("--problems", help="answers that contracts declare as well"),
            option("--count", "-n", metavar="N", type=count, default=50, help="so many (50)"),
            JSON,
            _COLLECTOR,
            FILE,
        ),
    ),
    "errors show": Verb(
        "errors:show",
        "show all that is known of one: its stack, whom it hurts, traces",
        (_INCIDENT, JSON, _COLLECTOR, FILE),
    ),
    "errors resolve": Verb(
        "errors:resolve",
        "say that one is over; if it is seen again, it has regressed",
        (
            _INCIDENT,
            switch("--next-release", help="those releases may have it still"),
            JSON,
            _COLLECTOR,
            FILE,
        ),
    ),
    "errors reopen": Verb(
        "errors:reopen", "say that one is not over", (_INCIDENT, JSON, _COLLECTOR, FILE)
    ),
    "endpoints": Verb(
        "endpoints:ls",
        "show how often, how well and how fast each endpoint and event handler answers",
        (
            option("app", metavar="APP", nargs="?", default="", help="of this one; else of all"),
            option("--name", metavar="NAME", default="", help='only "POST /payments"'),
            option("--since", metavar="TIME", default="1h", help="in the last 15m, 1h or 24h (1h)"),
            switch("--series", help="with --json: of one app what charts show over time"),
            JSON,
            _COLLECTOR,
            FILE,
        ),
    ),
    "objectives": Verb(
        "promises:objectives",
        "show what apps have promised, and what is left of their budgets",
        (JSON, _COLLECTOR, FILE),
    ),
    "alerts": Verb(
        "promises:alerts",
        "show what somebody has been told of; exit with 1 while it goes on",
        (switch("--all", help="also those that are over"), JSON, _COLLECTOR, FILE),
    ),
    "map": Verb(
        "mapping:show",
        "show who calls whom, how that goes, and whether it is declared",
        (
            option("--since", metavar="TIME", default="5m", help="traffic of the last 5m, or 1h"),
            JSON,
            _COLLECTOR,
            FILE,
        ),
    ),
    "journey ls": Verb(
        "journeys:ls",
        "show what journeys there are: acceptance tests across apps",
        (_IN, JSON, FILE),
    ),
    "journey runs": Verb(
        "journeyruns:runs",
        "list what came of the probe's runs, newest first",
        (
            option("name", metavar="JOURNEY", nargs="?", default="", help="of this one; else all"),
            switch("--failed", help="those that failed"),
            option("--count", "-n", metavar="N", type=count, default=20, help="so many (20)"),
            JSON,
            FILE,
        ),
    ),
    "journey show": Verb(
        "journeyruns:show",
        "draw one run: its steps, how long each took, and what failed",
        (option("run", metavar="RUN", help="its id; skerry journey runs has them"), JSON, FILE),
        "Exits with 1 when it has failed.",
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
            JSON,
            FILE,
        ),
        "Exits with 1 when one of them has failed.",
    ),
}
