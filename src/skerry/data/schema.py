"""Skerry's own tables, which lie beside an app's own, because they share its transactions.

They have versions, and each version is a few statements of plain SQL: applied by ``migrate``, or
exported for teams whose migrations are Alembic's (``revision``), Django's or anybody's
(``statements``). A version only ever adds, so that instances of the release before go on
working while the next one starts.
"""

from __future__ import annotations

from textwrap import indent

from sqlalchemy import Connection, Engine, inspect, text

from skerry.core.errors import ConfigError

PREFIX = "skerry_"
"""What the names of these tables begin with, and no others."""

_WORDS = {
    "sqlite": {
        "serial": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "real": "REAL",
        "bytes": "BLOB",
        "inbox": " WITHOUT ROWID",
    },
    "postgresql": {
        "serial": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "real": "DOUBLE PRECISION",
        "bytes": "BYTEA",
        "inbox": "",
    },
}

# Colons are left out: Alembic and SQLAlchemy take words after them for parameters.
_VERSIONS = (
    """
    CREATE TABLE skerry_schema (version INTEGER NOT NULL PRIMARY KEY);

    CREATE TABLE skerry_outbox (
        seq {serial},
        id TEXT NOT NULL,
        topic TEXT NOT NULL,
        version INTEGER NOT NULL,
        body {bytes} NOT NULL,
        key TEXT NOT NULL,
        source TEXT NOT NULL,
        time {real} NOT NULL,
        headers TEXT NOT NULL,
        due {real},
        claimed_by TEXT NOT NULL DEFAULT '',
        claimed_until {real} NOT NULL DEFAULT 0,
        sent {real}
    );
    CREATE INDEX skerry_outbox_unsent ON skerry_outbox (seq) WHERE sent IS NULL;

    CREATE TABLE skerry_inbox (
        subscription TEXT NOT NULL,
        id TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        token TEXT NOT NULL,
        until {real} NOT NULL,
        state TEXT NOT NULL,
        seen {real} NOT NULL,
        PRIMARY KEY (subscription, id)
    ){inbox};
    CREATE INDEX skerry_inbox_seen ON skerry_inbox (seen);
    """,
    """
    CREATE TABLE skerry_idempotency (
        scope TEXT NOT NULL,
        key TEXT NOT NULL,
        operation TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        token TEXT NOT NULL,
        until {real} NOT NULL,
        seen {real} NOT NULL,
        status INTEGER,
        headers TEXT,
        body {bytes},
        PRIMARY KEY (scope, key)
    );
    CREATE INDEX skerry_idempotency_seen ON skerry_idempotency (seen);
    """,
)

VERSION = len(_VERSIONS)
"""The version this release works with."""


def statements(dialect: str, from_version: int = 0) -> list[str]:
    """What brings tables of ``from_version`` to ``VERSION``; 0 is before there were any.

    The last of each version's statements notes that it has been applied.

    Args:
        dialect: ``sqlite`` or ``postgresql``.
    """
    if dialect not in _WORDS:
        raise ConfigError(f"there are no tables for {dialect!r}: sqlite or postgresql")
    found: list[str] = []
    for version, script in enumerate(_VERSIONS, 1):
        if version > from_version:
            found += _split(script.format_map(_WORDS[dialect]))
            found.append(f"INSERT INTO skerry_schema (version) VALUES ({version})")
    return found


def migrate(where: Engine | Connection) -> None:
    """Bring Skerry's tables to ``VERSION``, unless they are there or beyond.

    Safe when many instances do it at once; see ``data.migrations.upgrade``. A connection is
    left in its transaction, which is the caller's to commit.
    """
    if isinstance(where, Engine):
        with where.connect() as connection:
            if version(connection.execution_options(skerry_read_only=True)) >= VERSION:
                return
        with where.begin() as connection:
            migrate(connection)
        return
    _take_turns(where)
    for statement in statements(where.dialect.name, version(where)):
        where.execute(text(statement))


def version(connection: Connection) -> int:
    """Of the tables that are there; 0 for none."""
    if not inspect(connection).has_table("skerry_schema"):
        return 0
    found = connection.execute(text("SELECT max(version) FROM skerry_schema")).scalar()
    return int(found or 0)


def _take_turns(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        lock = "SELECT pg_advisory_xact_lock(hashtext('skerry-tables' || current_schema()))"
        connection.execute(text(lock))
        return
    if not connection.in_transaction():
        connection.begin()
    raw = connection.connection.dbapi_connection
    if raw is not None and not raw.in_transaction:  # not one of our engines: nothing is locked
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def revision(
    revision: str = "skerry_0001", down_revision: str | None = None, *, from_version: int = 0
) -> str:
    """The text of an Alembic revision file that does what ``migrate`` does.

    Args:
        revision: its own identifier.
        down_revision: of the revision it comes after; None for the first.
        from_version: what the last exported one has brought the tables to.
    """
    scripts = "\n".join(
        f'    "{dialect}": [\n{_literals(statements(dialect, from_version))}    ],'
        for dialect in _WORDS
    )
    return f'''"""Skerry's own tables, version {VERSION}."""

from alembic import op

revision = {revision!r}
down_revision = {down_revision!r}
branch_labels = None
depends_on = None

STATEMENTS = {{
{scripts}
}}


def upgrade() -> None:
    for statement in STATEMENTS[op.get_context().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a version of Skerry's tables only ever adds")
'''


def _literals(lines: list[str]) -> str:
    return "".join(indent(f'"""\n{line}\n""",\n', " " * 8) for line in lines)


def _split(script: str) -> list[str]:
    lines = (line.removeprefix("    ") for line in script.splitlines())
    return [part.strip() for part in "\n".join(lines).split(";") if part.strip()]
