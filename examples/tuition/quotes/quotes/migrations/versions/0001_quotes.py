"""The table of quotes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from skerry.data.types import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "quotes",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("school_id", sa.String(80), nullable=False),
        sa.Column("school_name", sa.String(200), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("pay_in", sa.String(3), nullable=False),
        sa.Column("mid_rate", sa.String(24), nullable=False),
        sa.Column("rate", sa.String(24), nullable=False),
        sa.Column("rate_day", sa.Date, nullable=False),
        sa.Column("converted", sa.BigInteger, nullable=False),
        sa.Column("fee", sa.BigInteger, nullable=False),
        sa.Column("created", UtcDateTime, nullable=False),
        sa.Column("expires", UtcDateTime, nullable=False),
        sa.Column("payment_id", sa.String(36), unique=True),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.CheckConstraint("converted > 0 AND fee >= 0", name="price_positive"),
    )


def downgrade() -> None:
    op.drop_table("quotes")
