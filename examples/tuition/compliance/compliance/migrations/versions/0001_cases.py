"""Cases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from skerry.data.types import UtcDateTime

revision = "0001"
down_revision = None

COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("number", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("payment_id", sa.String(36), nullable=False, unique=True),
        sa.Column("status", sa.String(16), nullable=False, index=True),
        sa.Column("payer_name", sa.String(140), nullable=False),
        sa.Column("school_name", sa.String(200), nullable=False),
        sa.Column("amount", sa.String(24), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("screened", UtcDateTime, nullable=False),
        sa.Column("decided", UtcDateTime),
        sa.Column("decided_by", sa.String(140), nullable=False),
        sa.Column("note", sa.String(500), nullable=False),
        sa.CheckConstraint(
            "status IN ('cleared', 'open', 'released', 'rejected')", name="status_known"
        ),
    )


def downgrade() -> None:
    op.drop_table("cases")
