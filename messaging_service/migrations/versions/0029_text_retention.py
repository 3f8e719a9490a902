"""How long an account's texts are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service_kit.postgres.online_ddl import add_checks

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Adds a column without a rewrite; the previous release writes and reads it not."""
    op.add_column("account", sa.Column("text_retention_days", sa.Integer()), if_not_exists=True)
    add_checks("account", {"ck_account_text_retention_positive": "text_retention_days > 0"})


def downgrade() -> None:
    """Drops the column."""
    op.drop_column("account", "text_retention_days")
