"""What a carrier that is not a mere link tells: its own charge and count of parts, and reports on whole messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Adds the columns; no row is rewritten."""
    op.add_column("message_event", sa.Column("carrier_cost", sa.Numeric(18, 6), nullable=True))
    op.add_column("message_event", sa.Column("carrier_parts", sa.SmallInteger(), nullable=True))
    op.add_column("receipt", sa.Column("network", sa.Text(), nullable=True))
    op.add_column("receipt", sa.Column("all_parts", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    """Drops the columns with what they hold."""
    op.drop_column("receipt", "all_parts")
    op.drop_column("receipt", "network")
    op.drop_column("message_event", "carrier_parts")
    op.drop_column("message_event", "carrier_cost")
