"""Verbs about events, and the tables behind them."""

from __future__ import annotations

from .options import FILE, JSON, Verb, count, option, seconds, switch

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

BUS: dict[str, Verb] = {
    "bus ls": Verb(
        "queues:ls", "list who subscribes to what, and how much waits", (JSON, _BUS, FILE)
    ),
    "bus peek": Verb(
        "queues:peek",
        "show the oldest messages of a subscription, which stay where they are",
        (
            _SUBSCRIPTION,
            switch("--dead", help="its dead letters, and not those that wait"),
            switch("--stack", help="with the traceback of each dead letter"),
            option("--count", "-n", metavar="N", type=count, default=20, help="so many (20)"),
            JSON,
            _BUS,
            FILE,
        ),
    ),
    "bus dead": Verb(
        "queues:dead",
        "list dead letters, of one subscription or of all",
        (
            option("subscription", metavar="SUBSCRIPTION", nargs="?", default="", help="of this"),
            option("--count", "-n", metavar="N", type=count, default=100, help="so many (100)"),
            JSON,
            _BUS,
            FILE,
        ),
    ),
    "bus tail": Verb(
        "tailing:tail",
        "show what is published, as it is",
        (
            option("topics", metavar="TOPIC", nargs="*", default=[], help="else all heard by apps"),
            switch("--json", dest="as_json", help="print one JSON object for each message"),
            _BUS,
            FILE,
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
            FILE,
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
            FILE,
        ),
        "Where several conditions are given, all of them must hold.",
    ),
    "bus purge": Verb(
        "queues:purge",
        "delete what waits for a subscription, or its dead letters",
        (_SUBSCRIPTION, switch("--dead", help="its dead letters"), _YES, _BUS, FILE),
    ),
    "bus forget": Verb(
        "queues:forget",
        "delete a subscription that no app has any more, with all in it",
        (_SUBSCRIPTION, _YES, _BUS, FILE),
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
            FILE,
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
}
