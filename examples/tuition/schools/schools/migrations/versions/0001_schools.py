"""The table of schools."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "schools",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("folded", sa.String(200), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("domain", sa.String(80), nullable=False, unique=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("scheme", sa.String(12), nullable=False),
        sa.Column("account", sa.String(34), nullable=False),
        sa.Column("bank", sa.String(20), nullable=False),
    )
    op.create_index("schools_by_name", "schools", ["folded", "id"])
    op.create_index("schools_by_country", "schools", ["country", "folded", "id"])
    op.create_index("ix_schools_currency", "schools", ["currency"])


def downgrade() -> None:
    op.drop_table("schools")
