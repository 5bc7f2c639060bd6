from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, create_engine, inspect, text

from skerry.core.errors import ConfigError
from skerry.data import schema
from skerry.data.database import Database, make_engine

TABLES = {"skerry_schema", "skerry_outbox", "skerry_inbox", "skerry_idempotency"}


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_it_makes_the_tables_once(url: str) -> None:
    engine = make_engine(url, schema="books")
    for _ in range(2):
        schema.migrate(engine)
        with engine.connect() as connection:
            assert schema.version(connection) == schema.VERSION
    assert tables(engine) == TABLES
    engine.dispose()


def test_instances_that_start_at_once_all_find_them(url: str) -> None:
    program = (
        "import sys\n"
        "from skerry.data.database import make_engine\n"
        "from skerry.data.schema import migrate\n"
        "engine = make_engine(sys.argv[1], schema='books')\n"
        "sys.stdin.read(1)\n"
        "migrate(engine)\n"
    )
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", program, url]
    started = [subprocess.Popen(command, stdin=pipe, stderr=pipe) for _ in range(4)]
    for process in started:
        _, said = process.communicate(b"x")
        assert process.returncode == 0, said.decode()
    engine = make_engine(url, schema="books")
    assert tables(engine) == TABLES
    engine.dispose()


def test_a_connection_keeps_its_transaction(url: str) -> None:
    engine = make_engine(url, schema="books")
    with engine.connect() as connection:
        schema.migrate(connection)
        assert schema.version(connection) == schema.VERSION
        connection.rollback()
    assert not tables(engine)
    engine.dispose()


def test_engines_of_other_makers_take_turns_too(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'theirs.db'}")
    with engine.connect() as connection:
        schema.migrate(connection)
        connection.rollback()
    assert not tables(engine)
    schema.migrate(engine)
    assert tables(engine) == TABLES
    engine.dispose()


def test_a_newer_version_is_left_alone(url: str) -> None:
    engine = make_engine(url, schema="books")
    schema.migrate(engine)
    with engine.begin() as connection:
        newer = schema.VERSION + 1
        connection.execute(text(f"INSERT INTO skerry_schema VALUES ({newer})"))
        schema.migrate(connection)
        assert schema.version(connection) == newer
    engine.dispose()


def test_statements_can_be_carried_by_others(url: str) -> None:
    engine = make_engine(url)
    with engine.begin() as connection:
        for statement in schema.statements(engine.dialect.name):
            connection.exec_driver_sql(statement)
        assert schema.version(connection) == schema.VERSION
    assert tables(engine) == TABLES
    engine.dispose()
    assert schema.statements("sqlite", schema.VERSION) == []
    with pytest.raises(ConfigError, match="mysql"):
        schema.statements("mysql")


def test_it_can_be_a_revision_of_alembic(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "versions" / "skerry.py").write_text(schema.revision())
    env = """
        from alembic import context
        from sqlalchemy import MetaData
        from skerry.data.migrations import run

        run(context, MetaData(), app="books")
    """
    (folder / "env.py").write_text(dedent(env))
    engine = make_engine(url, schema="books")
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        assert schema.version(connection) == schema.VERSION
        command.check(config)  # what is there besides the models is not to be dropped
    schema.migrate(engine)
    assert tables(engine) == {*TABLES, "alembic_version"}
    engine.dispose()


async def test_without_the_filter_alembic_would_drop_them(url: str) -> None:
    database = Database(url)
    schema.migrate(database.engine)
    with database.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), MetaData())
    assert [change[0] for change in found].count("remove_table") == len(TABLES)
    database.close()
