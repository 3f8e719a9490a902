"""What API keys have used of their limits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "api_key_usage",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("spend_day", sa.Date(), nullable=True),
        sa.Column("day_spent", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
        sa.Column("counted_minute", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("minute_count", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_key_usage")),
        postgresql_with={"fillfactor": 50},
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_table("api_key_usage")
