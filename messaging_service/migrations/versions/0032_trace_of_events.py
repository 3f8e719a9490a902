"""Where the trace of a sampled message goes on, as its receipt comes in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Adds a column without a rewrite; the previous release writes and reads it not."""
    op.add_column("message_event", sa.Column("trace_id", sa.LargeBinary()), if_not_exists=True)


def downgrade() -> None:
    """Drops the column."""
    op.drop_column("message_event", "trace_id")
