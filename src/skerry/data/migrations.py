"""Alembic, as apps need it: applied at start, by whichever of many instances comes first.

An app's migrations are an ordinary Alembic folder, so ``alembic revision --autogenerate`` works
as its manual says. Its ``env.py`` is four lines::

    from alembic import context
    from quotes.models import Base
    from skerry.data.migrations import run

    run(context, Base.metadata, app="quotes")
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, text

from skerry.core.errors import ConfigError
from skerry.data.database import default_url, make_engine
from skerry.data.schema import PREFIX

# `alembic.context` is one per process, and apps that run together start together.
_alembic = threading.Lock()


def upgrade(engine: Engine, folder: Path, revision: str = "head") -> None:
    """Bring the database to ``revision``, unless it is there already.

    Safe when many instances do it at once: they look first, and those that see something to do
    take turns, on PostgreSQL by an advisory lock, on SQLite by its write lock. Everything
    happens in one transaction, so a migration that fails leaves nothing half done.
    """
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with _alembic:
        head = ScriptDirectory.from_config(config).get_current_head()
        if revision == "head" and current(engine) == head:
            return
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(hashtext('skerry:migrate:' || :folder))"),
                    {"folder": _schema(connection)},
                )
            config.attributes["connection"] = connection
            command.upgrade(config, revision)


def current(engine: Engine) -> str | None:
    """The revision the database is at; None before the first."""
    with engine.connect() as connection:
        readable = connection.execution_options(skerry_read_only=True)
        return MigrationContext.configure(readable).get_current_revision()


def run(context: Any, metadata: MetaData, *, app: str) -> None:
    """What an app's ``env.py`` does: migrate on the connection given, or on the app's own.

    Args:
        context: the module ``alembic.context``.
        metadata: of the app's models, to compare the database with.
        app: whose database it is, when Alembic's command line asks.
    """
    if context.is_offline_mode():
        raise ConfigError("migrations look at the data, so there is no --sql for them")
    connection: Connection | None = context.config.attributes.get("connection")
    if connection is not None:
        _run(context, connection, metadata)
        return
    with make_engine(default_url(app), schema=app).begin() as own:
        _run(context, own, metadata)


def _run(context: Any, connection: Connection, metadata: MetaData) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_server_default=True,
        include_name=lambda name, kind, _: kind != "table" or not _ours(name),
    )
    with context.begin_transaction():
        context.run_migrations()


def _ours(table: str | None) -> bool:
    """Tables of Skerry's own are none of the models', and none that were forgotten to drop."""
    return table is not None and table.startswith(PREFIX)


def _schema(connection: Connection) -> str:
    return str(connection.execute(text("SELECT current_schema()")).scalar_one())
