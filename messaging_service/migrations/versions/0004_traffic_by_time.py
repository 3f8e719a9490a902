"""An index over all accounts by time, for reports."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Creates the index, in one pass over the table, which takes no rows meanwhile."""
    # Not CONCURRENTLY: that would wait for the other replicas, which wait for this migration.
    op.create_index(
        "ix_message_created_at",
        "message",
        ["created_at"],
        unique=False,
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 32},
    )


def downgrade() -> None:
    """Drops the index."""
    op.drop_index("ix_message_created_at", table_name="message")
