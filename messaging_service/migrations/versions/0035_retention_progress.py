"""How far the removal of idempotency keys has come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "retention_progress",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_retention_progress")),
        postgresql_with={"fillfactor": 50},
    )


def downgrade() -> None:
    """Drops the table: keys are looked at from the first message on again."""
    op.drop_table("retention_progress")
