"""Events leave by the outbox, and payments are screened before their money is converted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    untold = "SELECT count(*) FROM steps WHERE announced IS NULL AND event IS NOT NULL"
    if count := op.get_bind().execute(sa.text(untold)).scalar():
        raise RuntimeError(f"{count} events are still to be told; the release before does that")
    op.drop_index("steps_to_announce", "steps")
    with op.batch_alter_table("steps") as steps:
        for column in ("event_id", "event", "announced"):
            steps.drop_column(column)
    op.add_column(
        "payments", sa.Column("screening", sa.String(16), nullable=False, server_default="none")
    )
    op.execute("UPDATE payments SET screening = 'cleared' WHERE state IN ('converted', 'paid_out')")


def downgrade() -> None:
    op.drop_column("payments", "screening")
    with op.batch_alter_table("steps") as steps:
        steps.add_column(sa.Column("event_id", sa.String(36), unique=True))
        steps.add_column(sa.Column("event", sa.LargeBinary))
        steps.add_column(sa.Column("announced", sa.DateTime(timezone=True)))
    op.create_index("steps_to_announce", "steps", ["announced", "number"])
