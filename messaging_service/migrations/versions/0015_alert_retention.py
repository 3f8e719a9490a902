"""An index over alerts that ended, to forget the old ones by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service_kit.postgres.online_ddl import build_index

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Creates the index."""
    build_index("ix_alert_resolved_at", "alert", ["resolved_at"], postgresql_where=sa.text("resolved_at IS NOT NULL"))


def downgrade() -> None:
    """Drops the index."""
    op.drop_index("ix_alert_resolved_at", table_name="alert")
