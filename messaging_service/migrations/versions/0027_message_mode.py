"""Whether a message is a test: for sandbox carriers only, and free."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service_kit.postgres.online_ddl import add_checks

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Adds the column without a rewrite; what is on record is live."""
    op.add_column("message", sa.Column("mode", sa.Text(), server_default="live", nullable=False), if_not_exists=True)
    add_checks(
        "message",
        {
            "ck_message_mode": "mode IN ('live', 'test')",
            "ck_message_test_is_free": "mode = 'live' OR total = 0",
        },
    )


def downgrade() -> None:
    """Drops it; test messages cannot be told from live ones any more."""
    op.drop_column("message", "mode")
