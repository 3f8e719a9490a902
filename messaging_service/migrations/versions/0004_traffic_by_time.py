"""An index over all accounts by time, for reports."""

from __future__ import annotations

from alembic import op

from service_kit.postgres.online_ddl import build_index

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Creates the index beside running sends."""
    build_index(
        "ix_message_created_at",
        "message",
        ["created_at"],
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 32},
    )


def downgrade() -> None:
    """Drops the index."""
    op.drop_index("ix_message_created_at", table_name="message")
