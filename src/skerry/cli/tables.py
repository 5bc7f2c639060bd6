"""``skerry tables apply``, ``sql`` and ``alembic``: Skerry's own tables in an app's database."""

from __future__ import annotations

from pathlib import Path

from .output import fail, note
from .relaying import database_url, libraries


def apply(database: str, schema: str) -> int:
    """Make the tables, or bring them to this release's version."""
    url = database_url(database)
    with libraries():
        from sqlalchemy.exc import DBAPIError

        from skerry.data import schema as tables
        from skerry.data.database import make_engine

        engine = make_engine(url, schema=schema or None)
    try:
        with engine.begin() as connection:
            before = tables.version(connection)
        tables.migrate(engine)
    except DBAPIError as error:
        fail(f"the database: {str(error.orig).strip()}")
    finally:
        engine.dispose()
    if before >= tables.VERSION:
        note(f"they are there, at version {before}")
    elif before:
        note(f"brought from version {before} to {tables.VERSION}")
    else:
        note(f"made, at version {tables.VERSION}")
    return 0


def sql(dialect: str, from_version: int) -> int:
    """Print what makes them, for whoever applies it by other means."""
    with libraries():
        from skerry.data.schema import VERSION, statements

    _check(from_version, VERSION)
    print(f"-- Skerry's own tables, version {VERSION}, for {dialect}")
    for statement in statements(dialect, from_version):
        print(f"\n{statement};")
    return 0


def alembic(output: str, revision: str, after: str, from_version: int) -> int:
    """Write a revision file for Alembic."""
    with libraries():
        from skerry.data.schema import VERSION
        from skerry.data.schema import revision as text

    _check(from_version, VERSION)
    name = revision or f"skerry_{VERSION:04}"
    if name == after:
        fail(f"revision {name} cannot come after itself", 2)
    written = text(name, after or None, from_version=from_version)
    if output == "-":
        print(written, end="")
        return 0
    file = Path(output)
    if file.exists():
        fail(f"{file} is there already")
    file.write_text(written, "utf-8")
    note(f"{file}: revision {name}, after {after or 'none'}")
    return 0


def _check(version: int, newest: int) -> None:
    if version > newest:
        fail(f"there is no version {version}: this release's is {newest}", 2)
