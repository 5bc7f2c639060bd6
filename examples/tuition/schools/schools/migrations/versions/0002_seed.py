"""The schools of seed.csv."""

from __future__ import annotations

import csv
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from schools.models import fold

revision = "0002"
down_revision = "0001"

SEED = Path(__file__).parents[2] / "seed.csv"
COLUMNS = ("id", "name", "folded", "country", "domain", "currency", "scheme", "account", "bank")


def upgrade() -> None:
    with SEED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    table = sa.table("schools", *(sa.column(name) for name in COLUMNS))
    op.bulk_insert(table, [{**row, "folded": fold(row["name"])} for row in rows])


def downgrade() -> None:
    op.execute("DELETE FROM schools")
