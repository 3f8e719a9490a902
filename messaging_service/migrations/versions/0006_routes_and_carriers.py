"""Queue rows know their route and the carriers to avoid; carriers obey operators and are reported on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from service_kit.postgres.online_ddl import build_index, drop_index

revision = "0006"
down_revision = "0005"

READY = sa.text("state = 'ready'")


def upgrade() -> None:
    """Adds the columns and tables; rows already queued belong to the default route."""
    op.add_column(
        "dispatch", sa.Column("route", sa.Text(), server_default="default", nullable=False), if_not_exists=True
    )
    op.add_column(
        "dispatch",
        sa.Column("avoid", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        if_not_exists=True,
    )
    # The queue has one of the two indexes at any time.
    columns = ["route", "lane", "due_at", "message_id"]
    build_index("ix_dispatch_ready_by_route", "dispatch", columns, postgresql_where=READY)
    drop_index("ix_dispatch_ready", "dispatch")
    op.execute("ALTER INDEX ix_dispatch_ready_by_route RENAME TO ix_dispatch_ready")
    op.create_table(
        "carrier_control",
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("mode IN ('running', 'paused', 'drained')", name=op.f("ck_carrier_control_mode")),
        sa.PrimaryKeyConstraint("carrier", name=op.f("pk_carrier_control")),
        if_not_exists=True,
    )
    op.create_table(
        "carrier_report",
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("replica", sa.Text(), nullable=False),
        sa.Column("reported_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("status", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("carrier", "replica", name=op.f("pk_carrier_report")),
        postgresql_with={"fillfactor": 50},
        if_not_exists=True,
    )


def downgrade() -> None:
    """Drops them; rows of other routes are lost to nobody, as the queue has one order again."""
    op.drop_table("carrier_report")
    op.drop_table("carrier_control")
    op.drop_index("ix_dispatch_ready", table_name="dispatch")
    op.create_index("ix_dispatch_ready", "dispatch", ["lane", "due_at", "message_id"], postgresql_where=READY)
    op.drop_column("dispatch", "avoid")
    op.drop_column("dispatch", "route")
